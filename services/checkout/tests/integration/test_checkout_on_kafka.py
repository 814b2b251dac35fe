"""The whole process on real PostgreSQL and Kafka: what is committed is published, what is published is consumed."""

import asyncio
import dataclasses
import json
import os
import sys
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from services.checkout.tests.midtrans_server import MidtransServer
from services.checkout.tests.rig import Rig, manual, rig_of, session_record, settings
from services.checkout.tests.sessions import Session
from tests.rigs.topics import read
from tests.rigs.waiting import until

from booking_contracts.catalogue import CatalogueProduct
from booking_contracts.deadlines import connected
from booking_contracts.decode import Decoded, Record, decode
from booking_contracts.ids import partition_of
from booking_contracts.money import Money
from booking_contracts.sessions import SessionStarted
from booking_contracts.topics import (
    CONTACTS,
    ERASURES,
    PRACTITIONERS,
    PRODUCTS,
    TRANSACTION_STATES,
    TRANSACTIONS,
    Topic,
    topic_named,
)
from booking_contracts.transactions import TransactionState
from booking_contracts.zones import zone
from checkout.ranking.listing import Months
from checkout.ranking.rebuild import rebuild

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def prefix(kafka) -> str:
    prefix = kafka.prefix()
    kafka.create_topics(prefix)
    return prefix


@pytest.fixture(scope="module")
async def live(fresh_database, kafka, prefix: str, midtrans: MidtransServer) -> AsyncGenerator[Rig]:
    """The service with all its workers."""
    made = settings(
        fresh_database("checkout"),
        midtrans.address,
        kafka_bootstrap=kafka.bootstrap,
        topic_prefix=prefix,
        erasure_resend_seconds=2,  # at once, both marks may go as one record
    )
    async with rig_of(made, midtrans, mode="all") as rig:
        yield rig


async def read_topic(bootstrap: str, prefix: str, topic: Topic) -> list[Decoded]:
    """Every record of a topic now, decoded as a consumer would."""
    partitions = [TopicPartition(prefix + topic.name, n) for n in range(topic.partitions)]
    found = await read(bootstrap, partitions)
    return [decode(_record(topic, TopicPartition(raw.topic, raw.partition), raw)) for raw in found]


def _record(topic: Topic, partition: TopicPartition, raw: Any) -> Record:
    return Record(topic.name, partition.partition, raw.offset, raw.key, raw.value, tuple(raw.headers), raw.timestamp)


async def send(kafka, prefix: str, *records: Record) -> None:
    """Put records on their topic as the owner's relay does."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    async with connected(producer):
        for record in records:
            topic = topic_named(record.topic)
            assert record.key is not None
            await producer.send_and_wait(
                prefix + topic.name,
                record.value,
                key=record.key,
                headers=[(name, value or b"") for name, value in record.headers],
                partition=partition_of(record.key, topic.partitions),
            )


async def test_every_event_is_published_in_order(live: Rig, kafka, prefix: str) -> None:
    """P3, P4, I4, I5."""
    shop = await live.shop()
    bought = await shop.bought()
    await live.notify(manual(bought["id"]), "manual")

    async def published() -> list[Decoded]:
        records = await read_topic(kafka.bootstrap, prefix, TRANSACTIONS)
        mine = [one for one in records if one.meta.subject == bought["id"]]
        return mine if len(mine) == 3 else []

    records = await until(published)
    assert [one.meta.sequence for one in records] == [1, 2, 3]
    assert [type(one.event).__name__ for one in records] == await live.types(bought["id"])
    assert records[2].meta.actor == "service:manual"

    async def state() -> list[Decoded]:
        states = await read_topic(kafka.bootstrap, prefix, TRANSACTION_STATES)
        return [one for one in states if (one.meta.subject, one.meta.sequence) == (bought["id"], 3)]

    now = (await until(state))[-1]
    assert isinstance(now.event, TransactionState)
    assert (now.event.status, now.meta.actor) == ("paid", "service:manual")
    assert (now.meta.causation_id, now.meta.time) == (str(records[2].meta.id), records[2].meta.time)
    assert {one.record.partition for one in records} == {partition_of(bought["id"].encode(), TRANSACTIONS.partitions)}


async def test_profiles_and_contacts_are_published_as_they_are_now(live: Rig, kafka, prefix: str) -> None:
    """E4: contacts apart, keyed by the person; the version is the row's."""
    shop = await live.shop()
    await shop.introduce(shop.practitioner.id, phone="081234567890", email="budi@example.com")

    async def published() -> list[Decoded]:
        contacts = await read_topic(kafka.bootstrap, prefix, CONTACTS)
        return [one for one in contacts if one.meta.subject == str(shop.practitioner.id) and one.meta.sequence == 2]

    (contact,) = await until(published)
    assert contact.event is not None
    assert contact.event.model_dump(include={"name", "phone", "email"}) == {
        "name": "Budi",
        "phone": "+6281234567890",
        "email": "budi@example.com",
    }
    profiles = await read_topic(kafka.bootstrap, prefix, PRACTITIONERS)
    (profile,) = [one for one in profiles if one.meta.subject == str(shop.practitioner.id)][-1:]
    assert b"081234567890" not in (profile.record.value or b"")


async def test_product__is_published_as_it_is_now_with_who_changed_it(live: Rig, kafka, prefix: str) -> None:
    """P1: each price that there was; the version is the row's."""
    shop = await live.shop()
    await shop.offer(price={"amount": 300_000, "currency": "IDR"}, active=False)

    async def published() -> list[Decoded]:
        records = await read_topic(kafka.bootstrap, prefix, PRODUCTS)
        return [one for one in records if (one.meta.subject, one.meta.sequence) == (str(shop.product), 2)]

    product = (await until(published))[-1]
    assert isinstance(product.event, CatalogueProduct)
    assert (product.event.price, product.event.active) == (Money(300_000, "IDR"), False)
    assert product.meta.actor == f"admin:{shop.admin.id}"


async def test_erased__tombstones_are_the_last_records_and_come_twice(live: Rig, kafka, prefix: str) -> None:
    """E4, T21."""
    shop = await live.shop()
    person = str(shop.practitioner.id)
    await shop.practitioner.get("/v1/me")
    assert (await shop.admin.put(f"/v1/erasures/{person}")).status_code == 200

    async def tombstones() -> list[Decoded]:
        contacts = await read_topic(kafka.bootstrap, prefix, CONTACTS)
        mine = [one for one in contacts if one.meta.subject == person]
        return mine if sum(one.kind == "tombstone" for one in mine) >= 2 else []

    contacts = await until(tombstones)
    assert contacts[-1].kind == "tombstone"
    profiles = await read_topic(kafka.bootstrap, prefix, PRACTITIONERS)
    assert [one.kind for one in profiles if one.meta.subject == person][-1] == "tombstone"

    async def told() -> list[Decoded]:
        return [one for one in await read_topic(kafka.bootstrap, prefix, ERASURES) if one.meta.subject == person]

    (erased,) = await until(told)
    assert (erased.meta.sequence, type(erased.event).__name__) == (1, "PersonErased")


async def test_reassigned_and_begun__the_pair_goes_back(live: Rig, kafka, prefix: str) -> None:
    """P2: consultation has the last word."""
    shop = await live.shop()
    paid = await shop.bought()
    await live.notify(manual(paid["id"]), "manual")
    other = uuid4()
    await shop.introduce(other)
    answer = await shop.admin.put(
        f"/v1/transactions/{paid['id']}/practitioner", {"practitioner_id": str(other), "reason": "Sakit"}
    )
    assert answer.status_code == 200, answer.text
    started = SessionStarted(
        session_id=uuid4(),
        transaction_id=UUID(paid["id"]),
        user_id=shop.member.id,
        practitioner_id=shop.practitioner.id,
        status="on_progress",
        started_at=datetime.now(UTC),
    )
    await send(kafka, prefix, session_record(started, 1))

    async def back() -> bool:
        return (await shop.seen(paid))["practitioner_id"] == str(shop.practitioner.id)

    await until(back)
    assert (await live.types(paid["id"]))[-2:] == ["PractitionerReassigned", "PractitionerReassigned"]


async def figures_of(live: Rig, practitioner: UUID) -> list[tuple[int, int]]:
    return await live.rows(
        "SELECT productivity, activity FROM practitioner_month WHERE practitioner_id = %s", practitioner
    )


class TestRebuild:
    """L3: from the log alone, while the live consumer goes on."""

    async def test_damaged_figures__are_right_again_and_stay_so(self, live: Rig, kafka, prefix: str) -> None:
        practitioner = uuid4()
        first, second = Session(practitioner), Session(practitioner)
        await send(kafka, prefix, *first.whole())

        async def counted() -> bool:
            return await figures_of(live, practitioner) == [(1, 3)]

        await until(counted)
        await live.rows("UPDATE practitioner_month SET productivity = 99 WHERE practitioner_id = %s", practitioner)
        await live.rows("UPDATE consulted_session SET counts = '{}' WHERE session_id = %s", first.id)
        months = Months(zone("Asia/Jakarta"))
        done = await rebuild(live.service.database, kafka.bootstrap, prefix, months)
        assert await figures_of(live, practitioner) == [(1, 3)]
        assert (done.sessions >= 1, done.skipped) == (True, 0)
        await send(kafka, prefix, *second.whole())

        async def both() -> bool:
            return await figures_of(live, practitioner) == [(2, 6)]

        await until(both)

    async def test_under_load__nothing_is_lost_or_counted_twice(self, live: Rig, kafka, prefix: str) -> None:
        practitioner = uuid4()
        sessions = [Session(practitioner) for _ in range(60)]

        async def load() -> None:
            for session in sessions:
                await send(kafka, prefix, *session.whole())

        async def rebuilds() -> None:
            months = Months(zone("Asia/Jakarta"))
            for _ in range(4):
                await rebuild(live.service.database, kafka.bootstrap, prefix, months)

        await asyncio.gather(load(), rebuilds())

        async def all_counted() -> bool:
            return await figures_of(live, practitioner) == [(60, 180)]

        await until(all_counted)
        await rebuild(live.service.database, kafka.bootstrap, prefix, Months(zone("Asia/Jakarta")))
        assert await figures_of(live, practitioner) == [(60, 180)]

    @pytest.mark.parametrize("in_the_end", ["replay", "discard"])
    async def test_behind_an_unreadable_record__nothing_is_counted_that_a_replay_would_then_lose(
        self, live: Rig, kafka, prefix: str, in_the_end: str
    ) -> None:
        """L3: the rebuild waits where the live consumer waits, and follows where an operator let it go on."""
        practitioner, months = uuid4(), Months(zone("Asia/Jakarta"))
        session = Session(practitioner)
        requested, started, completed, replaced = session.whole()
        broken = dataclasses.replace(completed, value=b'{"session_id": 1}')
        await send(kafka, prefix, requested, started, broken, replaced)

        async def held() -> list[Any]:
            return await live.rows(
                "SELECT id, reason FROM held WHERE key = %s AND settled_at IS NULL ORDER BY version", str(session.id)
            )

        async def both_held() -> bool:
            return len(await held()) == 2

        await until(both_held)
        await rebuild(live.service.database, kafka.bootstrap, prefix, months)
        assert await figures_of(live, practitioner) == [(0, 1)]
        (first, _) = await held()
        if in_the_end == "replay":  # mended: the same record, readable now
            await live.rows("UPDATE held SET value = %s WHERE id = %s", completed.value, first[0])
        assert (await live.caller("admin").post(f"/v1/held-records/{first[0]}/{in_the_end}")).is_success

        async def none_held() -> bool:
            return not await held()

        await until(none_held)
        wanted = [(1, 3)] if in_the_end == "replay" else [(0, 2)]
        assert await figures_of(live, practitioner) == wanted
        if in_the_end == "discard":
            await rebuild(live.service.database, kafka.bootstrap, prefix, months)
            assert await figures_of(live, practitioner) == wanted

    async def test_discarded_record__counts_as_little_as_in_the_live_fold(self, live: Rig, kafka, prefix: str) -> None:
        """Also one that can be read: it may have been a handler that failed."""
        practitioner = uuid4()
        session = Session(practitioner)
        requested, started, completed, replaced = session.whole()
        await send(kafka, prefix, requested, dataclasses.replace(started, value=b"{}"), completed, replaced)

        async def all_held() -> bool:
            held = "SELECT 1 FROM held WHERE key = %s AND settled_at IS NULL"
            return len(await live.rows(held, str(session.id))) == 3

        await until(all_held)
        held = "UPDATE held SET value = %s WHERE key = %s AND version = 2 RETURNING id"
        ((first,),) = await live.rows(held, started.value, str(session.id))
        assert (await live.caller("admin").post(f"/v1/held-records/{first}/discard")).is_success

        async def taken() -> bool:
            return await figures_of(live, practitioner) == [(1, 2)]

        await until(taken)
        await send(kafka, prefix, started)  # readable, and in the log from now on
        await rebuild(live.service.database, kafka.bootstrap, prefix, Months(zone("Asia/Jakarta")))
        assert await figures_of(live, practitioner) == [(1, 2)]


async def test_jobs__run_as_processes(live: Rig, kafka, prefix: str) -> None:
    """The operator's entries: `rebuild-ranking`, `erase PERSON`, `replay-erasures` (L3, E4)."""
    person = uuid4()
    environment = {
        **os.environ,
        **{
            name.upper(): str(getattr(live.service.settings, name))
            for name in ("database_url", "kafka_bootstrap", "topic_prefix", "jwt_issuer", "jwt_jwks_url")
        },
        "MIDTRANS_SERVER_KEY": "key",
    }

    async def job(*words: str) -> tuple[int, dict[str, Any]]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "checkout", *words, env=environment, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        return process.returncode or 0, json.loads(out or b"{}")

    await live.caller("member", sub=person, name="Kanari").get("/v1/me")
    erased = (await job("erase", str(person)))[1]
    assert (erased["person_id"], erased["tombstones"]) == (str(person), [CONTACTS.name])
    contacts = [one for one in await read_topic(kafka.bootstrap, prefix, CONTACTS) if one.meta.subject == str(person)]
    assert contacts[-1].kind == "tombstone"
    assert (await job("erase"))[0] == 2
    assert (await job("rebuild-ranking"))[0] == 0

    async def told() -> bool:
        return any(one.meta.subject == str(person) for one in await read_topic(kafka.bootstrap, prefix, ERASURES))

    await until(told)
    # A restore: the database is older than the topic.
    await live.rows("UPDATE person SET erased_at = NULL, name = 'Kembali' WHERE id = %s", person)
    assert (await job("replay-erasures"))[1]["erased"] >= 1
    assert await live.rows("SELECT name FROM person WHERE id = %s", person) == [(None,)]
