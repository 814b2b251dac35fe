"""Parameters as PostgreSQL's text format.

psycopg would choose a type by each value (smallint or bigint, uuid or unknown for a null) and prepare one statement per
combination; its array dumper is slow besides. As text every parameter has the type its cast in the SQL says, so that
one prepared statement serves every call.
"""

from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID


def to_text(value: Any) -> str | None:  # noqa: PLR0911 - a line per kind
    """The text of a value; lists become arrays. Raises TypeError for what has no plain text (pass JSON as a string)."""
    match value:
        case None | str():
            return value
        case bool():
            return "t" if value else "f"
        case UUID() | int() | Decimal():
            return str(value)
        case datetime():
            return _instant(value)
        case date() | time():
            return value.isoformat()
        case bytes():
            return "\\x" + value.hex()
        case list() | tuple() | set() | frozenset():
            return _array(tuple(value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        case _:
            raise TypeError(
                f"{type(value).__name__} can't be a parameter of an append.sql: give its text and cast it there"
            )


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
