"""The relay: 200,000 stored events of 500 bytes to Kafka, keyed, acks=all, with its bookkeeping.

Floor: pages of (key, data) from PostgreSQL into librdkafka when `confluent_kafka` can be imported, else into
aiokafka's send_batch; no marks, no headers, no order held. Its connection has the relay's receive buffer. Run: python
-m benchmarks.relay [--events N] [--rounds N]
"""

import argparse
import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
from aiokafka import AIOKafkaProducer

import booking_outbox
import booking_store
from benchmarks import servers
from benchmarks.harness import Contestant, Report, compare, machine, run, save
from booking_contracts.ids import partition_of
from booking_contracts.topics import SESSIONS, create_topics
from booking_outbox import EventTopic, Relay, Waker

GOAL = 0.6
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

    def __init__(self, url: str, bootstrap: str, events: int) -> None:
        self.url, self.bootstrap, self.events = url, bootstrap, events
        self.prefixes = (f"b{i}." for i in range(10_000))

    async def topic(self) -> str:
        """The prefix of a new set of topics."""
        prefix = next(self.prefixes)
        await create_topics(self.bootstrap, prefix)
        return prefix

    async def relay(self) -> float:
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
        return self.events / seconds

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

    async def floor_aiokafka(self) -> float:
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
        return self.events / seconds

    async def floor_librdkafka(self) -> float:
        """Pages into librdkafka's queue."""
        from confluent_kafka import Producer  # pyright: ignore[reportMissingImports]

        topic = await self.topic() + SESSIONS.name
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "acks": "all",
                "linger.ms": 5,
                "batch.size": 900_000,
                "queue.buffering.max.messages": 1_000_000,
                "partitioner": "murmur2_random",
            }
        )
        async with await psycopg.AsyncConnection.connect(
            self.url, autocommit=True, client_encoding="SQL_ASCII"
        ) as conn:
            started = time.perf_counter()
            async for rows in self.pages(conn):
                for _, key, value in rows:
                    producer.produce(topic, value, key)
                producer.poll(0)
            producer.flush()
            seconds = time.perf_counter() - started
        return self.events / seconds


def _has_librdkafka() -> bool:
    try:
        import confluent_kafka  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError:
        return False
    return True


async def measure(events: int, rounds: int) -> Report:
    """Fill a store, then compare."""
    with servers.folder() as path, servers.postgres(path) as postgres, servers.kafka(path) as kafka:
        url = servers.database(postgres, "relay", booking_store.ddl("events_v1"), booking_outbox.ddl("outbox_v1"))
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
            await conn.execute(FILL.encode(), {"n": events})
            await conn.execute("VACUUM ANALYZE events")
        bench = Bench(url, kafka.bootstrap, events)
        batches = Contestant("pages into aiokafka send_batch", bench.floor_aiokafka)
        floors = (
            [Contestant("floor: pages into librdkafka", bench.floor_librdkafka), batches]
            if _has_librdkafka()
            else [batches]
        )
        return await compare(
            f"Relay: {events:,} events of 500 bytes",
            floors[0],
            [*floors[1:], Contestant("relay", bench.relay)],
            unit="events/s",
            rounds=rounds,
            goal=GOAL,
        )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--save", type=Path, help="also write the figures as JSON")
    arguments = parser.parse_args()
    print(machine())
    report = run(measure(arguments.events, arguments.rounds))
    if arguments.save:
        save(arguments.save, [report])


if __name__ == "__main__":
    main()
