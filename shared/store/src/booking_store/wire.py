"""Parameters as PostgreSQL's text format.

psycopg would choose a type by each value (smallint or bigint, uuid or unknown for a null) and prepare one statement per
combination; its array dumper is slow besides. As text every parameter has the type its cast in the SQL says, so that
one prepared statement serves every call.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID


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
