"""Gathering the evidence from stores, topics, ledgers and read models, after everything has come to rest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx2
import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from psycopg.rows import dict_row
from tests.chaos.evidence import Delivery, Evidence, HeldRow, Notice, Position, Published, Remembered, Stored, Version
from tests.chaos.history import Operation
from tests.chaos.stack import SERVICES, Stack
from tests.rigs.databases import opened

from booking_contracts.deadlines import connected
from booking_contracts.decode import Record, decode
from booking_contracts.errors import ContractError, NewerVersion
from booking_contracts.topics import TOPICS

_EVENTS = """
SELECT position, stream_type, stream_id, version, id, type, data, metadata ->> 'actor' AS actor,
       metadata ->> 'causation_id' AS causation_id, recorded_at FROM events
ORDER BY position
"""


async def collect(stack: Stack, operations: Iterable[Operation], injected: dict[tuple[str, int, int], str]) -> Evidence:
    """All that a verdict needs."""
    evidence = Evidence(operations=list(operations), crashes=dict(stack.crashes))
    for service in SERVICES:
        await _from_database(evidence, stack, service)
    await _from_topics(evidence, stack, injected)
    await _from_providers(evidence, stack)
    evidence.positions = await positions(stack, evidence.versions)
    return evidence


async def _from_database(evidence: Evidence, stack: Stack, service: str) -> None:
    async with opened(stack.endpoints["postgres"][service]) as conn:
        if service in {"checkout", "consultation"}:
            evidence.events += [_stored(service, row) for row in await _rows(conn, _EVENTS)]
        evidence.outbox[service] = (await _rows(conn, "SELECT count(*) AS n FROM outbox"))[0]["n"]
        for row in await _rows(conn, "SELECT consumer, topic, key, version FROM inbox"):
            evidence.versions.append(Version(service, **row))
        held = 'SELECT consumer, topic, partition, "offset", key, version, reason, outcome FROM held'
        evidence.held += [HeldRow(service, **row) for row in await _rows(conn, held)]
        if service != "calendar":
            remembered = "SELECT sub, operation, key, status, object_id, version FROM idempotency"
            evidence.remembered += [Remembered(service, **row) for row in await _rows(conn, remembered)]
        await _OWN[service](evidence, conn)


async def _from_checkout(evidence: Evidence, conn: psycopg.AsyncConnection[Any]) -> None:
    evidence.transactions = await _rows(conn, "SELECT id, user_id, practitioner_id, status, version FROM transaction")
    evidence.reviews = await _rows(
        conn, "SELECT provider, payment_id, transaction_id, cause, state FROM payment_review"
    )


async def _from_consultation(evidence: Evidence, conn: psycopg.AsyncConnection[Any]) -> None:
    columns = "id, transaction_id, assessment_id, practitioner_id, user_id, status, starts_at, ends_at, version"
    evidence.sessions = await _rows(conn, f"SELECT {columns} FROM feedback_session")
    evidence.claims = await _rows(
        conn, "SELECT session_id, person_id, lower(during) AS starts_at, upper(during) AS ends_at FROM time_claim"
    )


async def _from_notifier(evidence: Evidence, conn: psycopg.AsyncConnection[Any]) -> None:
    sql = """
        SELECT id, cause_event_id, recipient_id, channel, template, state, attempts, ambiguities,
               coalesce(extract(epoch FROM due_at - now())::float, 0.0) AS due_in FROM notification
    """
    evidence.notices = [Notice(**row) for row in await _rows(conn, sql)]
    evidence.endpoints = await _rows(conn, "SELECT id, url, event_types, status FROM webhook_endpoint")
    sql = "SELECT endpoint_id AS endpoint, event_id AS webhook_id, status FROM webhook_delivery"
    evidence.webhooks = [Delivery(**row) for row in await _rows(conn, sql)]


async def _from_calendar(evidence: Evidence, conn: psycopg.AsyncConnection[Any]) -> None:
    columns = "session_id, status, starts_at, ends_at, schedule_version"
    evidence.schedule = await _rows(conn, f"SELECT {columns} FROM user_schedule")
    told = await _rows(conn, "SELECT event_id FROM stream_item WHERE admins ORDER BY place")
    evidence.told = [row["event_id"] for row in told]


_OWN = {
    "checkout": _from_checkout,
    "consultation": _from_consultation,
    "notifier": _from_notifier,
    "calendar": _from_calendar,
}


async def _from_topics(evidence: Evidence, stack: Stack, injected: dict[tuple[str, int, int], str]) -> None:
    made = AIOKafkaConsumer(bootstrap_servers=stack.endpoints["kafka"], enable_auto_commit=False)
    async with connected(made) as consumer:
        partitions = [TopicPartition(topic.name, n) for topic in TOPICS for n in range(topic.partitions)]
        ends = await consumer.end_offsets(partitions)
        consumer.assign([p for p in partitions if ends[p]])
        for partition in consumer.assignment():
            consumer.seek(partition, 0)
        waiting = {p for p in partitions if ends[p]}
        while waiting:
            for found in (await consumer.getmany(timeout_ms=1000)).values():
                evidence.records += [_published(raw, injected) for raw in found]
            waiting = {p for p in waiting if await consumer.position(p) < ends[p]}


def _published(raw: Any, injected: dict[tuple[str, int, int], str]) -> Published:
    where = (raw.topic, raw.partition, raw.offset)
    record = Record(*where, raw.key, raw.value, tuple(raw.headers), raw.timestamp)
    try:
        meta = decode(record).meta
    except NewerVersion:
        raise
    except ContractError:
        key = None if raw.key is None else raw.key.decode("utf-8", "replace")
        return Published(*where, key, None, None, injected.get(where))
    return Published(*where, meta.subject, str(meta.id), meta.sequence, injected.get(where))


async def _from_providers(evidence: Evidence, stack: Stack) -> None:
    accepted: Counter[str] = Counter()
    async with httpx2.AsyncClient(timeout=30.0, trust_env=False) as http:
        mails = (await http.get(f"{stack.endpoints['mailbox']}/messages")).json()["items"]
        messages = (await http.get(f"{stack.endpoints['whatsapp']}/messages")).json()["items"]
    for mail in mails:
        line = next(line for line in mail["raw"].splitlines() if line.lower().startswith("message-id:"))
        accepted[line.partition("<")[2].partition("@")[0]] += 1
    for message in messages:
        if "biz_opaque_callback_data" in message:
            accepted[message["biz_opaque_callback_data"]] += 1
    evidence.deliveries = dict(accepted)


async def positions(stack: Stack, versions: Iterable[Version] = ()) -> list[Position]:
    """Where every consumer group stands, and the calendar, which keeps its own."""
    service_of: dict[str, str] = {row.consumer: row.service for row in versions}
    address = stack.endpoints["kafka"]
    found: list[Position] = []
    async with (
        connected(AIOKafkaAdminClient(bootstrap_servers=address)) as admin,
        connected(AIOKafkaConsumer(bootstrap_servers=address)) as client,
    ):
        groups = [
            group for group, _ in await admin.list_consumer_groups() if not group.startswith("calendar-projector.g")
        ]
        for group in groups:
            for partition, meta in (await admin.list_consumer_group_offsets(group)).items():
                found.append(
                    Position(
                        service_of.get(str(group), str(group)),
                        group,
                        partition.topic,
                        partition.partition,
                        meta.offset,
                        0,
                    )
                )
        found += await _calendar_positions(stack)
        ends = await client.end_offsets([TopicPartition(p.topic, p.partition) for p in found])
    return [Position(p.service, p.consumer, p.topic, p.partition, p.next, ends[p.topic, p.partition]) for p in found]


async def _calendar_positions(stack: Stack) -> list[Position]:
    sql = """
        SELECT topic, partition, next_offset FROM projection_position
        JOIN generation ON generation.id = projection_position.generation WHERE state = 'active'
    """
    async with opened(stack.endpoints["postgres"]["calendar"]) as conn:
        rows = await _rows(conn, sql)
    return [Position("calendar", "projection", row["topic"], row["partition"], row["next_offset"], 0) for row in rows]


def _stored(service: str, row: dict[str, Any]) -> Stored:
    data = row["data"] if isinstance(row["data"], dict) else json.loads(row["data"])
    return Stored(service=service, **{**row, "data": data})


async def _rows(conn: psycopg.AsyncConnection[Any], sql: str) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql)  # pyright: ignore[reportArgumentType, reportCallIssue]
        return [{name: _plain(value) for name, value in row.items()} for row in await cursor.fetchall()]


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.timestamp()
    return value
