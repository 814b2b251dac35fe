"""One statement, prepared by name and sent through libpq as it is: text or binary in and out, one round trip.

psycopg's cursor looks up type, adapter and format of every value at each call, prepares a statement per combination of
types (smallint or bigint, uuid or unknown for a null), and makes an object of each column. A statement whose parameters
have their casts in the SQL needs none of that (docs/benchmarks.md says what it costs). Waiting, locking, cancelling and
errors remain the connection's own.
"""

import hashlib
from collections.abc import Generator, Sequence
from typing import Any, Final

import psycopg
from psycopg import generators
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGresult

_WELL: Final = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)


class Prepared:
    """A statement in PostgreSQL's own placeholders (``$1``), each of which a cast or a column gives its type.

    It runs within whatever transaction the connection is in; on an autocommit connection it is one by itself. The
    connection must not be in pipeline mode, and psycopg's implicit BEGIN is the caller's to give. On a connection that
    prepares nothing (``prepare_threshold`` is None: it is a pooler's) it has no name and is planned each time.
    ``binary``: all columns come in PostgreSQL's binary format, in which `bytea` is its bytes and `text` its UTF-8.
    """

    def __init__(self, text: str, *, binary: bool = False) -> None:
        self._text = text.encode()
        self._name = b"booking_" + hashlib.sha256(self._text).hexdigest()[:24].encode()
        self._key = (self._text, ())
        self._results = Format.BINARY if binary else Format.TEXT

    async def run(self, conn: psycopg.AsyncConnection[Any], parameters: Sequence[str | bytes | None]) -> PGresult:
        """The result, whose values are bytes. A parameter is text, or bytes in its type's binary format.

        Raises psycopg's errors, DataError for a NUL character in a text.
        """
        values, formats = [None if value is None else _value(value) for value in parameters], None
        if any(isinstance(value, bytes) for value in parameters):
            formats = [Format.BINARY if isinstance(value, bytes) else Format.TEXT for value in parameters]
        return await self._sent(conn, values, formats)

    async def run_binary(self, conn: psycopg.AsyncConnection[Any], parameters: Sequence[bytes | None]) -> PGresult:
        """As `run`, of parameters that are all in their types' binary format (`booking_postgres.Binary` makes them)."""
        return await self._sent(conn, parameters, [Format.BINARY] * len(parameters))

    async def _sent(
        self, conn: psycopg.AsyncConnection[Any], values: Sequence[bytes | None], formats: Sequence[int] | None
    ) -> PGresult:
        async with conn.lock:
            return await conn.wait(self._steps(conn, values, formats))

    def _steps(
        self, conn: psycopg.AsyncConnection[Any], values: Sequence[bytes | None], formats: Sequence[int] | None
    ) -> Generator[Any, Any, PGresult]:
        # psycopg's own list: it forgets all names when it deallocates all, as it does after a rollback.
        if conn.prepare_threshold is None:
            conn.pgconn.send_query_params(self._text, values, None, formats, self._results)
            return _checked((yield from generators.execute(conn.pgconn)))
        pgconn, known = conn.pgconn, conn._prepared._names  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        if self._key not in known:
            pgconn.send_prepare(self._name, self._text)
            _checked((yield from generators.execute(pgconn)))
            known[self._key] = self._name
        pgconn.send_query_prepared(self._name, values, formats, self._results)
        return _checked((yield from generators.execute(pgconn)))


def _value(value: str | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    encoded = value.encode()
    if 0 in encoded:  # libpq takes a text up to its first NUL: what follows would be lost in silence
        raise psycopg.DataError("PostgreSQL text can't hold a NUL character")
    return encoded


def _checked(results: Sequence[PGresult]) -> PGresult:
    result = results[-1]
    if result.status not in _WELL:
        raise error_from_result(result)
    return result
