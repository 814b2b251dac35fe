"""One statement, prepared by name and sent through libpq as it is: text in, text out, one round trip.

psycopg's cursor looks up type, adapter and format of every value at each call, prepares a statement per combination of
types (smallint or bigint, uuid or unknown for a null), and makes an object of each column. A command's parameters have
their casts in the SQL: none of that is needed (docs/benchmarks.md says what it costs). Waiting, locking, cancelling and
errors remain psycopg's own.
"""

import hashlib
from collections.abc import Callable, Generator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

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


def to_text(value: object) -> str | None:
    """The text of a value; lists become arrays. Raises TypeError for what has no plain text (pass JSON as a string)."""
    if value is None or type(value) is str:
        return value
    text = _TEXTS.get(type(value))
    if text is not None:
        return text(value)
    # A subclass; bool and datetime stand in the table before int and date, whose subclasses they are.
    for kind, text in _TEXTS.items():
        if isinstance(value, kind):
            return text(value)
    raise TypeError(f"{type(value).__name__} can't be a parameter of an append.sql: give its text and cast it there")


def text_array(values: Sequence[str]) -> str:
    """An array literal of strings, each quoted (quotes and backslashes are all that quoting has to escape)."""
    return "{" + ",".join('"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values) + "}"


def _instant(value: datetime) -> str:
    if value.tzinfo is None:
        raise TypeError("an instant needs its zone: PostgreSQL would take the session's")
    return value.isoformat()


def _array(values: Sequence[Any]) -> str:
    if all(type(v) is str for v in values):
        return text_array(values)
    return "{" + ",".join("NULL" if v is None else '"' + _element(v) + '"' for v in values) + "}"


def _element(value: Any) -> str:
    return (to_text(value) or "").replace("\\", "\\\\").replace('"', '\\"')


_TEXTS: dict[type, Callable[[Any], str]] = {
    str: str.__str__,  # an enum's own str() would be its name
    bool: lambda value: "t" if value else "f",
    UUID: str,
    int: str,
    Decimal: str,
    datetime: _instant,
    date: date.isoformat,
    time: time.isoformat,
    bytes: lambda value: "\\x" + value.hex(),
    **dict.fromkeys((list, tuple, set, frozenset), lambda values: _array(tuple(values))),
}
"""By the value's own type: a command has fifty parameters, and asking each for every kind took a third longer."""
