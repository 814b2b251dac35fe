"""Our record batches against aiokafka's own builder."""

from typing import Any

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import example, given, settings
from hypothesis import strategies as st

from booking_outbox import Relay
from booking_outbox._encoding import VARINT, Batch, header

NOW = 1_795_370_000_000
NAMES = st.sampled_from(["ce_id", "traceparent", "content-type", "x" * 70])
RECORDS = st.lists(
    st.tuples(
        st.binary(max_size=100),
        st.none() | st.binary(max_size=300) | st.integers(0, 20_000).map(lambda n: b"x" * n),
        st.lists(st.tuples(NAMES, st.binary(max_size=200)), max_size=15),
    ),
    min_size=1,
    max_size=80,
)


def _block(headers: list[tuple[str, bytes]]) -> bytes:
    return VARINT[len(headers)] + b"".join(header(name, value) for name, value in headers)


@settings(deadline=None)
@given(RECORDS)
@example([(b"k", b"v", [])] * 200)
@example([(b"k", b"v" * 512 * 1024, [("ce_id", b"1")])])
def test_batch__is_what_aiokafka_builds(records):
    ours, theirs = Batch(10_000_000, NOW), BatchBuilder(10_000_000, 0)
    for key, value, headers in records:
        assert ours.append(key, value, _block(headers))
        theirs.append(timestamp=NOW, key=key, value=value, headers=headers)
    assert ours.size() == theirs.size()
    assert bytes(ours.build()) == bytes(theirs._build())
    assert ours.record_count() == theirs.record_count()


@settings(deadline=None)
@given(st.integers(500, 5_000), st.lists(st.integers(0, 400), min_size=30))
def test_full_batch__stays_within_its_limit_and_says_so(limit, sizes):
    batch = Batch(limit, NOW)
    added = [batch.append(b"k", b"v" * size, _block([])) for size in sizes]
    assert batch.record_count() == sum(added)
    assert len(batch.build()) == batch.size() <= limit


def test_first_record__is_taken_whatever_its_size():
    batch = Batch(100, NOW)
    assert batch.append(b"k", b"v" * 1000, _block([]))
    assert not batch.append(b"k", b"", _block([]))


@settings(deadline=None)
@given(RECORDS)
@example([(b"k", b"v" * 512 * 1024, [("ce_id", b"1")])])
def test_compressed_batch__is_read_as_the_same_records(records):
    """By aiokafka, whose reader is that of every consumer of ours; the checksum is of the packed bytes."""
    batch = Batch(10_000_000, NOW, "gzip")
    for key, value, headers in records:
        assert batch.append(key, value, _block(headers))
    read: Any = MemoryRecords(bytes(batch.build())).next_batch()
    assert read is not None
    assert read.compression_type == 1
    assert read.validate_crc()
    assert [(r.key, r.value, list(r.headers)) for r in read] == records


def test_compressed_batch_of_events__is_a_third_of_their_size():
    """Which is why it is the default: event topics are kept for ever."""
    plain, packed = Batch(900_000, NOW), Batch(900_000, NOW, "gzip")
    for number in range(100):
        value = b'{"session_id":"%036d","transaction_id":"%036d","status":"scheduled","timezone":"Asia/Jakarta"}'
        block = _block([("ce_source", b"/booking/consultation"), ("ce_type", b"com.booking.session.scheduled.v1")])
        for batch in (plain, packed):
            batch.append(b"%036d" % number, value % (number, number), block)
    assert len(packed.build()) < len(plain.build()) / 3


@pytest.mark.parametrize("codec", ["lz4", "zstd", "snappy", "GZIP"])
def test_codec_that_consumers_cannot_read__is_refused_at_once(codec):
    with pytest.raises(ValueError, match="none or gzip"):
        Relay(
            database_url="postgresql://nobody@127.0.0.1:1/none",
            bootstrap="127.0.0.1:1",
            topics=[],
            lock_name="sample",
            kafka_options={"compression_type": codec},
        )
