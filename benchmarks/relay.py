"""The relay: stored events of 500 bytes to Kafka, keyed, acks=all, with its bookkeeping.

Floor: pages of (key, data) from PostgreSQL into librdkafka, in an environment of its own; no marks, no headers, no
order held. Beside it the same into aiokafka's send_batch.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
from aiokafka import AIOKafkaProducer
from psycopg.sql import SQL

import booking_outbox
import booking_store
from benchmarks.harness import Contestant, Goal, Report, Run, Scale, compare
from benchmarks.peers import faststream_outbox, librdkafka
from benchmarks.processor import Span
from benchmarks.system import System
from booking_contracts.deadlines import connected
from booking_contracts.ids import partition_of
from booking_contracts.topics import SESSIONS
from booking_outbox import EventTopic, Relay, Waker
from booking_outbox._encoding import outgoing
from booking_outbox._reading import EVENT_COLUMNS

EVENTS: dict[Scale, int] = {"tiny": 200, "default": 100_000, "full": 200_000}
UNIT, EVENT = "events/s", "event"
STREAM = 5
PAGE = 5_000
# 500 bytes of data, five events per stream, the versions of different streams interleaved as they are in life.
FILL = """
INSERT INTO events (stream_type, stream_id, version, id, type, type_version, data, metadata, traceparent,
                    occurred_at, recorded_at)
SELECT 'session', lpad(to_hex(i %% (%(n)s / 5)), 32, '0')::uuid, 1 + i / (%(n)s / 5), uuidv7(), 'ScheduleRequested', 1,
       ('{"session_id":"' || lpad(to_hex(i), 32, '0') || '","filler":"' || repeat('x', 439) || '"}')::json,
       json_strip_nulls(json_build_object('actor', 'member:0190b9a0-0000-7000-8000-000000000000',
                                          'correlation_id', uuidv7(), 'causation_id', uuidv7())),
       CASE WHEN i %% 10 = 0 THEN '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' END, -- a tenth is traced
       clock_timestamp(), clock_timestamp()
FROM generate_series(0, %(n)s - 1) i ORDER BY i
"""
# As appends leave them: each mark with its record.
MARK = """
INSERT INTO outbox (topic, key, position, record, created_at)
SELECT %s, stream_id, position, record, recorded_at FROM events JOIN made USING (position) ORDER BY position
"""


def make_records(conn: psycopg.Connection[Any]) -> None:
    """The records of all events, in a table of their own."""
    conn.execute("CREATE TABLE made (position bigint PRIMARY KEY, record bytea STORAGE EXTERNAL)")
    events = SQL("SELECT e.position::text, e.stream_id::text, {} FROM events e").format(EVENT_COLUMNS)
    with psycopg.connect(conn.info.dsn, client_encoding="SQL_ASCII", password=conn.info.password) as reading:
        reading.execute("SET timezone TO 'UTC'")
        with conn.cursor().copy("COPY made FROM STDIN") as copy:
            for row in reading.cursor().stream(events.as_bytes()):
                made = outgoing(SESSIONS.source, row)
                copy.write_row((made.mark.decode(), made.record))
    conn.execute("ANALYZE made")


class Bench:
    """The filled store and the ways to publish it."""

    def __init__(self, system: System, url: str, events: int) -> None:
        self.url, self.bootstrap, self.events, self.topic = url, system.kafka.bootstrap, events, system.topics
        self._system = system

    async def relay(self) -> Run:
        """From the commit of all marks to the last mark's deletion, the relay leading and idle before."""
        prefix, stop, waker = await self.topic(), asyncio.Event(), Waker(self.url)
        relay = Relay(
            database_url=self.url,
            bootstrap=self.bootstrap,
            topic_prefix=prefix,
            topics=[EventTopic(SESSIONS)],
            lock_name="bench",
            wake=waker,
        )
        running = asyncio.create_task(relay.run(stop))
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as conn:
            await conn.execute("TRUNCATE outbox")
            await conn.execute("CHECKPOINT")
            while not relay.metrics.leader:
                await asyncio.sleep(0.01)
            await conn.execute(MARK.encode(), [SESSIONS.name])
            with self._system.span(kafka=True) as span:
                waker.poke()
                while relay.metrics.published[SESSIONS.name] < self.events:
                    await asyncio.sleep(0.01)
                while (await (await conn.execute("SELECT 1 FROM outbox LIMIT 1")).fetchone()) is not None:
                    await asyncio.sleep(0.002)
        stop.set()
        await running
        return self._result(span)

    def _result(self, span: Span) -> Run:
        return Run({UNIT: self.events / span.seconds}, {EVENT: span.cost(self.events)})

    async def pages(self, conn: psycopg.AsyncConnection[Any]) -> AsyncIterator[list[tuple[Any, ...]]]:
        """All events in pages of raw (key, data)."""
        position = 0
        cursor = psycopg.AsyncRawCursor(conn)
        while True:
            await cursor.execute(
                b"SELECT position, stream_id::text, data::text FROM events WHERE position > $1"
                b" ORDER BY position LIMIT $2",
                [position, PAGE],
                prepare=True,
            )
            rows = await cursor.fetchall()
            if not rows:
                return
            position = rows[-1][0]
            yield rows

    async def aiokafka(self) -> Run:
        """Pages into send_batch."""
        topic = await self.topic() + SESSIONS.name
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, acks="all", max_batch_size=900_000, max_request_size=8_000_000
        )
        async with (
            connected(producer),
            await psycopg.AsyncConnection.connect(self.url, autocommit=True, client_encoding="SQL_ASCII") as conn,
        ):
            await producer.partitions_for(topic)
            with self._system.span(kafka=True) as span:
                sent = []
                async for rows in self.pages(conn):
                    by_partition: dict[int, list] = {}
                    for row in rows:
                        by_partition.setdefault(partition_of(row[1], 6), []).append(row)
                    for partition, records in by_partition.items():
                        batch = producer.create_batch()
                        for record in records:
                            if batch.append(timestamp=None, key=record[1], value=record[2]) is None:
                                sent.append(await producer.send_batch(batch, topic, partition=partition))
                                batch = producer.create_batch()
                                batch.append(timestamp=None, key=record[1], value=record[2])
                        sent.append(await producer.send_batch(batch, topic, partition=partition))
                await asyncio.gather(*sent)
        return self._result(span)

    async def librdkafka(self) -> Run:
        """Pages into librdkafka's queue."""
        seconds, cost = await librdkafka.publish(self._system, self.url, await self.topic() + SESSIONS.name, PAGE)
        return Run({UNIT: self.events / seconds}, {EVENT: cost})


def filled(system: System, events: int) -> Bench:
    """A store with so many events."""
    url = system.empty_database()
    with psycopg.connect(url, autocommit=True) as conn:
        for ddl in (
            *map(booking_store.ddl, ("events_v1", "events_v2")),
            *map(booking_outbox.ddl, ("outbox_v1", "outbox_v2")),
        ):
            conn.execute(ddl.replace("{app}", "postgres").encode())
        conn.execute(FILL.encode(), {"n": events})
        conn.execute("VACUUM ANALYZE events")
        make_records(conn)
    return Bench(system, url, events)


async def measure(system: System, scale: Scale, rounds: int) -> list[Report]:
    """Fill a store, then compare."""
    events = EVENTS[scale]
    bench = filled(system, events)
    floors = [Contestant("pages into aiokafka's send_batch", bench.aiokafka)]
    if scale != "tiny" and await librdkafka.there():
        floors.insert(0, Contestant("floor: pages into librdkafka", bench.librdkafka))
    ours = Contestant("booking: the relay", bench.relay, {UNIT: Goal(0.7)})
    peers: list[Contestant] = []
    if scale != "tiny":
        peers.append(Contestant(faststream_outbox.NAME, faststream_outbox.Peer(system, events).run))
    title = f"Relay: {events:,} events of 500 bytes"
    return [await compare(title, floors[0], [*floors[1:], ours, *peers], rounds=rounds)]
