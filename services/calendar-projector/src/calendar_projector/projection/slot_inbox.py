"""The version rows of a generation are its slot's rows: what the inbox's rules for one record need of them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.decode import Decoded
from booking_contracts.topics import SESSIONS
from booking_inbox import Inbox
from calendar_projector.projection.facts import fact
from calendar_projector.projection.fold import Patch
from calendar_projector.projection.merge import Merged, Slot, apply_one


class _SlotRows:
    """The version rows in `user_schedule_a` or `_b`."""

    def __init__(self, slot: Slot) -> None:
        self._table = slot.table

    async def advance(self, conn: psycopg.AsyncConnection[Any], key: str, version: int | None) -> bool:
        """Never by itself: whoever comes here wants to look closely."""
        del conn, key, version
        return False

    async def lock(self, conn: psycopg.AsyncConnection[Any], key: str) -> int:
        """The session's last version (0: none yet), its row locked until the transaction ends."""
        if not _is_uuid(key):  # a poisoned record's key names no session; the lock still orders its copies
            await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (key,))
            return 0
        select = f"SELECT version FROM {self._table} WHERE session_id = %s FOR UPDATE"  # noqa: S608 one of two names
        row = await (await conn.execute(select.encode(), (key,))).fetchone()
        if row is None:
            make = (
                f"INSERT INTO {self._table} (session_id, version, row_version) VALUES (%s, 0, 0) ON CONFLICT DO NOTHING"  # noqa: S608
            )
            await conn.execute(make.encode(), (key,))
            row = await (await conn.execute(select.encode(), (key,))).fetchone()
        assert row is not None, "a version row does not vanish"
        return int(row[0])

    async def move(self, conn: psycopg.AsyncConnection[Any], key: str, version: int) -> None:
        """Set the last version of a session whose row this transaction has locked."""
        if _is_uuid(key):
            update = f"UPDATE {self._table} SET version = %s WHERE session_id = %s"  # noqa: S608 one of two names
            await conn.execute(update.encode(), (version, key))


def inbox_of(slot: Slot, applied: Callable[[Merged], None]) -> Inbox:
    """The inbox over this slot; `applied` is told what each record did, before the commit."""

    async def apply(conn: psycopg.AsyncConnection[Any], item: Decoded) -> None:
        version = item.meta.sequence or 0
        patch = Patch(item.meta.subject, version, version)
        patch.take(*fact(item))
        applied(await apply_one(conn, slot, patch))

    return Inbox(slot.consumer, {SESSIONS: apply}, versions=_SlotRows(slot))


def _is_uuid(key: str) -> bool:
    try:
        return str(UUID(key)) == key
    except ValueError:
        return False
