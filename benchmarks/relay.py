"""The relay: stored events of 500 bytes to Kafka, keyed, acks=all, with its bookkeeping.

Floor: pages of (key, data) from PostgreSQL into librdkafka, in an environment of its own; no marks, no headers, no
order held. Beside it the same into aiokafka's send_batch.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import psycopg
from aiokafka import AIOKafkaProducer

import booking_outbox
import booking_store
from benchmarks.harness import Contestant, Figures, Goal, Report, Scale, compare
from benchmarks.peers import librdkafka
from benchmarks.system import System
from booking_contracts.ids import partition_of
from booking_contracts.topics import SESSIONS
from booking_outbox import EventTopic, Relay, Waker

EVENTS: dict[Scale, int] = {"tiny": 200, "default": 100_000, "full": 200_000}
UNIT = "events/s"
STREAM = 5
PAGE = 5_000
# 500 bytes of data, five events per stream, the versions of different streams interleaved as they are in life.
FILL = """
INSERT INTO events (stream_type, stream_id, version, id, type, type_version, data, actor, correlation_id, causation_id,
                    traceparent, occurred_at, recorded_at)
SELECT 'session', lpad(to_hex(i %% (%(n)s / 5)), 32, '0')::uuid, 1 + i / (%(n)s / 5), uuidv7(), 'ScheduleRequested', 1,
       ('{"session_id":"' || lpad(to_hex(i), 32, '0') || '","filler":"' || repeat('x', 439) || '"}')::json,
       'member:0190b9a0-0000-7000-8000-000000000000', uuidv7()::text, uuidv7()::text,
       '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', clock_timestamp(), clock_timestamp()
FROM generate_series(0, %(n)s - 1) i ORDER BY i
"""
MARK = "INSERT INTO outbox (topic, key, position) SELECT %s, stream_id, position FROM events ORDER BY position"


class Bench:
    """The filled store and the ways to publish it."""

    def __init__(self, system: System, url: str, events: int) -> None:
        self.url, self.bootstrap, self.events, self.topic = url, system.kafka.bootstrap, events, system.topics

    async def relay(self) -> Figures:
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
            started = time.perf_counter()
            waker.poke()
            while relay.metrics.published[SESSIONS.name] < self.events:
                await asyncio.sleep(0.01)
            while (await (await conn.execute("SELECT 1 FROM outbox LIMIT 1")).fetchone()) is not None:
                await asyncio.sleep(0.002)
            seconds = time.perf_counter() - started
        stop.set()
        await running
        return {UNIT: self.events / seconds}

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

    async def aiokafka(self) -> Figures:
        """Pages into send_batch."""
        topic = await self.topic() + SESSIONS.name
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, acks="all", max_batch_size=900_000, max_request_size=8_000_000
        )
        await producer.start()
        await producer.partitions_for(topic)
        async with await psycopg.AsyncConnection.connect(
            self.url, autocommit=True, client_encoding="SQL_ASCII"
        ) as conn:
            started = time.perf_counter()
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
            seconds = time.perf_counter() - started
        await producer.stop()
        return {UNIT: self.events / seconds}

    async def librdkafka(self) -> Figures:
        """Pages into librdkafka's queue."""
        return {UNIT: await librdkafka.publish(self.url, self.bootstrap, await self.topic() + SESSIONS.name, PAGE)}


async def measure(system: System, scale: Scale, rounds: int) -> list[Report]:
    """Fill a store, then compare."""
    events, url = EVENTS[scale], system.empty_database()
    with psycopg.connect(url, autocommit=True) as conn:
        for ddl in (booking_store.ddl("events_v1"), booking_outbox.ddl("outbox_v1")):
            conn.execute(ddl.replace("{app}", "postgres").encode())
        conn.execute(FILL.encode(), {"n": events})
        conn.execute("VACUUM ANALYZE events")
    bench = Bench(system, url, events)
    floors = [Contestant("pages into aiokafka's send_batch", bench.aiokafka)]
    if scale != "tiny" and await librdkafka.there():
        floors.insert(0, Contestant("floor: pages into librdkafka", bench.librdkafka))
    ours = Contestant("booking: the relay", bench.relay, {UNIT: Goal(0.6)})
    title = f"Relay: {events:,} events of 500 bytes"
    return [await compare(title, floors[0], [*floors[1:], ours], rounds=rounds)]
