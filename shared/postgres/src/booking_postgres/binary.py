"""Values in PostgreSQL's binary format, by the types that a statement's casts declare.

Text costs on both sides: four instants alone were a seventh of a command's parameters. The formats are those of the
types' `*_recv` functions (`src/backend/utils/adt`); all numbers are big-endian.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from operator import attrgetter
from typing import Any, Final

Encode = Callable[[Any], bytes]

_INT2, _INT4, _INT8 = struct.Struct(">h"), struct.Struct(">i"), struct.Struct(">q")
_EMPTY, _ARRAY = struct.Struct(">iii"), struct.Struct(">iiiii")
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_FIRST_DAY: Final = date(2000, 1, 1).toordinal()


def _instant(value: datetime) -> bytes:
    since = value - _EPOCH  # TypeError for one without a zone: whose would it be?
    return _INT8.pack((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def _day(value: date) -> bytes:
    return _INT4.pack(value.toordinal() - _FIRST_DAY)


def _time_of_day(value: time) -> bytes:
    return _INT8.pack(((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond)


def _array(number: int, encode: Encode) -> Encode:
    """One dimension, without nulls; ``number`` is the element type's in `pg_type`."""

    def array(values: Sequence[Any]) -> bytes:
        if not values:
            return _EMPTY.pack(0, 0, number)
        parts = [_ARRAY.pack(1, 0, number, len(values), 1)]
        for value in values:
            encoded = encode(value)
            parts += (_INT4.pack(len(encoded)), encoded)
        return b"".join(parts)

    return array


_uuid: Encode = attrgetter("bytes")

# PostgreSQL itself refuses a text that holds a NUL character, as DataError. bytes() would make zeros of a number.
_ENCODE: Final[Mapping[str, Encode]] = {
    "text": str.encode,
    "json": str.encode,
    "jsonb": lambda value: b"\x01" + str.encode(value),
    "uuid": _uuid,
    "boolean": {True: b"\x01", False: b"\x00"}.__getitem__,
    "smallint": _INT2.pack,
    "int": _INT4.pack,
    "bigint": _INT8.pack,
    "timestamptz": _instant,
    "date": _day,
    "time": _time_of_day,
    "bytea": b"".__add__,
    "text[]": _array(25, str.encode),
    "json[]": _array(114, str.encode),
    "uuid[]": _array(2950, _uuid),
    "smallint[]": _array(21, _INT2.pack),
    "bytea[]": _array(17, b"".__add__),
}


class Binary:
    """The encoder of one statement's parameters: their types by name, in their order (KeyError for an unknown type)."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = dict(types)
        self._encode = [(name, _ENCODE[type_]) for name, type_ in types.items()]

    def __call__(self, values: Mapping[str, Any]) -> list[bytes | None]:
        """The values of these names. TypeError for one that is not of its type, KeyError for a name that is missing."""
        try:
            return [None if (value := values[name]) is None else encode(value) for name, encode in self._encode]
        except (TypeError, AttributeError, struct.error, KeyError) as error:
            for name, encode in self._encode:
                if (value := values[name]) is None:
                    continue
                try:
                    encode(value)
                except (TypeError, AttributeError, struct.error, KeyError):
                    raise TypeError(f"{name}: {value!r:.80} is no {self._types[name]}") from error
            raise
