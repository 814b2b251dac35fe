"""Our record batches against aiokafka's own builder."""

from typing import Any

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import example, given, settings
from hypothesis import strategies as st

from booking_contracts.wire import VARINT, header
from booking_outbox import Relay
from booking_outbox._encoding import Batch, Compression, Outgoing

NOW = 1_795_370_000_000
LATER = NOW + 10**13
NAMES = st.sampled_from(["ce_id", "traceparent", "content-type", "x" * 70])
RECORDS = st.lists(
    st.tuples(
        st.binary(max_size=100),
        st.none() | st.binary(max_size=300) | st.integers(0, 20_000).map(lambda n: b"x" * n),
        st.lists(st.tuples(NAMES, st.binary(max_size=200)), max_size=15),
        st.integers(-(10**6), 10**12),
    ),
    min_size=1,
    max_size=80,
)


def _record(key: bytes, value: bytes | None, headers: list[tuple[str, bytes]]) -> bytes:
    block = VARINT[len(headers)] + b"".join(header(name, value) for name, value in headers)
    return VARINT[len(key)] + key + (b"\x01" if value is None else VARINT[len(value)] + value) + block


def _taken(batch: Batch, records: list[tuple[bytes, int]]) -> int:
    return batch.fill([Outgoing(b"1", record, at) for record, at in records], 0, LATER)


@settings(deadline=None)
@given(RECORDS)
@example([(b"k", b"v", [], 0)] * 200)
@example([(b"k", b"v" * 512 * 1024, [("ce_id", b"1")], 7)])
@example([(b"k", b"v", [], 5), (b"k", b"v", [], -5)])
def test_batch__is_what_aiokafka_builds(records):
    ours, theirs = Batch(10_000_000), BatchBuilder(10_000_000, 0)
    made = [(_record(key, value, headers), NOW + later) for key, value, headers, later in records]
    assert _taken(ours, made) == len(records)
    for key, value, headers, later in records:
        theirs.append(timestamp=NOW + later, key=key, value=value, headers=headers)
    assert ours.size() == theirs.size()
    assert bytes(ours.build()) == bytes(theirs._build())
    assert ours.record_count() == theirs.record_count()


@settings(deadline=None)
@given(st.integers(500, 5_000), st.lists(st.integers(0, 400), min_size=30))
def test_full_batch__stays_within_its_limit_and_says_so(limit, sizes):
    batch = Batch(limit)
    records = [(_record(b"k", b"v" * size, []), NOW) for size in sizes]
    taken = _taken(batch, records)
    assert batch.record_count() == taken
    assert len(batch.build()) == batch.size() <= limit
    if taken < len(records):
        more = Batch(10 * limit)
        _taken(more, records[: taken + 1])
        assert more.size() > limit, "the next one had no room"


def test_first_record__is_taken_whatever_its_size():
    batch = Batch(100)
    assert _taken(batch, [(_record(b"k", b"v" * 1000, []), NOW), (_record(b"k", b"", []), NOW)]) == 1
    assert batch.record_count() == 1


def test_filling__goes_on_where_it_is_told_to():
    records = [Outgoing(b"1", _record(b"k%d" % n, b"v", []), NOW) for n in range(5)]
    batch = Batch(10_000)
    assert batch.fill(records, 3, LATER) == 5
    read: Any = MemoryRecords(bytes(batch.build())).next_batch()
    assert [r.key for r in read] == [b"k3", b"k4"]


def test_time_that_has_not_come__is_now():
    batch = Batch(10_000)
    records = [Outgoing(b"1", _record(b"k", b"v", []), at) for at in (NOW - 5, NOW + 5, NOW - 7)]
    batch.fill(records, 0, NOW)
    read: Any = MemoryRecords(bytes(batch.build())).next_batch()
    assert [r.timestamp for r in read] == [NOW - 5, NOW, NOW - 7]


@pytest.mark.parametrize(("compression", "number"), [("gzip", 1), ("zstd", 4)])
@settings(deadline=None)
@given(RECORDS)
@example([(b"k", b"v" * 512 * 1024, [("ce_id", b"1")], 0)])
def test_compressed_batch__is_read_as_the_same_records(compression: Compression, number: int, records):
    """By aiokafka, whose reader is that of every consumer of ours; the checksum is of the packed bytes."""
    batch = Batch(10_000_000, compression)
    made = [(_record(key, value, headers), NOW + later) for key, value, headers, later in records]
    assert _taken(batch, made) == len(records)
    read: Any = MemoryRecords(bytes(batch.build())).next_batch()
    assert read is not None
    assert read.compression_type == number
    assert read.validate_crc()
    assert [(r.key, r.value, list(r.headers), r.timestamp - NOW) for r in read] == records


def test_compressed_batch_of_events__is_a_third_of_their_size():
    """Which is why it is the default: event topics are kept for ever."""
    value = b'{"session_id":"%036d","transaction_id":"%036d","status":"scheduled","timezone":"Asia/Jakarta"}'
    headers = [("ce_source", b"/booking/consultation"), ("ce_type", b"com.booking.session.scheduled.v1")]
    records = [(_record(b"%036d" % number, value % (number, number), headers), NOW) for number in range(100)]
    sizes: dict[Compression, int] = {}
    for compression in ("none", "gzip", "zstd"):
        batch = Batch(900_000, compression)
        _taken(batch, records)
        sizes[compression] = len(batch.build())
    assert sizes["zstd"] < sizes["gzip"] < sizes["none"] / 3


@pytest.mark.parametrize("codec", ["lz4", "snappy", "GZIP", "zstandard"])
def test_codec_that_the_relay_cannot_make__is_refused_at_once(codec):
    with pytest.raises(ValueError, match="one of none, gzip, zstd, not "):
        Relay(
            database_url="postgresql://nobody@127.0.0.1:1/none",
            bootstrap="127.0.0.1:1",
            topics=[],
            lock_name="sample",
            kafka_options={"compression_type": codec},
        )
