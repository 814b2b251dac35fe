"""A record on its way: from columns to bytes, and Kafka's record batch, format 2, from bytes to bytes
(https://kafka.apache.org/documentation/#recordbatch).

aiokafka's builder takes headers as tuples, a dozen per event for the interpreter to make, read and collect. Here an
event's headers are joined once into their final form; that takes a quarter off the relay's time in Python. The result
is byte for byte what aiokafka would build (test_batch__is_what_aiokafka_builds).
"""

# pyright: reportMissingTypeStubs=false
import struct
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from aiokafka.record.util import calc_crc32c

from booking_contracts.event import schema_uri
from booking_contracts.topics import full_type

_UP_TO_CRC = struct.Struct(">qiibI")
_AFTER_CRC = struct.Struct(">hiqqqhii")
_AFTER_LENGTH = 12
_START = b"\x00\x00"  # a record's attributes (none are defined), and its time after the batch's
_NULL = b"\x01"
_CODECS = {"none": 0, "gzip": 1}  # the numbers in a batch's attributes
# Of zlib's levels: the higher ones take three times as long for a tenth less (python -m benchmarks.relay).
_LEVEL, _GZIP = 1, 31

Compression = Literal["none", "gzip"]


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


def header_name(name: str) -> bytes:
    """A header's name as it stands in a record."""
    return VARINT[len(name)] + name.encode("ascii")


def header(name: str, value: bytes) -> bytes:
    """One whole header."""
    return header_name(name) + VARINT[len(value)] + value


_ID, _SUBJECT = header_name("ce_id") + VARINT[36], header_name("ce_subject")  # an id is a UUID's 36 characters
_TIME, _SEQUENCE = header_name("ce_time"), header_name("ce_sequence")
_ACTOR, _CORRELATION = header_name("ce_actor"), header_name("ce_correlationid")
_CAUSATION, _TRACE = header_name("ce_causationid"), header_name("traceparent")
_FEWEST = 11  # five common ones and six of the event, without causation and trace


class Outgoing(NamedTuple):
    """``mark`` is the outbox row's id in text, as it came; ``more`` are further marks that the same record settles.

    ``headers`` is the whole block: their number, then each name and value.
    """

    mark: bytes
    key: bytes
    value: bytes | None
    headers: bytes
    more: Sequence[bytes] = ()


def outgoing(source: str, row: tuple[Any, ...], more: Sequence[bytes] = ()) -> Outgoing:
    """The record of a row that is a mark, a key, and `reading.EVENT_COLUMNS`; what is only passed on isn't parsed.

    The same headers as `booking_contracts.envelope.Envelope.headers` (test_record__is_what_the_contracts_decode). A
    null one is left out (K10: a null header kills some consumers' parsers).
    """
    mark, key, data, type_, type_version, id_, version, time, actor, correlation, causation, trace = row
    varint, number, optional = VARINT, _FEWEST, b""
    if causation is not None:
        number, optional = number + 1, _CAUSATION + varint[len(causation)] + causation
    if trace is not None:
        number, optional = number + 1, optional + _TRACE + varint[len(trace)] + trace
    time = time[:10] + b"T" + time[11:-3] + b"Z"  # PostgreSQL's UTC text (``2026-12-01 09:00:00.5+00``) as RFC 3339
    headers = (
        varint[number],
        _type_headers(source, type_, type_version),
        _ID,
        id_,
        _SUBJECT,
        varint[len(key)],
        key,
        _TIME,
        varint[len(time)],
        time,
        _SEQUENCE,
        varint[len(version)],
        version,
        _ACTOR,
        varint[len(actor)],
        actor,
        _CORRELATION,
        varint[len(correlation)],
        correlation,
        optional,
    )
    return Outgoing(mark, key, data, b"".join(headers), more)


@lru_cache(maxsize=1024)
def _type_headers(source: str, type_: bytes, type_version: bytes) -> bytes:
    """What all events of one type have in common."""
    name, version = type_.decode(), int(type_version)
    return b"".join(
        (
            header("content-type", b"application/json"),
            header("ce_specversion", b"1.0"),
            header("ce_source", source.encode()),
            header("ce_type", full_type(name, version).encode()),
            header("ce_dataschema", schema_uri(name, version).encode()),
        )
    )


class Batch:
    """Records of one partition, up to ``limit`` bytes (the first is taken whatever its size).

    It is what aiokafka's `send_batch` needs of a builder.
    """

    def __init__(self, limit: int, timestamp_ms: int, compression: Compression = "none") -> None:
        self._limit = limit
        self._compression: Compression = compression
        self._timestamp = timestamp_ms
        self._parts: list[bytes] = []
        self._size = _UP_TO_CRC.size + _AFTER_CRC.size
        self._count = 0
        self._built: bytearray | None = None

    def append(self, key: bytes, value: bytes | None, headers: bytes) -> bool:
        """Add a record with its headers block; False when the batch is full and the record wasn't added."""
        varint = VARINT
        body = b"".join(
            (
                _START,
                varint[self._count],
                varint[len(key)],
                key,
                _NULL if value is None else varint[len(value)],
                value or b"",
                headers,
            )
        )
        length = varint[len(body)]
        size = self._size + len(length) + len(body)
        if size > self._limit and self._count:
            return False
        self._parts += (length, body)
        self._size = size
        self._count += 1
        return True

    def build(self) -> bytearray:
        """The batch's bytes, made once. Without producer id and sequence: the relay's producer is not idempotent."""
        if self._built is None:
            last, stamp = self._count - 1, self._timestamp
            codec = _CODECS[self._compression]
            rest = _AFTER_CRC.pack(codec, last, stamp, stamp, -1, -1, 0, self._count)
            records = self._parts if not codec else (_gzipped(self._parts),)
            body = b"".join((rest, *records))
            self._parts.clear()
            length = _UP_TO_CRC.size + len(body) - _AFTER_LENGTH
            self._built = bytearray(_UP_TO_CRC.pack(0, length, -1, 2, calc_crc32c(body)))
            self._built += body
        return self._built

    # From here on: what aiokafka's accumulator and sender ask of a BatchBuilder.

    def record_count(self) -> int:
        """How many records."""
        return self._count

    def size(self) -> int:
        """Bytes so far."""
        return self._size

    def close(self) -> None:
        """Nothing is added by the producer itself: the relay submits full batches only."""

    def closed(self) -> bool:
        """Always: aiokafka then sends it without lingering."""
        return True

    _build = build


def _gzipped(parts: list[bytes]) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(b"".join(parts)) + packer.flush()
