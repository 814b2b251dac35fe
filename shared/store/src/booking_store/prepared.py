"""One statement, prepared by name and sent through libpq as it is: text in, text out, one round trip.

psycopg's cursor looks up type, adapter and format of every value at each call, keeps its statements by text and types,
and makes an object of each column. A command has sixty parameters whose casts stand in the SQL: none of that is needed
(docs/benchmarks.md says what it costs). Waiting, locking, cancelling and errors remain psycopg's own.
"""

import hashlib
from collections.abc import Generator, Sequence
from typing import Any, Final

import psycopg
from psycopg import generators
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

_WELL: Final = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)


class Prepared:
    """A statement in PostgreSQL's own placeholders (``$1``), each of which a cast or a column gives its type.

    It runs within whatever transaction the connection is in; on an autocommit connection it is one by itself. The
    connection must not be in pipeline mode, and psycopg's implicit BEGIN is the caller's to give.
    """

    def __init__(self, text: str) -> None:
        self._text = text.encode()
        self._name = b"booking_" + hashlib.sha256(self._text).hexdigest()[:24].encode()
        self._key = (self._text, ())

    async def run(self, conn: psycopg.AsyncConnection[Any], parameters: Sequence[str | None]) -> PGresult:
        """The result, whose values are text in bytes. Raises psycopg's errors, DataError for a NUL character."""
        values = [None if text is None else _value(text) for text in parameters]
        async with conn.lock:
            return await conn.wait(self._steps(conn, values))

    def _steps(
        self, conn: psycopg.AsyncConnection[Any], values: Sequence[bytes | None]
    ) -> Generator[Any, Any, PGresult]:
        # psycopg's own list: it forgets all names when it deallocates all, as it does after a rollback.
        pgconn, known = conn.pgconn, conn._prepared._names  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        if self._key not in known:
            pgconn.send_prepare(self._name, self._text)
            _checked((yield from generators.execute(pgconn)))
            known[self._key] = self._name
        pgconn.send_query_prepared(self._name, values)
        return _checked((yield from generators.execute(pgconn)))


def _value(text: str) -> bytes:
    value = text.encode()
    if 0 in value:  # libpq takes a text up to its first NUL: what follows would be lost in silence
        raise psycopg.DataError("PostgreSQL text can't hold a NUL character")
    return value


def _checked(results: Sequence[PGresult]) -> PGresult:
    result = results[-1]
    if result.status not in _WELL:
        raise error_from_result(result)
    return result
