"""What was told in the last day, in the order in which it was committed: what a reader who was away resumes from.

An item's place is the database's time in microseconds, and at least one more than the place before. Whoever appends
holds the head's row until the commit, so nobody ever sees a place and later one before it; and a place is never given
twice, also not by a store that was restored. It tells nobody how much others do, as a counter would.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.decode import Decoded
from booking_outbox import Progress
from booking_process.database import Database, DatabaseDownError
from calendar_projector.stream.items import told_of

CHANNEL = "stream"
KEPT = timedelta(hours=24)
MOST = 1000
"""Items that are told again to who was away; of more, reading again is cheaper."""

_APPEND = """
WITH head AS (
    UPDATE stream_head
    SET place = greatest(place, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) + cardinality(%(items)s::text[])
    RETURNING place
), appended AS (
    INSERT INTO stream_item (place, event_id, member_id, practitioner_id, admins, item)
    SELECT head.place - cardinality(%(items)s::text[]) + n, event_id, member_id, practitioner_id, admins, item
    FROM head, unnest(%(ids)s::uuid[], %(members)s::uuid[], %(practitioners)s::uuid[], %(admins)s::boolean[],
                      %(items)s::text[])
               WITH ORDINALITY AS t (event_id, member_id, practitioner_id, admins, item, n)
    ON CONFLICT (event_id, admins) DO NOTHING
)
SELECT pg_notify(%(channel)s, json_build_object('place', place)::text) FROM head
"""  # noqa: E501
_PAGE = """
SELECT place, member_id, practitioner_id, admins, item FROM stream_item WHERE place > %s ORDER BY place LIMIT 500
"""
_HEAD = "SELECT place, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - %s FROM stream_head"
# One index each, in its order: of "either" PostgreSQL would read everybody's items of the time between.
_OWN = """
SELECT place, item FROM (
    (SELECT place, item FROM stream_item WHERE member_id = %(person)s AND place > %(after)s ORDER BY place LIMIT %(most)s)
    UNION
    (SELECT place, item FROM stream_item WHERE practitioner_id = %(person)s AND place > %(after)s ORDER BY place
     LIMIT %(most)s)
) own ORDER BY place LIMIT %(most)s
"""  # noqa: E501
_ALL = "SELECT place, item FROM stream_item WHERE admins AND place > %(after)s ORDER BY place LIMIT %(most)s"
_FORGET = """
DELETE FROM stream_item WHERE place IN (SELECT place FROM stream_item WHERE place < %s ORDER BY place LIMIT 1000)
"""


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose stream: a person's, or an admin's, who sees all."""

    person: UUID
    admin: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """An item in its place, and who sees it."""

    place: int
    member_id: UUID | None
    practitioner_id: UUID | None
    admins: bool
    item: str


@dataclass(frozen=True, slots=True)
class Missed:
    """What a reader has not seen up to `place`, as `(place, item)`; not `whole` where it is more than is told."""

    place: int
    whole: bool
    items: Sequence[tuple[int, str]] = ()


async def append(conn: psycopg.AsyncConnection[Any], records: Sequence[Decoded]) -> None:
    """Store what these events tell, but for copies, and wake who listens, with the commit."""
    told = [one for record in records for one in told_of(record)]
    if not told:
        return
    columns = {
        "ids": [one.event_id for one in told],
        "members": [one.member_id for one in told],
        "practitioners": [one.practitioner_id for one in told],
        "admins": [one.admins for one in told],
        "items": [one.item for one in told],
    }
    await conn.execute(_APPEND, {**columns, "channel": CHANNEL})


async def refresh_all(conn: psycopg.AsyncConnection[Any]) -> None:
    """Tell every open stream to read again, with the commit."""
    await conn.execute("SELECT pg_notify(%s, %s)", (CHANNEL, json.dumps({"refresh": True})))


async def end_streams_of(conn: psycopg.AsyncConnection[Any], person: UUID) -> None:
    """End the person's open streams, with the commit."""
    await conn.execute("SELECT pg_notify(%s, %s)", (CHANNEL, json.dumps({"ended": str(person)})))


async def head(conn: psycopg.AsyncConnection[Any]) -> tuple[int, int]:
    """The last place, and the one before which items may have been forgotten."""
    row = await (await conn.execute(_HEAD, (_microseconds(KEPT),))).fetchone()
    assert row is not None, "the head is made by the migration"
    return row[0], row[1]


async def page(conn: psycopg.AsyncConnection[Any], after: int) -> list[Stored]:
    """The next items of everybody, 500 at most."""
    return [Stored(*row) for row in await (await conn.execute(_PAGE, (after,))).fetchall()]


async def missed(conn: psycopg.AsyncConnection[Any], reader: Reader, after: int) -> Missed:
    """What the reader has not seen since that place."""
    last, horizon = await head(conn)
    if after > last or (after < horizon and after != last):
        return Missed(last, whole=False)
    names = {"person": reader.person, "after": after, "most": MOST + 1}
    rows = await (await conn.execute(_ALL if reader.admin else _OWN, names)).fetchall()
    if len(rows) > MOST:
        return Missed(last, whole=False)
    return Missed(rows[-1][0] if rows else after, True, [(place, item) for place, item in rows])


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


_LATE = timedelta(hours=1)
"""Longer than any reader takes between asking for the horizon and reading from there on."""


async def forget(conn: psycopg.AsyncConnection[Any]) -> None:
    """Delete the items that nobody resumes from any more, and the tickets that have expired."""
    _, horizon = await head(conn)
    while (await conn.execute(_FORGET, (horizon - _microseconds(_LATE),))).rowcount:
        pass
    await conn.execute("DELETE FROM stream_ticket WHERE expires_at < now()")


class Forgetting:
    """A worker that forgets, once a minute."""

    name = "stream-forgetting"

    def __init__(self, database: Database, every: float = 60.0) -> None:
        self._database, self._every = database, every

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set."""
        while not stop.is_set():
            with suppress(DatabaseDownError):
                async with self._database.autocommit() as conn:
                    await forget(conn)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._every)

    def progress(self) -> Progress:
        """Never behind: nothing waits for it."""
        return Progress(backlog=0, moved_at=time.monotonic())
