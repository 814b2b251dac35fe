"""Kafka's record batch, format 2, from bytes to bytes (https://kafka.apache.org/documentation/#recordbatch).

aiokafka's builder takes headers as tuples, a dozen per event for the interpreter to make, read and collect. Here an
event's headers are joined once into their final form; that takes a quarter off the relay's time in Python. The result
is byte for byte what aiokafka would build (test_batch__is_what_aiokafka_builds).
"""

# pyright: reportMissingTypeStubs=false
import struct
import zlib
from typing import Literal

from aiokafka.record.util import calc_crc32c

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
            batch = bytearray().join((bytes(_UP_TO_CRC.size), rest, *records))
            self._parts.clear()
            crc = calc_crc32c(memoryview(batch)[_UP_TO_CRC.size :])  # pyright: ignore[reportArgumentType]
            _UP_TO_CRC.pack_into(batch, 0, 0, len(batch) - _AFTER_LENGTH, -1, 2, crc)
            self._built = batch
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
