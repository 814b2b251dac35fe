"""The version rows: one per (consumer, topic, key), moved in the transaction of the change itself.

That single transaction is what makes redelivery, replay and a zombie after a rebalance harmless (K8, F14, F23, F27):
whoever comes second finds the version taken. Nothing here depends on offsets, so a recreated topic or more partitions
change nothing (F51, F52).
"""

from typing import LiteralString

import psycopg

from booking_inbox.subscription import Subscription

_ROW: LiteralString = "consumer = %(consumer)s AND topic = %(topic)s AND key = %(key)s"

# One statement in the usual case. A key with held records never takes this way: its order must be looked at. The
# EXISTS keeps a first record of version 5 from making a row: it is a gap, not a beginning.
_EVENT: LiteralString = f"""
INSERT INTO inbox AS i (consumer, topic, key, version)
SELECT %(consumer)s::text, %(topic)s::text, %(key)s::text, %(version)s::bigint
WHERE (%(version)s::bigint = 1 OR EXISTS (SELECT FROM inbox WHERE {_ROW}))
  AND NOT EXISTS (SELECT FROM held WHERE {_ROW} AND settled_at IS NULL)
ON CONFLICT (consumer, topic, key) DO UPDATE SET version = excluded.version, updated_at = now()
WHERE i.version = excluded.version - 1
RETURNING i.version
"""  # noqa: S608 -- constants only

_STATE: LiteralString = f"""
INSERT INTO inbox AS i (consumer, topic, key, version)
SELECT %(consumer)s::text, %(topic)s::text, %(key)s::text, %(version)s::bigint
WHERE NOT EXISTS (SELECT FROM held WHERE {_ROW} AND settled_at IS NULL)
ON CONFLICT (consumer, topic, key) DO UPDATE SET version = excluded.version, updated_at = now()
WHERE i.version < excluded.version
RETURNING i.version
"""  # noqa: S608 -- constants only

# Without a sequence the row only counts, and serialises two copies of this consumer on the key.
_UNSEQUENCED: LiteralString = f"""
INSERT INTO inbox AS i (consumer, topic, key, version)
SELECT %(consumer)s::text, %(topic)s::text, %(key)s::text, 1
WHERE NOT EXISTS (SELECT FROM held WHERE {_ROW} AND settled_at IS NULL)
ON CONFLICT (consumer, topic, key) DO UPDATE SET version = i.version + 1, updated_at = now()
RETURNING i.version
"""  # noqa: S608 -- constants only

_LOCK: LiteralString = f"SELECT version FROM inbox WHERE {_ROW} FOR UPDATE"  # noqa: S608 -- constants only

_MAKE = """
INSERT INTO inbox (consumer, topic, key, version) VALUES (%(consumer)s, %(topic)s, %(key)s, 0)
ON CONFLICT DO NOTHING
"""

_MOVE: LiteralString = f"UPDATE inbox SET version = %(version)s, updated_at = now() WHERE {_ROW}"  # noqa: S608 -- constants only


class Inbox:
    """The version rows of one consumer's topic, on a connection inside a transaction."""

    def __init__(self, consumer: str, subscription: Subscription) -> None:
        topic = subscription.topic
        self._names = {"consumer": consumer, "topic": topic.name}
        self._advance: LiteralString = _UNSEQUENCED if not topic.sequenced else _STATE if topic.state else _EVENT

    async def advance(self, conn: psycopg.AsyncConnection, key: str, version: int | None) -> bool:
        """Move the row if this record's turn has plainly come and nothing of its key is held; lock it either way."""
        cursor = await conn.execute(self._advance, {**self._names, "key": key, "version": version})
        return await cursor.fetchone() is not None

    async def lock(self, conn: psycopg.AsyncConnection, key: str) -> int:
        """The key's last version (0: none yet), its row locked until the transaction ends."""
        names = {**self._names, "key": key}
        row = await (await conn.execute(_LOCK, names)).fetchone()
        if row is None:
            await conn.execute(_MAKE, names)
            row = await (await conn.execute(_LOCK, names)).fetchone()
        assert row is not None, "a version row cannot vanish: the run-time role has no DELETE on inbox"
        return int(row[0])

    async def move(self, conn: psycopg.AsyncConnection, key: str, version: int) -> None:
        """Set the last version of a key whose row this transaction has locked."""
        await conn.execute(_MOVE, {**self._names, "key": key, "version": version})
