"""The drill: back up, take orders, restore the older copy, recover, prove.

Real PostgreSQL and Kafka, the services' own deciders and relays."""

import asyncio
import json
from asyncio import to_thread
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import uuid4

import psycopg
import pytest

import notifier.people
from booking_contracts.ids import uuid7
from booking_contracts.money import Money
from booking_contracts.topics import CONTACTS, PREFERENCES, SESSIONS, TRANSACTIONS
from booking_contracts.transactions import ProductSnapshot
from booking_ops.audit import rows, topics
from booking_ops.cli import main
from booking_ops.deployment import deployment
from booking_outbox import Relay
from booking_store import Cause, CommandContext, handle
from checkout.people import store as people
from checkout.transactions import commands as sale
from checkout.transactions.store import TRANSACTION
from consultation.entitlements.domain import Entitlement
from consultation.sessions import commands as session
from consultation.sessions.store import SESSION
from consultation.sessions.times import LocalTimes

pytestmark = pytest.mark.servers
PRICE = Money(amount=250_000, currency="IDR")
UNGUARDED = replace(SESSION, parameters=lambda change: {**SESSION.parameters(change), "entitlement_version": None})
LINK = "https://meet.google.com/abc-defg-hij"


class Drill:
    """One service's store beside its topics, and copies of it as a backup makes them."""

    def __init__(self, service, *, postgres, kafka, fresh_database, monkeypatch, folder):
        self.service, self.postgres, self.kafka, self.monkeypatch = service, postgres, kafka, monkeypatch
        self.folder = folder
        self.databases = fresh_database(service)
        self.prefix = kafka.prefix()
        kafka.create_topics(self.prefix)
        monkeypatch.setenv("KAFKA_BOOTSTRAP", kafka.bootstrap)
        monkeypatch.setenv("TOPIC_PREFIX", self.prefix)
        self._use(self.databases)

    def _use(self, databases):
        self.databases = databases
        self.monkeypatch.setenv(f"{self.service.upper()}_DATABASE_URL", databases.owner_url)

    async def connect(self):
        return await psycopg.AsyncConnection.connect(self.databases.owner_url, autocommit=True)

    def copy(self):
        """A backup of now, as `CREATE DATABASE ... TEMPLATE` makes it."""
        return self.postgres.create_database(f"copy_{uuid4().hex[:10]}", template=self.databases)

    def restore(self, backup):
        self._use(backup)

    async def published(self):
        """The service's own relay leads until nothing waits; it must not refuse."""
        service = deployment().service(self.service)
        relay = next(worker for worker in service.workers if isinstance(worker, Relay))
        stop = asyncio.Event()
        running = asyncio.create_task(relay.run(stop))
        try:
            async with await self.connect() as conn, asyncio.timeout(120):
                while await count(conn, "outbox"):
                    assert not relay.metrics.refused
                    await asyncio.sleep(0.02)
        finally:
            stop.set()
            await running
            await service.database.close()

    async def recovered(self, capfd, name="report", *options):
        """Exit code, what it tells, and the report's lines."""
        report = self.folder / name
        words = ["restore", "recover", self.service, "--report", str(report), "--yes", "--json", *options]
        code = await to_thread(main, words)
        out, err = capfd.readouterr()
        assert code in (0, 1), err
        lines = report.read_text().splitlines() if report.exists() else []
        return code, json.loads(out), [json.loads(line) for line in lines]

    async def audited(self, topic):
        return await topics.audit_topic(self.databases.owner_url, self.kafka.bootstrap, topic, prefix=self.prefix)

    async def state(self, *tables):
        async with await self.connect() as conn:
            return {table: await everything(conn, table) for table in tables}


async def count(conn, table):
    return (await (await conn.execute(f"SELECT count(*) FROM {table}")).fetchone())[0]


async def everything(conn, table):
    """All rows, without when they were written here."""
    query = f"SELECT to_jsonb(t) - 'updated_at' - 'position' - 'recorded_at' FROM {table} t ORDER BY 1"
    return [row for (row,) in await (await conn.execute(query)).fetchall()]


@pytest.fixture
def drill(postgres, kafka, fresh_database, monkeypatch, tmp_path):
    given = {"postgres": postgres, "kafka": kafka, "fresh_database": fresh_database, "monkeypatch": monkeypatch}
    return lambda service: Drill(service, **given, folder=tmp_path)


async def order(conn, member, practitioner):
    """A Transaction that waits for its payment."""
    made, at = uuid7(), datetime.now(UTC)
    product = ProductSnapshot(id=uuid4(), name="Konseling", kind="counseling", tier="gold", duration_minutes=60)
    offer = sale.Offer(product, PRICE, 10_080, auto_start=False, active=True)
    create = sale.Create(
        made,
        member,
        offer,
        sale.Candidate(practitioner, frozenset({"gold"}), active=True),
        "midtrans",
        at + timedelta(days=1),
    )
    await handle(conn, TRANSACTION, made, create, CommandContext(Cause(f"member:{member}", str(made)), at))
    return made


async def pay(conn, transaction, payment, amount=PRICE):
    at = datetime.now(UTC)
    ids = sale.NewIds(uuid4(), uuid4(), uuid4(), uuid4())
    said = sale.ReportPayment("midtrans", payment, "paid", amount, at, ids, settled_at=at)
    await handle(conn, TRANSACTION, transaction, said, CommandContext(Cause("service:midtrans", payment), at))


async def choose(here, person, *, email, whatsapp):
    """By which channels a person wants to be told, as the notifier keeps it, and its mark."""
    async with await here.connect() as conn:
        await conn.execute(notifier.people.CHOOSE, {"person": person, "email": email, "whatsapp": whatsapp})


async def contact(conn, person, name, version):
    """A person as checkout keeps them, and their mark."""
    cause = Cause("system", str(person))
    one = people.Person(
        person, name, f"{name}@example.com", None, "id", "Asia/Jakarta", claimed=True, version=version, erased=False
    )
    await people.save_person(conn, one, cause)


async def test_nothing_written_since__all_comes_back_and_is_proven(drill, capfd):
    here, member, practitioner = drill("checkout"), uuid4(), uuid4()
    async with await here.connect() as conn:
        waiting = await order(conn, member, practitioner)
        await contact(conn, member, "sari", 1)
    await here.published()
    backup = here.copy()
    async with await here.connect() as conn:
        await pay(conn, waiting, "pay-1")
        other = await order(conn, member, practitioner)
        await pay(conn, other, "pay-2", Money(amount=1, currency="IDR"))  # too little: a review
        await contact(conn, member, "sari dewi", 2)
        await contact(conn, uuid4(), "budi", 1)
        await order(conn, member, practitioner)
    await here.published()
    tables = ("events", "transaction", "unpaid", "payment_review", "refund", "person")
    lost = await here.state(*tables)

    here.restore(backup)
    missing = len(lost["events"]) - len((await here.state("events"))["events"])
    assert missing > 4
    assert (await here.audited(TRANSACTIONS)).counts["phantom"] == missing
    code, told, _ = await here.recovered(capfd, "dry", "--dry-run")
    assert (code, told["events_brought_back"]) == (0, missing)
    assert (await here.audited(TRANSACTIONS)).counts["phantom"] == missing, "a dry run changes nothing"

    code, told, _ = await here.recovered(capfd)
    assert (code, told["streams_brought_back"], told["events_brought_back"], told["left"]) == (0, 3, missing, 0)
    assert told["rows_brought_back"][CONTACTS.name] == 2
    assert await here.state(*tables) == lost
    assert (await here.audited(TRANSACTIONS)).proven
    fold = await rows.audit_fold(here.databases.owner_url, "transaction", "transaction", rows.transaction_row)
    assert fold.proven, fold.differences

    async with await here.connect() as conn:  # it goes on, and its relay doesn't refuse
        await order(conn, member, practitioner)
    await here.published()
    assert (await here.audited(TRANSACTIONS)).proven
    code, told, _ = await here.recovered(capfd, "again")
    assert (code, told["events_brought_back"]) == (0, 0), "it may be run again"


async def test_payments_written_since__the_same_one_gives_way_and_another_one_is_left_for_people(drill, capfd):
    here, member, practitioner = drill("checkout"), uuid4(), uuid4()
    async with await here.connect() as conn:
        told_again, told_otherwise = [await order(conn, member, practitioner) for _ in range(2)]
    await here.published()
    backup = here.copy()
    async with await here.connect() as conn:
        await pay(conn, told_again, "pay-1")
        await pay(conn, told_otherwise, "pay-2")
    await here.published()
    lost = await here.state("transaction")
    here.restore(backup)
    async with await here.connect() as conn:
        await pay(conn, told_again, "pay-1")
        await pay(conn, told_otherwise, "pay-3")

    code, told, lines = await here.recovered(capfd)
    assert (code, told["streams_brought_back"], told["streams_set_aside"], told["left"]) == (1, 1, 1, 1)
    concerned = {one["stream"]: one for one in told["concerned"]}
    assert concerned[str(told_again)]["why"] == "set aside: TransactionPaid"
    assert concerned[str(told_otherwise)]["came"] == "left"
    assert "money hangs on" in concerned[str(told_otherwise)]["why"]
    assert concerned[str(told_otherwise)]["people"] == {"member": str(member), "practitioner": str(practitioner)}
    aside = [line["came"]["set_aside"] for line in lines if line.get("came", {}).get("stream") == str(told_again)]
    assert json.loads(aside[0][0]["data"])["provider_payment_id"] == "pay-1"
    now = {one["id"]: one for one in (await here.state("transaction"))["transaction"]}
    assert now[str(told_again)] == {one["id"]: one for one in lost["transaction"]}[str(told_again)]
    after = await here.audited(TRANSACTIONS)
    assert {one.what.partition("(stream ")[2][:36] for one in after.differences} == {str(told_otherwise)}


class Booked:
    """One session, command by command."""

    def __init__(self, practitioner):
        self.id, self.member_id = uuid7(), uuid4()
        self.member = session.Actor("member", self.member_id)
        self.practitioner_id, self.practitioner = practitioner, session.Actor("practitioner", practitioner)

    async def give(self, conn, command):
        await handle(conn, UNGUARDED, self.id, command, CommandContext(Cause("system", str(self.id)), command.at))

    async def request(self, conn):
        sold = Entitlement(
            uuid4(),
            self.member_id,
            self.practitioner_id,
            "paid",
            "counseling",
            10_080,
            auto_start=False,
            version=3,
        )
        await self.give(conn, session.Request(self.member, datetime.now(UTC), self.id, sold))
        return self

    async def schedule(self, conn, hour):
        times = LocalTimes(date.today() + timedelta(days=30), time(hour), time(hour + 1), "Asia/Jakarta")  # noqa: DTZ011
        await self.give(conn, session.Schedule(self.practitioner, datetime.now(UTC), times, LINK))


async def test_choices_made_since__come_back_and_an_older_word_does_not(drill, capfd):
    """The notifier's: rows of a state topic alone."""
    here, chose_again, chose_since, chose_before = drill("notifier"), uuid4(), uuid4(), uuid4()
    for person in (chose_again, chose_before):
        await choose(here, person, email=True, whatsapp=False)
    await here.published()
    backup = here.copy()
    await choose(here, chose_again, email=False, whatsapp=True)
    await choose(here, chose_since, email=False, whatsapp=False)
    await here.published()
    lost = await here.state("preference")
    assert len(lost["preference"]) == 3

    here.restore(backup)
    code, told, _ = await here.recovered(capfd, "dry", "--dry-run")
    assert (code, told["rows_brought_back"]) == (0, {PREFERENCES.name: 2})
    assert await here.state("preference") != lost
    code, told, _ = await here.recovered(capfd)
    assert (code, told["left"], told["rows_brought_back"]) == (0, 0, {PREFERENCES.name: 2})
    assert await here.state("preference") == lost

    await choose(here, chose_before, email=False, whatsapp=True)
    await here.published()  # its relay does not refuse
    audited = await topics.audit_states(
        here.databases.owner_url, here.kafka.bootstrap, notifier.people.PUBLISHED, prefix=here.prefix
    )
    assert audited.proven


async def test_sessions_written_since__the_topics_times_stand_and_what_cannot_stand_is_ended(drill, capfd):
    here, practitioner = drill("consultation"), uuid4()
    async with await here.connect() as conn:
        fits, set_anew, given_away, later = [await Booked(practitioner).request(conn) for _ in range(4)]
    await here.published()
    backup = here.copy()
    async with await here.connect() as conn:
        for one, hour in ((fits, 8), (set_anew, 10), (given_away, 12)):
            await one.schedule(conn, hour)
    await here.published()
    here.restore(backup)
    async with await here.connect() as conn:
        await set_anew.schedule(conn, 15)  # another time, told to nobody but the one who set it
        await later.schedule(conn, 12)  # the hour that the lost one had

    code, told, lines = await here.recovered(capfd)
    assert (code, told["streams_brought_back"], told["streams_ended"], told["streams_set_aside"]) == (0, 3, 1, 1)
    concerned = {one["stream"]: one for one in told["concerned"]}
    assert concerned.keys() == {str(set_anew.id), str(given_away.id)}
    assert concerned[str(given_away.id)]["came"] == "brought back and ended"
    people = {"member": str(set_anew.member_id), "practitioner": str(practitioner)}
    assert concerned[str(set_anew.id)]["people"] == people
    assert any(line.get("planned", {}).get("stream") == str(set_anew.id) for line in lines), "kept before it is done"

    await here.published()
    shown = {
        one["id"]: (one["status"], (one["time_start"] or "")[:2])
        for one in (await here.state("feedback_session"))["feedback_session"]
    }
    assert shown == {
        str(fits.id): ("scheduled", "08"),
        str(set_anew.id): ("scheduled", "10"),
        str(given_away.id): ("failed", "12"),
        str(later.id): ("scheduled", "12"),
    }
    url = here.databases.owner_url
    for section in (
        await here.audited(SESSIONS),
        await rows.audit_fold(url, "feedback_session", "feedback_session", rows.session_row),
        await rows.audit_sessions(url),
    ):
        assert section.proven, (section.name, section.differences)
