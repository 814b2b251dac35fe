"""What a service keeps of people who are told by topics, and what an erasure takes away (product.md E4).

Topics have no order among each other: a contact may come after its person's erasure. So who is erased stays known, and
nothing of them is written again. Everybody who writes of a person takes locks in this order, so nobody waits in a ring:

1. the version rows of the person's keys, by topic (a record's own transaction has taken its row before it comes here)
2. the person: `People.lock`, shared by `is_erased`
3. checkout: the person's place in the ranking, then the rows of the person and of the practitioner
4. all other rows
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql

from booking_contracts.decode import Decoded
from booking_contracts.topics import Topic
from booking_inbox import forget_key
from booking_web.idempotency import forget_answers

Connection = psycopg.AsyncConnection[Any]


@dataclass(frozen=True, slots=True)
class Copy:
    """What is kept of a topic's rows: its key and these fields of its event, in columns of the same names."""

    topic: Topic
    table: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class People:
    """The people of one service: its copies, and its table of who is erased.

    `forgets`: topics without a copy here, of which records of the person may be held nevertheless. `key`: what the lock
    of a person is of, in SQL; two releases side by side must agree on it.
    """

    erased: str
    copies: tuple[Copy, ...] = ()
    forgets: tuple[Topic, ...] = ()
    key: LiteralString = "'erase:' || %(person)s::text, 0"

    async def lock(self, conn: Connection, person_id: UUID) -> None:
        """Wait for whoever else writes of this person, until the transaction ends.

        Without it what is written in the moment of an erasure would survive it: neither sees the other.
        """
        await conn.execute(f"SELECT pg_advisory_xact_lock(hashtextextended({self.key}))", {"person": person_id})

    async def is_erased(self, conn: Connection, person_id: UUID) -> bool:
        """Whether the person was erased; their token may still be valid."""
        found = await conn.execute(
            sql.SQL("SELECT 1 FROM {} WHERE person_id = %s").format(sql.Identifier(self.erased)), [person_id]
        )
        return await found.fetchone() is not None

    async def follow(self, conn: Connection, record: Decoded) -> None:
        """Keep what a record tells of its person, unless they are erased; a tombstone takes the copy away."""
        copy = next(copy for copy in self.copies if copy.topic.name == record.record.topic)
        person_id = UUID(record.meta.subject)
        if record.event is not None:
            await self.lock(conn, person_id)
            told = {field: getattr(record.event, field) for field in copy.fields}
            await conn.execute(self._keep(copy), {**told, "person": person_id})
        elif record.kind == "tombstone":
            await conn.execute(_drop(copy), [person_id])

    @asynccontextmanager
    async def erasing(self, conn: Connection, person_id: UUID, at: datetime) -> AsyncGenerator[None]:
        """Delete the copies, held records and kept answers of a person, and note that they are erased; safe to repeat.

        Whatever else the service has of them is erased within, in the same transaction.
        """
        topics = {topic.name for topic in (*self.forgets, *(copy.topic for copy in self.copies))}
        for name in sorted(topics):
            await forget_key(conn, name, str(person_id))
        await self.lock(conn, person_id)
        note = sql.SQL("INSERT INTO {} (person_id, erased_at) VALUES (%s, %s) ON CONFLICT DO NOTHING")
        await conn.execute(note.format(sql.Identifier(self.erased)), [person_id, at])
        for copy in self.copies:
            await conn.execute(_drop(copy), [person_id])
        yield
        await forget_answers(conn, person_id)

    def _keep(self, copy: Copy) -> sql.Composed:
        changes = [sql.SQL("{0} = excluded.{0}").format(sql.Identifier(field)) for field in copy.fields]
        return sql.SQL(
            "INSERT INTO {table} ({columns}) SELECT {values}"
            " WHERE NOT EXISTS (SELECT FROM {erased} WHERE person_id = %(person)s) ON CONFLICT ({key}) DO {change}"
        ).format(
            table=sql.Identifier(copy.table),
            columns=sql.SQL(", ").join(sql.Identifier(column) for column in (copy.topic.key, *copy.fields)),
            values=sql.SQL(", ").join(sql.Placeholder(name) for name in ("person", *copy.fields)),
            erased=sql.Identifier(self.erased),
            key=sql.Identifier(copy.topic.key),
            change=sql.SQL("UPDATE SET {}").format(sql.SQL(", ").join(changes)) if changes else sql.SQL("NOTHING"),
        )


def _drop(copy: Copy) -> sql.Composed:
    return sql.SQL("DELETE FROM {} WHERE {} = %s").format(sql.Identifier(copy.table), sql.Identifier(copy.topic.key))
