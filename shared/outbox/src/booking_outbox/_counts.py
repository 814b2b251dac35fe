"""What an owner's store holds of each topic, counted: for readers who keep a copy and want to prove that it is whole.

A checksum is a sum, so it can be made in any order and by any database: of the versions, and of the last twelve hex
digits of the ids (a UUIDv7 begins with its time, which is no checksum). A range is the last hex digit of the key, for
the same reason: a difference names a sixteenth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row
from psycopg.sql import SQL

from booking_contracts.ids import state_id
from booking_contracts.topics import Topic
from booking_outbox._reading import EventTopic, Published, StateTopic

RANGES = "0123456789abcdef"
Sums = tuple[int, int, int]
"""How many, the sum of their versions, the sum of their ids' digits."""
_PAGE = 5_000
_EVENTS = """
SELECT right(stream_id::text, 1) AS range, count(*) AS events, sum(version)::bigint AS versions,
       sum(('x' || right(id::text, 12))::bit(48)::bigint)::numeric AS ids
FROM events WHERE type = ANY(%(types)s) AND recorded_at < %(until)s GROUP BY 1"""
_WAITING = "SELECT count(*) AS waiting FROM outbox WHERE topic = %(topic)s"


@dataclass(frozen=True, slots=True)
class Count:
    """One range of one topic's keys.

    Of events those that were recorded before ``until``. Of state topics the rows as they are now, one for each key that
    has a value, whose last change was not before ``since`` where the topic keeps records for a time only.
    ``waiting``: of the whole topic, marks that the relay has still to send: a reader may lack as many.
    """

    topic: str
    range: str
    events: int
    versions: int
    ids: int
    until: datetime
    since: datetime | None
    waiting: int


async def counts(database_url: str, topics: Sequence[Published], until: datetime) -> list[Count]:
    """All ranges of all these topics, empty ones too, as one snapshot of the store has them. None of a topic that
    another system writes too, the one without a sequence: nobody's store holds all of it."""
    found: list[Count] = []
    async with (
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as conn,
        conn.transaction(),
    ):
        await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for published in topics:
            topic = published.topic
            if not topic.sequenced:
                continue
            since = _since(topic, until)
            match published:
                case EventTopic():
                    sums = await _events(conn, topic, until)
                case StateTopic():
                    sums = await _states(conn, published, since)
            (waits,) = await _rows(conn, _WAITING, {"topic": topic.name})
            found += [Count(topic.name, one, *sums[one], until, since, waits["waiting"]) for one in RANGES]
    return found


def _since(topic: Topic, until: datetime) -> datetime | None:
    """From when on every record is still on the topic, but for a day to spare; None: from the beginning."""
    kept = int(topic.config["retention.ms"])
    return None if kept < 0 else until - timedelta(milliseconds=kept) + timedelta(days=1)


async def _events(conn: psycopg.AsyncConnection[Any], topic: Topic, until: datetime) -> dict[str, Sums]:
    sums: dict[str, Sums] = dict.fromkeys(RANGES, (0, 0, 0))
    for row in await _rows(conn, _EVENTS, {"types": [event.TYPE for event in topic.events], "until": until}):
        sums[row["range"]] = (row["events"], row["versions"], int(row["ids"]))
    return sums


async def _states(conn: psycopg.AsyncConnection[Any], published: StateTopic, since: datetime | None) -> dict[str, Sums]:
    sums: dict[str, Sums] = dict.fromkeys(RANGES, (0, 0, 0))
    async with conn.cursor(name="counted_keys") as keys:
        await keys.execute(SQL("SELECT key::text FROM ({}) everything").format(SQL(published.all_keys)))
        while page := [key for (key,) in await keys.fetchmany(_PAGE)]:
            for row in await _rows(conn, published.query, {"keys": page}):
                if row["value"] is None or (since is not None and row["occurred_at"] < since):
                    continue
                key, version = str(row["key"]), int(row["version"])
                events, versions, ids = sums[key[-1]]
                number = int(state_id(published.topic.name, key, version).hex[-12:], 16)
                sums[key[-1]] = (events + 1, versions + version, ids + number)
    return sums


async def _rows(
    conn: psycopg.AsyncConnection[Any], query: LiteralString, params: dict[str, Any]
) -> list[dict[str, Any]]:
    cursor = conn.cursor(row_factory=dict_row)
    return await (await cursor.execute(query, params)).fetchall()
