"""The whole service (`all`) on a real broker: events in, commands, events out."""

import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from services.consultation.tests.rig import Rig, Sold, rig_of, schedule, settings
from tests.rigs.records import record_of
from tests.rigs.waiting import until

from booking_contracts.assessments import AssessmentCompleted
from booking_contracts.deadlines import connected
from booking_contracts.decode import Decoded, Record, decode
from booking_contracts.ids import partition_of
from booking_contracts.sessions import SessionState
from booking_contracts.topics import (
    ASSESSMENTS,
    CONTACTS,
    PRACTITIONERS,
    SESSION_STATES,
    SESSIONS,
    TRANSACTIONS,
    Topic,
)
from consultation.entitlements import told

pytestmark = pytest.mark.servers


@pytest.fixture
async def running(fresh_database, kafka) -> AsyncGenerator[tuple[Rig, str]]:
    prefix = kafka.prefix()
    kafka.create_topics(prefix)
    made = settings(fresh_database("consultation"), bootstrap=kafka.bootstrap, prefix=prefix)
    async with rig_of(made, mode="all") as rig:
        yield rig, prefix


async def send(bootstrap: str, prefix: str, *records: Record) -> None:
    """The records as other services' relays send them."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=False)
    async with connected(producer):
        for record in records:
            partition = partition_of(record.key or b"", 6)
            await producer.send_and_wait(
                prefix + record.topic, record.value, key=record.key, partition=partition, headers=list(record.headers)
            )


def _record(topic: Topic, message: Any) -> Record:
    headers = tuple(message.headers)
    return Record(topic.name, message.partition, message.offset, message.key, message.value, headers, message.timestamp)


async def published(bootstrap: str, prefix: str, topic: Topic, key: str, last: int) -> list[Decoded]:
    """The records of a key, up to the one of version `last`."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    async with connected(consumer):
        partition = TopicPartition(prefix + topic.name, partition_of(key.encode(), 6))
        consumer.assign([partition])
        found: list[Decoded] = []

        async def enough() -> bool:
            messages = (await consumer.getmany(timeout_ms=200)).get(partition, [])
            found.extend(decode(_record(topic, message)) for message in messages if message.key == key.encode())
            return any(dict(one.record.headers)["ce_sequence"] == str(last).encode() for one in found)

        await until(enough)
        return found


async def test_sales_told_before_their_product_was_kept__get_it_from_the_topic(fresh_database, kafka):
    """A row of an older release: its record is taken no second time, but read once more at the next start."""
    prefix = kafka.prefix()
    kafka.create_topics(prefix)
    made = settings(fresh_database("consultation"), bootstrap=kafka.bootstrap, prefix=prefix)
    sold, product = Sold(), "SELECT product_name, duration_minutes FROM entitlement"
    events = [sold.created(), sold.assigned(), sold.paid()]
    async with rig_of(made, mode="all") as rig:
        records = [record_of(TRANSACTIONS, sold.id, event, version) for version, event in enumerate(events, 1)]
        await send(kafka.bootstrap, prefix, *records)
        await until(lambda: rig.rows("SELECT 1 FROM entitlement WHERE status = 'paid'"))
        assert await rig.rows(product) == [("Konseling", 60)]
        await rig.rows("UPDATE entitlement SET product_name = NULL, duration_minutes = NULL")

    async with rig_of(made, mode="all") as rig:

        async def filled() -> bool:
            return await rig.rows(product) == [("Konseling", 60)]

        await until(filled)
        assert await rig.rows("SELECT status, version FROM entitlement") == [("paid", 3)]


async def test_sale_from_kafka__a_request_waits_for_it_and_its_events_go_out(running, kafka):
    """R1, R3: a request that comes before the payment's event waits; what is committed goes out in order."""
    rig, prefix = running
    sold = Sold(practitioner=uuid4())
    events = [sold.created(), sold.assigned(), sold.paid()]
    await send(
        kafka.bootstrap,
        prefix,
        *[record_of(TRANSACTIONS, sold.id, event, n) for n, event in enumerate(events, start=1)],
    )
    session = await rig.member_of(sold).post("/v1/sessions?wait=10", {"transaction_id": str(sold.id)})
    assert session.status_code == 201, session.text
    id_ = session.json()["id"]
    done = await rig.practitioner_of(sold).post(f"/v1/sessions/{id_}/schedule", schedule())
    assert done.status_code == 200, done.text
    decoded = await published(kafka.bootstrap, prefix, SESSIONS, id_, 2)
    assert [(d.meta.sequence, d.meta.type.split(".")[-2]) for d in decoded] == [
        (1, "ScheduleRequested"),
        (2, "SessionScheduled"),
    ]
    assert decoded[0].meta.actor == f"member:{sold.member}"
    assert decoded[1].meta.actor == f"practitioner:{sold.practitioner}"
    state = (await published(kafka.bootstrap, prefix, SESSION_STATES, id_, 2))[-1]
    assert isinstance(state.event, SessionState)
    assert (state.event.status, state.event.meeting_host) == ("scheduled", "meet.google.com")
    assert (state.meta.actor, state.meta.correlation_id) == (decoded[1].meta.actor, decoded[1].meta.correlation_id)
    assert (state.meta.causation_id, state.meta.time) == (str(decoded[1].meta.id), decoded[1].meta.time)


async def test_assessment_from_kafka__with_an_agents_headers_and_in_capitals_is_the_members_to_name(running, kafka):
    """R1: what a tracing agent adds, or how a platform spells a UUID, takes nobody's assessment away."""
    rig, prefix = running
    sold, assessment = Sold(), uuid4()
    capitals = str(assessment).upper().encode()
    value = {
        "assessment_id": capitals.decode(),
        "user_id": str(sold.member).upper(),
        "completed_at": "2026-11-20T08:00:00Z",
    }
    headers: list[tuple[str, Any]] = [
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_id", b"01JDXN6QZC4P7B9M3R8T5V2W0Y"),
        ("ce_source", b"/booking/assessment-service"),
        ("ce_type", b"com.booking.assessments.AssessmentCompleted.v1"),
        ("ce_time", b"2026-11-20T08:00:00Z"),
        ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203332-01"),
        ("dd-pathway-ctx", b"\x5e\x45\x09\xf5\xae"),
        ("x-any", None),
    ]
    events = [sold.created(), sold.assigned(), sold.paid()]
    await send(
        kafka.bootstrap,
        prefix,
        *[record_of(TRANSACTIONS, sold.id, event, n) for n, event in enumerate(events, start=1)],
        Record(ASSESSMENTS.name, 0, 0, capitals, json.dumps(value).encode(), tuple(headers), 0),
    )
    body = {"transaction_id": str(sold.id), "assessment_id": str(assessment)}
    session = await rig.member_of(sold).post("/v1/sessions?wait=10", body)
    assert session.status_code == 201, session.text


async def test_contact_and_profile_from_kafka__are_shown_and_their_tombstone_erases(running, kafka):
    """E4: names come with the directory's topics and go with the tombstone."""
    rig, prefix = running
    from booking_contracts.directory import PersonContact, PractitionerProfile

    sold = Sold()
    events = [sold.created(), sold.assigned(), sold.paid()]
    contact = PersonContact(person_id=sold.member, name="Sri", phone=None, locale="id", timezone="Asia/Jakarta")
    profile = PractitionerProfile(
        id=sold.practitioner, name="Budi", tiers=("gold",), timezone="Asia/Makassar", active=True
    )
    await send(
        kafka.bootstrap,
        prefix,
        *[record_of(TRANSACTIONS, sold.id, event, n) for n, event in enumerate(events, start=1)],
        record_of(CONTACTS, sold.member, contact, 1),
        record_of(PRACTITIONERS, sold.practitioner, profile, 1),
    )
    member = rig.member_of(sold)
    answer = await member.post("/v1/sessions?wait=10", {"transaction_id": str(sold.id)})
    path = f"/v1/sessions/{answer.json()['id']}"

    async def named() -> bool:
        shown = (await member.get(path)).json()
        return (shown["member_name"], shown["practitioner_name"]) == ("Sri", "Budi")

    await until(named)
    await send(kafka.bootstrap, prefix, record_of(CONTACTS, sold.member, None, 2, of=PersonContact))

    async def erased() -> bool:
        shown = (await member.get(path)).json()
        return shown["member_name"] is None and shown["erased"] == ["member_name"]

    await until(erased)


async def test_assessment_by_http__is_on_its_topic_once_and_what_the_topic_tells_is_not_sent_again(running, kafka):
    """R1: whoever reads the topic has them all; our own record, read back, changes nothing."""
    rig, prefix = running
    member, mine, theirs = uuid4(), uuid4(), uuid4()
    service, path = rig.caller("service"), f"/v1/assessments/{mine}"
    for at in ("2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z", "2026-11-21T08:00:00Z"):
        answer = await service.put(path, {"user_id": str(member), "completed_at": at})
        assert answer.status_code in {200, 201}, answer.text
    value = {"assessment_id": str(theirs), "user_id": str(member), "completed_at": "2026-11-22T08:00:00Z"}
    headers: list[tuple[str, Any]] = [
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_source", b"/booking/assessments"),
        ("ce_type", b"com.booking.assessments.AssessmentCompleted.v1"),
        ("ce_id", b"42"),
        ("ce_time", b"2026-11-22T08:00:00Z"),
    ]
    written = Record(ASSESSMENTS.name, 0, 0, str(theirs).encode(), json.dumps(value).encode(), tuple(headers), 0)
    await send(kafka.bootstrap, prefix, written)
    sent = await published(kafka.bootstrap, prefix, ASSESSMENTS, str(mine), 2)
    assert {one.meta.source for one in sent} == {"/booking/assessments/consultation"}
    assert {one.meta.actor for one in sent} == {f"service:{service.id}"}
    ids = [one.meta.id for one in sent]
    assert len(set(ids)) == len(ids)
    last = sent[-1].event
    assert isinstance(last, AssessmentCompleted)
    assert (last.user_id, last.completed_at.day) == (member, 21)

    async def read_back() -> bool:
        taken = await rig.rows("SELECT key FROM inbox WHERE topic = %s", ASSESSMENTS.name)
        return {key for (key,) in taken} == {str(mine), str(theirs)}

    await until(read_back)
    kept = await rig.rows("SELECT id, version FROM assessment ORDER BY version DESC")
    assert kept == [(mine, 2), (theirs, 1)]
    assert await rig.rows("SELECT id FROM told_assessment") == [(mine,)]


async def test_assessment__our_own_record_of_before_does_not_undo_what_was_told_since(fresh_database):
    """R1: it was on its way when HTTP told more."""
    async with rig_of(settings(fresh_database("consultation"))) as rig:
        member, id_ = uuid4(), uuid4()
        service, path = rig.caller("service"), f"/v1/assessments/{id_}"
        for day in (20, 20, 21):
            await service.put(path, {"user_id": str(member), "completed_at": f"2026-11-{day}T08:00:00Z"})
        old = AssessmentCompleted(assessment_id=id_, user_id=member, completed_at=datetime(2026, 11, 20, 8, tzinfo=UTC))
        record = record_of(ASSESSMENTS, id_, old, 1)
        ours = [
            (name, b"/booking/assessments/consultation" if name == "ce_source" else value)
            for name, value in record.headers
        ]
        await rig.take(replace(record, headers=tuple(ours)))
        kept = await rig.rows("SELECT version, extract(day FROM completed_at AT TIME ZONE 'UTC')::int FROM assessment")
        assert kept == [(2, 21)]
        await rig.take(record)  # the assessment service's own word counts
        assert await rig.rows("SELECT version FROM assessment") == [(3,)]
        assert await rig.rows("SELECT key FROM outbox WHERE topic = %s", ASSESSMENTS.name) == [(str(id_),)] * 2
        again = await rig.rows(told.PUBLISHED.all_keys)
        assert again == []
