"""An event as a record in Kafka's log, from the record's key on: key, value, headers
(https://kafka.apache.org/documentation/#record).

These bytes are made once, when the event is appended, and kept with its mark: the relay only frames them. Whoever
publishes again makes the same bytes by the same function (test_republish__sends_the_bytes_of_the_append). What they say
is the envelope's affair: `booking_contracts.envelope.Envelope.headers` has the same headers in the same order.
"""

from functools import lru_cache

from booking_contracts.envelope import JSON
from booking_contracts.topics import full_type

_NULL = b"\x01"
_FEWEST = 8  # headers; a sampled trace is one more


class _Varints(dict[int, bytes]):
    """Zigzag varints by their number, each made once: lengths repeat."""

    def __missing__(self, number: int) -> bytes:
        rest, out = (number << 1) ^ (number >> 63), bytearray()
        while rest > 0x7F:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
        encoded = bytes(out)
        if len(self) < 65_536:
            self[number] = encoded
        return encoded


VARINT = _Varints()


def _name(name: str) -> bytes:
    return VARINT[len(name)] + name.encode("ascii")


def header(name: str, value: bytes) -> bytes:
    """One whole header."""
    return _name(name) + VARINT[len(value)] + value


_ID, _TIME, _SEQUENCE = _name("ce_id") + VARINT[36], _name("ce_time"), _name("ce_sequence")
_METADATA, _TRACE = _name("ce_metadata"), _name("traceparent")


def record(
    source: str,
    type_: str,
    type_version: int,
    *,
    key: bytes,
    value: bytes | None,
    event_id: bytes,
    time: bytes,
    sequence: bytes,
    metadata: bytes,
    traceparent: bytes | None,
) -> bytes:
    """The record's bytes. Texts come as they are sent: UUIDs in 36 small characters, ``time`` as `rfc3339` gives it,
    ``traceparent`` of a sampled trace alone. KeyError for a type that is no event of this language.
    """
    varint = VARINT
    return b"".join(
        (
            varint[len(key)],
            key,
            _NULL if value is None else varint[len(value)],
            value or b"",
            _of_type(source, type_, type_version, traceparent is not None),
            _ID,
            event_id,
            _TIME,
            varint[len(time)],
            time,
            _SEQUENCE,
            varint[len(sequence)],
            sequence,
            _METADATA,
            varint[len(metadata)],
            metadata,
            b"" if traceparent is None else _TRACE + varint[len(traceparent)] + traceparent,
        )
    )


@lru_cache(maxsize=1024)
def _of_type(source: str, type_: str, type_version: int, traced: bool) -> bytes:
    """How many headers, and those that all events of one type have in common."""
    return b"".join(
        (
            VARINT[_FEWEST + traced],
            header("content-type", JSON.encode()),
            header("ce_specversion", b"1.0"),
            header("ce_source", source.encode()),
            header("ce_type", full_type(type_, type_version).encode()),
        )
    )


def key_in(record: bytes) -> bytes:
    """The key of such a record whose key is a UUID."""
    return record[1:37]
