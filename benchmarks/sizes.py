"""Sizes: what a session of five events takes on disk, what one more command writes, what its records take on the wire.

Nothing is timed and there is no floor. On disk every table that grew is weighed with its indexes, so the figures need
not know what a table looks like. On the wire the records are those that the relay sent; they are sent once more, by the
hundred and one by one, into topics that the broker compresses, and what lies in its log afterwards is divided by them.
"""

import asyncio
import itertools
import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any
from uuid import UUID

import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from benchmarks import topics
from benchmarks.append import Ours
from benchmarks.harness import Line, Report, Scale
from benchmarks.projector import EACH, told
from benchmarks.system import Database as Place
from benchmarks.system import System
from booking_contracts.deadlines import connected
from booking_contracts.topics import SESSIONS

SESSIONS_WEIGHED: dict[Scale, int] = {"tiny": 40, "default": 2_000, "full": 20_000}
BATCH = 100
COMPRESSIONS = ("uncompressed", "lz4", "zstd", "gzip")
WEIGHT = """
SELECT relname, pg_table_size(oid), pg_indexes_size(oid)
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname
"""
WAL = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
_ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
Weights = Mapping[str, tuple[int, int]]
"""By table: its own bytes, and those of its indexes."""


async def measure(system: System, scale: Scale, _rounds: int) -> list[Report]:
    """A table for the disk, one for a command, one for the wire, one for a million sessions; once, as sizes are the
    same in every round."""
    sessions = SESSIONS_WEIGHED[scale]
    empty = _weighed(system.database("consultation"))
    place, prefix = await told(system, sessions)
    records = await _records(system, prefix + SESSIONS.name, sessions * EACH)
    reports = [
        _report(f"On disk: a session of {EACH} events, bytes", _grown(empty, _weighed(place), sessions)),
        _report("On disk: one more command, bytes", await _command(system, sessions)),
        _report("On the wire: one event, bytes", _parts(records) | await _batches(system, records)),
        await topics.measure(system, scale),
    ]
    for report in reports:
        print(report.markdown(), end="\n\n", flush=True)
    return reports


def _report(title: str, sizes: Mapping[tuple[str, str], float]) -> Report:
    return Report(title, 1, [Line(of, unit, size, size, size, None, "", None) for (of, unit), size in sizes.items()])


def _weighed(place: Place) -> Weights:
    with psycopg.connect(place.admin_url, autocommit=True) as conn:
        conn.execute("VACUUM FULL")  # what waits to be reused is not what a session takes
        return _weights(conn)


def _grown(before: Weights, after: Weights, sessions: int) -> dict[tuple[str, str], float]:
    """Of each table that did, per session; and of all together."""
    sizes: dict[tuple[str, str], float] = {}
    for name, weights in after.items():
        for unit, was, now in zip(("rows", "indexes"), before[name], weights, strict=True):
            if now > was:
                sizes[name, unit] = (now - was) / sessions
    return sizes | {("all", "rows and indexes"): sum(sizes.values())}


async def _command(system: System, sessions: int) -> dict[tuple[str, str], float]:
    """By the commands of the append's benchmark, of eight clients. The first change of a page after a checkpoint writes
    the whole page into the WAL, which is in the figure, as are the old rows that wait for a vacuum."""
    ours = Ours(system, sessions)
    with psycopg.connect(ours.place.admin_url, autocommit=True) as conn:
        before: list[tuple[int, Weights]] = []
        await ours.run(8, before=lambda: before.append((_wal(conn), _weights(conn))))
        (wal, weights), written = before[0], _wal(conn)
        return {("WAL", "written"): (written - wal) / sessions} | _grown(weights, _weights(conn), sessions)


def _wal(conn: psycopg.Connection) -> int:
    row = conn.execute(WAL).fetchone()
    assert row is not None
    return row[0]


def _weights(conn: psycopg.Connection) -> Weights:
    return {name: (table, indexes) for name, table, indexes in conn.execute(WEIGHT)}


async def _records(system: System, topic: str, count: int) -> list[ConsumerRecord[bytes, bytes]]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=system.kafka.bootstrap, auto_offset_reset="earliest")
    async with connected(consumer):
        return [await consumer.getone() for _ in range(count)]


def _scattered(record: ConsumerRecord[bytes, bytes]) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """The record with ids that no other session shares, as in life: those of the bulk's pattern compress too well."""
    key = record.key or b""

    def own(found: re.Match[bytes]) -> bytes:
        return str(UUID(bytes=blake2b(key + found[0], digest_size=16).digest())).encode()

    parts = [key, record.value or b"", *(value for _, value in record.headers)]
    key, value, *headers = (_ID.sub(own, part) for part in parts)
    return key, value, [(name, other) for (name, _), other in zip(record.headers, headers, strict=True)]


def _parts(records: Sequence[ConsumerRecord[bytes, bytes]]) -> dict[tuple[str, str], float]:
    count = len(records)
    headers = [sum(len(name) + len(value) for name, value in record.headers) for record in records]
    return {
        ("record", "key"): sum(len(record.key or b"") for record in records) / count,
        ("record", "value"): sum(len(record.value or b"") for record in records) / count,
        ("record", "headers, names and values"): sum(headers) / count,
        ("record", "number of headers"): sum(len(record.headers) for record in records) / count,
    }


async def _batches(system: System, records: Sequence[ConsumerRecord[bytes, bytes]]) -> dict[tuple[str, str], float]:
    sizes: dict[tuple[str, str], float] = {}
    for compression, size in itertools.product(COMPRESSIONS, (1, BATCH)):
        topic = f"sizes-{compression}-{size}"
        await _sent(system, topic, compression, records, size)
        stored = sum(path.stat().st_size for path in (system.kafka.data / f"{topic}-0").glob("*.log"))
        sizes[f"in batches of {size}", compression] = stored / len(records)
    return sizes


async def _sent(
    system: System, topic: str, compression: str, records: Sequence[ConsumerRecord[bytes, bytes]], size: int
) -> None:
    """Into a topic of one partition, in batches of that size."""
    async with connected(AIOKafkaAdminClient(bootstrap_servers=system.kafka.bootstrap)) as admin:
        await admin.create_topics([NewTopic(topic, 1, 1, topic_configs={"compression.type": compression})])
    producer = AIOKafkaProducer(
        bootstrap_servers=system.kafka.bootstrap, acks="all", max_batch_size=4_000_000, max_request_size=8_000_000
    )
    sent: list[asyncio.Future[Any]] = []
    async with connected(producer):
        for first in range(0, len(records), size):
            batch = producer.create_batch()
            for record in records[first : first + size]:
                key, value, headers = _scattered(record)
                assert batch.append(timestamp=record.timestamp, key=key, value=value, headers=headers) is not None
            sent.append(await producer.send_batch(batch, topic, partition=0))
        await asyncio.gather(*sent)
