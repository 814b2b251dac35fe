"""The held records: what an operator elsewhere calls dead letters, but in order and per key.

A held record's offset has moved on, so that other keys flow; its own key waits behind it.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg.rows import class_row, dict_row

from booking_contracts.decode import Record
from booking_inbox.reading import digest_of, key_text

Reason = Literal["gap", "undecodable", "failed"]
Settled = Literal["applied", "superseded", "discarded"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A held record as far as the order of its key needs it."""

    id: UUID
    version: int | None
    reason: Reason
    digest: bytes


@dataclass(frozen=True, slots=True)
class Held:
    """A held record as an operator sees it. `value` and `headers` may carry contact data: never log them."""

    id: UUID
    consumer: str
    topic: str
    partition: int
    offset: int
    key: str | None
    version: int | None
    reason: Reason
    attempts: int
    error: str | None
    held_at: datetime
    record: Record
    outcome: Settled | None = None
    settled_at: datetime | None = None
    settled_by: str | None = None


_WAITING = """
SELECT id, version, reason, digest FROM held
WHERE consumer = %(consumer)s AND topic = %(topic)s AND key = %(key)s AND settled_at IS NULL ORDER BY held_at, id
"""

_INSERT = """
INSERT INTO held (consumer, topic, partition, "offset", key, raw_key, version, headers, value, timestamp_ms, digest,
                  reason, attempts, error)
VALUES (%(consumer)s, %(topic)s, %(partition)s, %(offset)s, %(key)s, %(raw_key)s, %(version)s, %(headers)s, %(value)s,
        %(timestamp_ms)s, %(digest)s, %(reason)s, %(attempts)s, %(error)s)
ON CONFLICT DO NOTHING
"""

_GAP_KEYS = """
SELECT count(DISTINCT key) FROM held
WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = %(partition)s
  AND reason = 'gap' AND settled_at IS NULL
"""


async def insert(
    conn: psycopg.AsyncConnection,
    consumer: str,
    record: Record,
    *,
    version: int | None,
    reason: Reason,
    attempts: int = 0,
    error: str | None = None,
) -> None:
    """Hold the record; the same bytes are held once, wherever they lie."""
    await conn.execute(
        _INSERT,
        {
            "consumer": consumer,
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "key": key_text(record.key),
            "raw_key": record.key,
            "version": version,
            "headers": _headers_json(record),
            "value": record.value,
            "timestamp_ms": record.timestamp_ms,
            "digest": digest_of(record),
            "reason": reason,
            "attempts": attempts,
            "error": error,
        },
    )


async def waiting(conn: psycopg.AsyncConnection, consumer: str, topic: str, key: str) -> list[Waiting]:
    """The key's held records, oldest first. Meant for a transaction that has locked the key's version row."""
    async with conn.cursor(row_factory=class_row(Waiting)) as cursor:
        await cursor.execute(_WAITING, {"consumer": consumer, "topic": topic, "key": key})
        return await cursor.fetchall()


async def known(conn: psycopg.AsyncConnection, consumer: str, record: Record) -> bool:
    """Whether exactly this record was ever held, settled or not."""
    sql = "SELECT FROM held WHERE consumer = %s AND topic = %s AND digest = %s LIMIT 1"
    cursor = await conn.execute(sql, (consumer, record.topic, digest_of(record)))
    return await cursor.fetchone() is not None


async def gap_keys(conn: psycopg.AsyncConnection, consumer: str, topic: str, partition: int) -> int:
    """How many keys of this partition wait for a predecessor."""
    names = {"consumer": consumer, "topic": topic, "partition": partition}
    row = await (await conn.execute(_GAP_KEYS, names)).fetchone()
    return int(row[0]) if row else 0


async def summary(conn: psycopg.AsyncConnection, consumer: str) -> list[tuple[str, str, int, float]]:
    """Per topic and reason: keys (a keyless record counts as one) and the age in seconds of the oldest record."""
    sql = """
        SELECT topic, reason, count(DISTINCT coalesce(key, id::text)), extract(epoch FROM now() - min(held_at))::float
        FROM held WHERE consumer = %s AND settled_at IS NULL GROUP BY topic, reason
    """
    return await (await conn.execute(sql, (consumer,))).fetchall()


async def settle(conn: psycopg.AsyncConnection, ids: Sequence[UUID], outcome: Settled, by: str) -> None:
    """Close held records. They stay in the table: the audit shows a discarded one as a known difference."""
    if ids:
        await conn.execute(
            "UPDATE held SET settled_at = now(), outcome = %s, settled_by = %s"
            " WHERE id = ANY(%s) AND settled_at IS NULL",
            (outcome, by, list(ids)),
        )


async def mark(
    conn: psycopg.AsyncConnection, held_id: UUID, *, reason: Reason, version: int | None, error: str | None
) -> None:
    """Note one more attempt, and why the record still waits."""
    await conn.execute(
        "UPDATE held SET reason = %s, version = %s, error = %s, attempts = attempts + 1 WHERE id = %s",
        (reason, version, error, held_id),
    )


async def forget_key(conn: psycopg.AsyncConnection, topic: str, key: str) -> int:
    """Delete every held record of a key, settled or not, of all consumers here (erasure, product.md E4).

    First it takes the lock of the key's version rows, as whoever holds a record does: else a tombstone that is just
    being held behind a broken record would wait for ever for what is gone. What waited counts as taken: nothing is left
    to do. Call it before other locks are taken, since a record's own transaction takes that lock first.
    """
    await conn.execute("SELECT FROM inbox WHERE topic = %s AND key = %s ORDER BY consumer FOR UPDATE", (topic, key))
    await conn.execute(
        """UPDATE inbox i SET version = greatest(i.version, w.version), updated_at = now()
           FROM (SELECT consumer, max(version) AS version FROM held
                 WHERE topic = %(topic)s AND key = %(key)s AND reason = 'gap' AND settled_at IS NULL GROUP BY 1) w
           WHERE i.consumer = w.consumer AND i.topic = %(topic)s AND i.key = %(key)s AND w.version IS NOT NULL""",
        {"topic": topic, "key": key},
    )
    cursor = await conn.execute("DELETE FROM held WHERE topic = %s AND key = %s", (topic, key))
    return cursor.rowcount


async def get(conn: psycopg.AsyncConnection, held_id: UUID) -> Held | None:
    """One unsettled held record, whole."""
    found = await find(conn, held_id)
    return None if found is None or found.outcome else found


async def find(conn: psycopg.AsyncConnection, held_id: UUID) -> Held | None:
    """One held record, settled or not."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("SELECT * FROM held WHERE id = %s", (held_id,))
        row = await cursor.fetchone()
    return None if row is None else _held(row)


async def page(
    conn: psycopg.AsyncConnection, consumers: Sequence[str], *, before: UUID | None, limit: int
) -> list[Held]:
    """Unsettled held records, newest first; ids are UUIDv7, so they are the cursor too."""
    sql = """
        SELECT * FROM held WHERE consumer = ANY(%s) AND settled_at IS NULL AND (%s::uuid IS NULL OR id < %s)
        ORDER BY id DESC LIMIT %s
    """
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql, (list(consumers), before, before, limit))
        return [_held(row) for row in await cursor.fetchall()]


def _held(row: dict[str, Any]) -> Held:
    record = Record(
        topic=row["topic"],
        partition=row["partition"],
        offset=row["offset"],
        key=row.pop("raw_key"),
        value=row.pop("value"),
        headers=tuple((name, None if value is None else base64.b64decode(value)) for name, value in row.pop("headers")),
        timestamp_ms=row.pop("timestamp_ms"),
    )
    del row["digest"]
    return Held(**row, record=record)


def _headers_json(record: Record) -> str:
    # A header's name may hold what jsonb refuses (NUL); its value is bytes. Both survive as ASCII.
    return json.dumps(
        [
            [name.replace("\x00", "\\0"), None if value is None else base64.b64encode(value).decode()]
            for name, value in record.headers
        ]
    )
