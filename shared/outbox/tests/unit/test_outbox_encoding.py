"""Our record batches against aiokafka's own builder."""

from aiokafka.producer.message_accumulator import BatchBuilder
from hypothesis import example, given, settings
from hypothesis import strategies as st

from booking_outbox.encoding import VARINT, Batch, header

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
