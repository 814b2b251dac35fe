"""The bytes made at the append are a record of the same envelope and event, byte for byte as any client would write."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given, settings
from hypothesis import strategies as st

from booking_contracts.corpus import NAMES, golden
from booking_contracts.decode import Record, decode
from booking_contracts.envelope import Envelope, metadata, rfc3339, sampled
from booking_contracts.topics import topic_named
from booking_contracts.wire import VARINT, key_in, record

TRACES = st.none() | st.tuples(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 3)).map(
    lambda t: f"00-{t[0]:032x}-{t[1]:016x}-{t[2]:02x}"
)
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=60)
INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2999, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001
ENVELOPES = st.builds(
    Envelope,
    id=st.uuids(),
    source=st.just(""),
    type=st.just(""),
    subject=st.uuids().map(str),
    time=INSTANTS,
    sequence=st.integers(1, 2**31),
    actor=st.uuids().map("member:{}".format) | st.just("system"),
    causation_id=st.none() | TEXTS,
    correlation_id=TEXTS,
    traceparent=TRACES,
)


def _bytes(meta: Envelope, type_: str, version: int, value: bytes | None) -> bytes:
    traceparent = sampled(meta.traceparent)
    return record(
        meta.source,
        type_,
        version,
        key=meta.subject.encode(),
        value=value,
        event_id=str(meta.id).encode(),
        time=rfc3339(meta.time).encode(),
        sequence=str(meta.sequence).encode(),
        metadata=metadata(meta.actor, meta.correlation_id, meta.causation_id).encode(),
        traceparent=None if traceparent is None else traceparent.encode(),
    )


@settings(max_examples=300)
@given(
    name=st.sampled_from([name for name in NAMES if golden(name).topic != "booking.assessments.v1"]),
    drawn=ENVELOPES,
    tombstone=st.booleans(),
)
def test_record__is_what_aiokafka_writes_and_decodes_to_the_same_envelope_and_event(
    name: str, drawn: Envelope, tombstone: bool
):
    original = golden(name)
    topic, meta = topic_named(original.topic), decode(original).meta
    value = None if tombstone and topic.compacted else original.value
    subject = meta.subject if value is not None else drawn.subject
    drawn = replace(drawn, source=meta.source, type=meta.type, subject=subject)
    type_, _, version = name.rpartition(".v")
    ours = _bytes(drawn, type_, int(version), value)
    theirs = BatchBuilder(10_000_000, 0)
    theirs.append(timestamp=0, key=drawn.subject.encode(), value=value, headers=drawn.headers())
    batch = bytes(theirs._build())
    assert batch[61:] == VARINT[len(ours) + 3] + b"\0\0\0" + ours  # attributes, time and offset are the relay's
    assert key_in(ours).decode() == drawn.subject

    found: Any = MemoryRecords(batch).next_batch()
    read = next(iter(found))
    back = decode(Record(topic.name, 0, 0, read.key, read.value, tuple(read.headers), 0))
    assert back.event == (None if value is None else decode(original).event)
    assert back.meta == replace(drawn, traceparent=sampled(drawn.traceparent))


@pytest.mark.parametrize(
    ("traceparent", "kept"),
    [
        (None, False),
        ("00-" + "1" * 32 + "-" + "1" * 16 + "-00", False),
        ("00-" + "1" * 32 + "-" + "1" * 16 + "-03", True),
    ],
)
def test_traceparent__is_sent_only_where_its_trace_is_sampled(traceparent: str | None, kept: bool):
    meta = Envelope(uuid4(), "/s", "t", str(uuid4()), datetime.now(UTC), 1, "system", None, "c", traceparent)
    assert ("traceparent" in dict(meta.headers())) is kept


def test_metadata_with_a_nul_are_refused_before_they_are_stored():
    assert metadata("system", "\\u0000") == '{"actor":"system","correlation_id":"\\\\u0000"}'
    with pytest.raises(ValueError, match="NUL"):
        metadata("system", "c", "a\x00")
