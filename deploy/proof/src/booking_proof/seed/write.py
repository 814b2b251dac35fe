"""Filling the services' databases in bulk: COPY, one transaction a part, and marks for the relay, which publishes.

What a reader keeps of others' events is committed before those events are: when their records come it has their
versions already. Each part can be told from its first id: told again after a cut, the same seed goes on where it ended.
What the notifier told in the past is published here, by the relay's encoder, since a mark sends a row as it is now.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from random import Random
from typing import Any, Self
from uuid import UUID

import psycopg
from aiokafka import AIOKafkaProducer
from psycopg import sql

import calendar_projector.people
import consultation.people
import notifier.people
from booking_contracts import envelope, wire
from booking_contracts.assessments import AssessmentCompleted
from booking_contracts.brokers import client_options
from booking_contracts.deadlines import connected
from booking_contracts.ids import partition_of, state_id
from booking_contracts.topics import (
    ASSESSMENTS,
    CONTACTS,
    ERASURES,
    NOTIFICATIONS,
    PRACTITIONERS,
    PREFERENCES,
    PRODUCTS,
    SESSIONS,
    TRANSACTIONS,
    Topic,
)
from booking_local.stack.control import brokers
from booking_ops.audit.consumers import READERS
from booking_outbox import Outgoing, Publisher
from booking_people.copies import People
from booking_proof.seed.people import HOUSE, Practitioner, Product, Somebody
from booking_proof.seed.rows import COLUMNS, EVENTS, Chunk, line
from booking_proof.seed.story import Chapter, Step, uuid4_of
from booking_proof.seed.streams import Stream
from checkout.people.erasure import PERSON
from checkout.ranking import figures, listing
from checkout.ranking.listing import Months

Connection = psycopg.AsyncConnection[Any]
WRITTEN = frozenset(
    {TRANSACTIONS, SESSIONS, PRODUCTS, PRACTITIONERS, CONTACTS, ERASURES, NOTIFICATIONS, PREFERENCES, ASSESSMENTS}
)
"""Whose records come of what is written here. The relays and the projector make those of the other topics of these."""
_STREAM_TOPIC = {"checkout": TRANSACTIONS, "consultation": SESSIONS}
_MAKE = """
CREATE TEMP TABLE told (stream_type text, stream_id uuid, version int, id uuid, type text, type_version smallint,
    data json, metadata json, occurred_at timestamptz, n int GENERATED ALWAYS AS IDENTITY) ON COMMIT DROP"""
# As the append does it: positions in the order of the versions, and a mark for each. The relay makes the record of it.
_APPEND = """
WITH ev AS (
    INSERT INTO events (stream_type, stream_id, version, id, type, type_version, data, metadata,
                        occurred_at, recorded_at)
    SELECT stream_type, stream_id, version, id, type, type_version, data, metadata, occurred_at, occurred_at
    FROM told ORDER BY n
    RETURNING position, stream_id, recorded_at
)
INSERT INTO outbox (topic, key, position, created_at)
SELECT %s, stream_id::text, position, recorded_at FROM ev ORDER BY position"""
_UNPAID = """
INSERT INTO unpaid AS u (user_id, open) SELECT * FROM unnest(%s::uuid[], %s::int[])
ON CONFLICT (user_id) DO UPDATE SET open = u.open + excluded.open"""
_KEEPERS: Mapping[str, People] = {
    "consultation": consultation.people.PEOPLE,
    "notifier": notifier.people.PEOPLE,
    "calendar": calendar_projector.people.PEOPLE,
}
"""Who keeps a copy of contacts."""
_BY: Mapping[str, Any] = {"actor": f"admin:{HOUSE}", "correlation_id": str(HOUSE)}


class Databases:
    """Connections to the four databases as their owners, and to Kafka."""

    def __init__(self, conns: Mapping[str, Connection], publisher: Publisher, bootstrap: str) -> None:
        self._conns, self._publisher, self._bootstrap = conns, publisher, bootstrap
        self._stack = AsyncExitStack()

    @classmethod
    async def open(cls, endpoints: Mapping[str, Any]) -> Self:
        """Connected; `close` it."""
        async with AsyncExitStack() as stack:
            conns: dict[str, Connection] = {}
            for name in ("checkout", "consultation", "notifier", "calendar"):
                conn = await psycopg.AsyncConnection.connect(endpoints["postgres"][name], autocommit=True)
                stack.push_async_callback(conn.close)  # whatever it is at: of what broke off nothing is committed
                conns[name] = conn
                await conn.execute("SET synchronous_commit = off")  # who is cut off tells it again
            broker = brokers(endpoints)
            publisher = await Publisher.start(broker, deadline=60)
            stack.push_async_callback(publisher.stop)
            made = cls(conns, publisher, broker)
            made._stack = stack.pop_all()
            return made

    async def close(self) -> None:
        """All of them."""
        await self._stack.aclose()

    def __getitem__(self, service: str) -> Connection:
        return self._conns[service]

    # Purchases ------------------------------------------------------------------------------------------------------

    async def write(self, chunk: Chunk, months: Months) -> None:
        """A chunk: first what readers have taken, then what the owners wrote, then the messages' records."""
        if chunk.first is None:
            return
        await asyncio.gather(*(self._copies(service, chunk, months) for service in chunk.copies))
        await asyncio.gather(self._owned("checkout", chunk), self._owned("consultation", chunk))
        await self.publish(NOTIFICATIONS, chunk.steps)

    async def _copies(self, service: str, chunk: Chunk, months: Months) -> None:
        conn, lines = self[service], chunk.copies[service]
        async with conn.transaction():
            if not await _new(conn, lines["inbox"][0]):
                return
            if service == "checkout":
                changes = chunk.changes()
                await listing.lock(conn, {practitioner for practitioner, _ in changes})
                await figures.save(conn, chunk.consulted)
                await figures.add(conn, changes, months)
            for table in sorted(lines, key=_in_order):
                await _copy(conn, table, COLUMNS[table], lines[table])

    async def _owned(self, service: str, chunk: Chunk) -> None:
        conn, events = self[service], chunk.events[service]
        if not events:
            return
        async with conn.transaction():
            await conn.execute(_MAKE)
            await _copy(conn, "told", EVENTS, [text for _, text in events])
            known = "SELECT 1 FROM events WHERE id = (SELECT id FROM told WHERE n = 1)"
            if await (await conn.execute(known)).fetchone():
                return
            await conn.execute(_APPEND, [_STREAM_TOPIC[service].name])
            for table, lines in chunk.owned[service].items():
                await _copy(conn, table, COLUMNS[table], lines)
            if service == "checkout":
                unpaid = sorted(chunk.unpaid.items())  # in one order, so that two chunks don't wait in a ring
                await conn.execute(_UNPAID, [[user for user, _ in unpaid], [number for _, number in unpaid]])

    async def publish(self, topic: Topic, records: Sequence[tuple[datetime, bytes]]) -> None:
        """Send records in their order, those of each partition after one another."""
        if not records:
            return
        partitions = await self._publisher.partitions(topic.name)
        sorted_: dict[int, list[Outgoing]] = {}
        for at, record in records:
            key = wire.key_in(record)
            sent = Outgoing(b"", record, int(at.timestamp() * 1000))
            sorted_.setdefault(partition_of(key, partitions), []).append(sent)

        async def one(partition: int, outgoing: Sequence[Outgoing]) -> None:
            for batch, _ in self._publisher.pack(outgoing):
                await self._publisher.send(topic.name, partition, batch)

        await asyncio.gather(*(one(partition, outgoing) for partition, outgoing in sorted_.items()))

    # What is little -------------------------------------------------------------------------------------------------

    async def products(self, products: Iterable[Product]) -> None:
        """The catalogue, and its earlier prices as records: the topic has them until it is compacted."""
        records: list[tuple[datetime, bytes]] = []
        async with self["checkout"].transaction():
            for one in products:
                latest, amount = one.prices[-1]
                row = {**one.row(amount), "version": len(one.prices), "created_at": one.prices[0][0]}
                if not await self._insert("checkout", "product", {**row, "updated_at": latest, **_BY}, PRODUCTS):
                    continue
                for number, (since, price) in enumerate(one.prices[:-1], 1):
                    records.append((since, _product_record(one, price, number, since)))
        await self.publish(PRODUCTS, records)

    async def practitioners(self, people: Iterable[Practitioner], months: Months) -> None:
        """Profiles, their contacts and what they chose; and their rows in the list."""
        found = list(people)
        conn = self["checkout"]
        async with conn.transaction():
            await listing.lock(conn, [one.person.id for one in found])
            for one in found:
                await self._insert("checkout", "person", _person_row(one.person, claimed=False), CONTACTS)
                row = {
                    "id": one.person.id, "name": one.name, "photo_url": one.photo_url, "bio": one.bio,
                    "profession": one.profession, "tiers": list(one.tiers), "timezone": one.person.timezone,
                    "active": one.active, "version": one.version, "updated_at": one.updated_at,
                }  # fmt: skip
                await self._insert("checkout", "practitioner", {**row, **_BY}, PRACTITIONERS)
            await listing.refresh(conn, [one.person.id for one in found], months)
        await self._choices([one.person for one in found])

    async def members(self, people: Sequence[Somebody], seed: int) -> None:
        """Contacts, those of who was erased empty (E4), also where readers keep them; and what people chose."""
        random = Random(f"erasures {seed}")  # noqa: S311 - a story, no key
        living = [one for one in people if one.erased_at is None]
        await asyncio.gather(*(self._contacts(service, kept, living) for service, kept in _KEEPERS.items()))
        async with self["checkout"].transaction():
            rows = [_person_row(one, claimed=True) for one in people]
            made = await self._insert_all("checkout", "person", rows, CONTACTS)
            for one in people:
                if one.erased_at is not None and str(one.id) in made:
                    await self._erased(one.id, one.erased_at, random)
        await self._choices(people)

    async def _contacts(self, service: str, kept: People, people: Sequence[Somebody]) -> None:
        """What a reader has taken of the contacts, with their first versions."""
        conn, (copy,) = self[service], [one for one in kept.copies if one.topic == CONTACTS]
        consumers = [consumer for consumer, topics in READERS[service].items() if CONTACTS in topics]
        versions = [line((consumer, CONTACTS.name, one.id, 1)) for one in people for consumer in consumers]
        async with conn.transaction():
            if versions and await _new(conn, versions[0]):
                await _copy(conn, "inbox", COLUMNS["inbox"], versions)
                lines = [line((one.id, *(getattr(one, name) for name in copy.fields))) for one in people]
                await _copy(conn, copy.table, (copy.topic.key, *copy.fields), lines)

    async def _erased(self, person: UUID, at: datetime, random: Random) -> None:
        stream: Stream[Any, Any] = Stream.of(PERSON, person)
        command: Any = person
        stream.tell(Step(at, 0, command, f"admin:{HOUSE}"), random)
        (told,) = stream.events
        conn = self["checkout"]
        await conn.execute("INSERT INTO erasure (person_id, erased_at) VALUES (%s, %s)", [person, at])
        await conn.execute(
            """WITH ev AS (
                   INSERT INTO events (stream_type, stream_id, version, id, type, type_version, data, metadata,
                                       occurred_at, recorded_at)
                   VALUES (%s, %s, 1, %s, %s, %s, %s::json, %s::json, %s, %s) RETURNING position, recorded_at)
               INSERT INTO outbox (topic, key, position, created_at) SELECT %s, %s, position, recorded_at FROM ev""",
            [
                PERSON.stream_type, person, told.id, told.event.TYPE, told.event.TYPE_VERSION, told.data,
                told.metadata, at, at, ERASURES.name, str(person),
            ],
        )  # fmt: skip

    async def _choices(self, people: Iterable[Somebody]) -> None:
        rows: list[Mapping[str, Any]] = []
        for one in people:
            if one.channels is not None:
                gone = one.erased_at is not None
                email, whatsapp = (None, None) if gone else one.channels
                row = {"person_id": one.id, "email": email, "whatsapp": whatsapp, "version": 1 + gone}
                rows.append({**row, "updated_at": one.erased_at or one.chose_at})
        async with self["notifier"].transaction():
            await self._insert_all("notifier", "preference", rows, PREFERENCES)

    async def _insert_all(self, service: str, table: str, rows: Sequence[Mapping[str, Any]], topic: Topic) -> set[str]:
        """Rows of the same columns, those that weren't there, and their marks; their keys. Within a transaction."""
        if not rows:
            return set()
        conn, columns = self[service], tuple(rows[0])
        names = {
            "table": sql.Identifier(table), "told": sql.Identifier(f"told_{table}"),
            "columns": sql.SQL(", ").join(map(sql.Identifier, columns)),
            "key": sql.Identifier("person_id" if "person_id" in columns else "id"), "topic": sql.Literal(topic.name),
        }  # fmt: skip
        made = "CREATE TEMP TABLE {told} ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA"
        await conn.execute(sql.SQL(made).format(**names))
        await _copy(conn, f"told_{table}", columns, [line(row.values()) for row in rows])
        statement = sql.SQL(
            "WITH made AS (INSERT INTO {table} ({columns}) SELECT {columns} FROM {told}"
            " ON CONFLICT DO NOTHING RETURNING {key}::text AS key)"
            " INSERT INTO outbox (topic, key) SELECT {topic}, key FROM made RETURNING key"
        ).format(**names)
        return {key for (key,) in await (await conn.execute(statement)).fetchall()}

    async def _insert(self, service: str, table: str, row: Mapping[str, Any], topic: Topic) -> bool:
        """A row that wasn't there, and its mark; False where it was."""
        names = [sql.Identifier(name) for name in row]
        key = "person_id" if "person_id" in row else "id"
        statement = sql.SQL(
            "WITH made AS (INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING RETURNING 1)"
            " INSERT INTO outbox (topic, key) SELECT {}, {} FROM made"
        ).format(
            sql.Identifier(table), sql.SQL(", ").join(names), sql.SQL(", ").join(map(sql.Literal, row.values())),
            sql.Literal(topic.name), sql.Literal(str(row[key])),
        )  # fmt: skip
        return (await self[service].execute(statement)).rowcount > 0

    async def assessments(self, chapter: Chapter, seed: int) -> None:
        """What another system tells: records alone."""
        random = Random(f"records of assessments {seed} {chapter.number}")  # noqa: S311 - a story, no key
        async with connected(AIOKafkaProducer(**client_options(self._bootstrap), acks="all")) as producer:
            for one in chapter.assessments:
                event = AssessmentCompleted(
                    assessment_id=one.id, user_id=one.user_id, completed_at=one.completed_at
                )  # fmt: skip
                said = envelope.Envelope(
                    id=uuid4_of(random), source=ASSESSMENTS.source, type=event.full_type(), subject=str(one.id),
                    time=one.completed_at, sequence=None, actor="service:assessments", causation_id=None,
                    correlation_id=str(one.id), traceparent=None,
                )  # fmt: skip
                await producer.send(
                    ASSESSMENTS.name, event.to_json().encode(), key=said.subject.encode(), headers=said.headers(),
                    partition=partition_of(said.subject.encode(), ASSESSMENTS.partitions),
                )  # fmt: skip
            await producer.flush()

    # Until all is settled -------------------------------------------------------------------------------------------

    async def waiting(self) -> int:
        """Marks that the relays have not sent yet."""
        found = 0
        for conn in self._conns.values():
            (count,) = await _one(conn, "SELECT count(*) FROM outbox")
            found += count
        return found

    async def much_to_show(self) -> dict[str, int]:
        """People by how much there is to see of theirs: who waits for an answer, and who has results."""
        query = """SELECT practitioner_id::text,
                          count(*) + 1000 * count(*) FILTER (WHERE status = 'pending_negotiation')
                   FROM feedback_session GROUP BY 1
                   UNION ALL SELECT user_id::text, count(*) FILTER (WHERE status = 'completed')
                   FROM feedback_session GROUP BY 1"""
        return dict(await (await self["consultation"].execute(query.encode())).fetchall())

    async def uncalendared(self) -> int:
        """Sessions of which the calendar has not taken all."""
        (wanted,) = await _one(self["consultation"], "SELECT coalesce(sum(version), 0)::bigint FROM feedback_session")
        (found,) = await _one(self["calendar"], "SELECT coalesce(sum(version), 0)::bigint FROM session_calendar")
        return max(0, wanted - found)


def _person_row(one: Somebody, *, claimed: bool) -> dict[str, Any]:
    gone = one.erased_at is not None
    row: dict[str, Any] = {
        "id": one.id, "name": None if gone else one.name, "email": None if gone else one.email,
        "phone": None if gone else one.phone, "locale": "id" if gone else one.locale,
        "timezone": "Asia/Jakarta" if gone else one.timezone, "claimed": claimed or gone,
        "version": 1 + gone, "erased_at": one.erased_at, "updated_at": one.erased_at or one.joined_at,
    }  # fmt: skip
    by = {**_BY, "actor": f"member:{one.id}"} if claimed and not gone else _BY
    return {**row, **by}


async def _one(conn: Connection, query: str) -> Any:
    return await (await conn.execute(query.encode())).fetchone()


async def _copy(conn: Connection, table: str, columns: Sequence[str], lines: Sequence[str]) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    async with conn.cursor().copy(statement) as copy:
        for first in range(0, len(lines), 500):
            await copy.write("".join(lines[first : first + 500]))


async def _new(conn: Connection, inbox: str) -> bool:
    """Whether a part's first version row is not there yet."""
    consumer, topic, key, _ = inbox.rstrip("\n").split("\t")
    found = await conn.execute(
        "SELECT 1 FROM inbox WHERE consumer = %s AND topic = %s AND key = %s", [consumer, topic, key]
    )
    return await found.fetchone() is None


def _in_order(table: str) -> bool:
    return table == "notification"  # its causes come first


def _product_record(one: Product, price: int, version: int, at: datetime) -> bytes:
    row = one.row(price)
    value = {name: value for name, value in row.items() if name not in {"amount", "currency"}}
    value |= {"id": str(one.id), "price": {"amount": price, "currency": one.currency}}
    (event,) = PRODUCTS.events
    return wire.record(
        PRODUCTS.source,
        event.TYPE,
        event.TYPE_VERSION,
        key=str(one.id).encode(),
        value=json.dumps(value).encode(),
        event_id=str(state_id(PRODUCTS.name, str(one.id), version)).encode(),
        time=envelope.rfc3339(at).encode(),
        sequence=str(version).encode(),
        metadata=envelope.metadata(_BY["actor"], _BY["correlation_id"]).encode(),
        traceparent=None,
    )


PATIENCE = timedelta(minutes=10)
"""How long nothing may move at the end."""
