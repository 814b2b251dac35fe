"""Kafka's record batch, format 2, of records whose bytes are there (https://kafka.apache.org/documentation/#recordbatch).

A record's key, value and headers were joined once, at the append (`booking_contracts.wire`). What the relay adds is a
length, the time and the offset within the batch, and the batch's head. The result is byte for byte what aiokafka would
build (test_batch__is_what_aiokafka_builds).
"""

# pyright: reportMissingTypeStubs=false
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, cast

import cramjam
from aiokafka.record.util import calc_crc32c

from booking_contracts import wire
from booking_contracts.envelope import sampled
from booking_contracts.wire import VARINT

_UP_TO_CRC = struct.Struct(">qiibI")
_AFTER_CRC = struct.Struct(">hiqqqhii")
_AFTER_LENGTH = 12
_ATTRIBUTES = b"\x00"  # of a record: none are defined
# Of both codecs the lowest level: the higher ones take up to three times as long for a tenth less.
_LEVEL, _GZIP = 1, 31

Compression = Literal["none", "gzip", "zstd"]


class Outgoing(NamedTuple):
    """``mark`` is the outbox row's id in text, as it came; ``more`` are further marks that the same record settles.

    ``record`` are its bytes from the key on; ``at`` is when the store committed to it, in milliseconds since 1970.
    """

    mark: bytes
    record: bytes
    at: int
    more: Sequence[bytes] = ()

    @property
    def key(self) -> bytes:
        """The record's key."""
        return wire.key_in(self.record)


def outgoing(source: str, row: tuple[Any, ...], more: Sequence[bytes] = ()) -> Outgoing:
    """The record of a row that is a mark, a key, and `reading.EVENT_COLUMNS`, byte for byte as the append makes it."""
    mark, key, data, type_, type_version, id_, version, time, metadata, trace, at = row
    record = wire.record(
        source,
        type_.decode(),
        int(type_version),
        key=key,
        value=data,
        event_id=id_,
        time=time[:10] + b"T" + time[11:-3] + b"Z",  # PostgreSQL's UTC text, ``2026-12-01 09:00:00.5+00``
        sequence=version,
        metadata=metadata,
        traceparent=trace if trace and sampled(trace.decode()) else None,
    )
    return Outgoing(mark, record, int(at), more)


def _gzipped(records: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(records) + packer.flush()


def _zstandard(records: bytes) -> bytes:
    return bytes(cramjam.zstd.compress(records, level=_LEVEL))


_CODECS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "none": (0, bytes),
    "gzip": (1, _gzipped),
    "zstd": (4, _zstandard),
}
"""Each one's number in a batch's attributes, and its packer."""


def codec(name: str | None) -> Compression:
    """The compression of that name, none where none is named; ValueError for one that the relay can't make."""
    if (name or "none") not in _CODECS:
        raise ValueError(f"compression_type is one of {', '.join(_CODECS)}, not {name}")
    return cast("Compression", name or "none")


class Batch:
    """Records of one partition, up to ``limit`` bytes (the first is taken whatever its size).

    It is what aiokafka's `send_batch` needs of a builder.
    """

    def __init__(self, limit: int, compression: Compression = "none") -> None:
        self._limit = limit
        self._compression: Compression = compression
        self._first = self._latest = 0
        self._parts: list[bytes] = []
        self._size = _UP_TO_CRC.size + _AFTER_CRC.size
        self._count = 0
        self._built: bytearray | None = None

    def fill(self, records: Sequence[Outgoing], start: int, now: int) -> int:
        """Add the records from ``start`` on until the batch is full; the place of the first that wasn't added.

        A record is never of a later time than ``now``.
        """
        varint, add = VARINT, self._parts.append
        limit, size, count, first, latest = self._limit, self._size, self._count, self._first, self._latest
        place = start
        for place in range(start, len(records)):
            _, record, at, _ = records[place]
            at = min(at, now)
            if not count:
                first = latest = at
            head = _ATTRIBUTES + varint[at - first] + varint[count]
            length = len(head) + len(record)
            head = varint[length] + head
            if (grown := size + len(head) + len(record)) > limit and count:
                break
            add(head)
            add(record)
            latest = max(latest, at)
            size = grown
            count += 1
        else:
            place = len(records)
        self._size, self._count, self._first, self._latest = size, count, first, latest
        return place

    def build(self) -> bytearray:
        """The batch's bytes, made once. Without producer id and sequence: the relay's producer is not idempotent."""
        if self._built is None:
            number, packed = _CODECS[self._compression]
            rest = _AFTER_CRC.pack(number, self._count - 1, self._first, self._latest, -1, -1, 0, self._count)
            body = rest + packed(b"".join(self._parts)) if number else b"".join((rest, *self._parts))
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
