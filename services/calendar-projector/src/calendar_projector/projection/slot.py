"""A generation's rows, in slot `a` or `b`: patches into them, their versions, and what of them is published.

Patches go as arrays, one a column, into one prepared statement, however many they are. The version rows that the
inbox's rules need are the slot's rows themselves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.pq.abc import PGresult

from booking_contracts.decode import Decoded
from booking_contracts.topics import SESSIONS, USER_SCHEDULE
from booking_inbox import Inbox, Move
from booking_outbox import StateTopic
from booking_postgres import Prepared
from calendar_projector.projection.fold import COLUMNS, SCHEDULE_COLUMNS, Patch, event_data

_LATEST = ("transaction_id", "practitioner_id", "user_id", "status", "schedule_version")
_CHANGES = ", ".join(
    (
        "row_version = t.row_version + p.last_version - p.first_version + 1",
        "changed_at = coalesce(p.changed_at, t.changed_at)",
        "dated = t.dated OR p.dated",
        *(f"{name} = coalesce(p.{name}, t.{name})" for name in _LATEST),
        *(f"{name} = CASE p.schedule WHEN 'keep' THEN t.{name} ELSE p.{name} END" for name in SCHEDULE_COLUMNS),
    )
)


@dataclass(frozen=True, slots=True)
class Slot:
    """Slot `a` or `b`: where a generation's rows go, and under which name its held records wait."""

    name: str

    @property
    def table(self) -> str:
        """The slot's table."""
        return f"user_schedule_{self.name}"

    @property
    def consumer(self) -> str:
        """The name in the table `held`."""
        return f"calendar-projector.{self.name}"


@dataclass(slots=True)
class Merged:
    """What was written: whose rows, and whether any were marked for publishing."""

    sessions: set[str] = field(default_factory=set[str])
    published: bool = False

    def add(self, other: "Merged") -> None:
        """Take in what a further statement of the same transaction wrote."""
        self.sessions |= other.sessions
        self.published |= other.published


async def merge(conn: psycopg.AsyncConnection[Any], slot: Slot, patches: Sequence[Patch]) -> Merged:
    """Merge what fits its row, in the transaction in hand; the sessions that did not are missing from the answer."""
    return await _merge(conn, slot, patches, ["0", SESSIONS.name, "{}", "{}", "{}", "{}"], by_itself=False)


async def merge_and_move(
    conn: psycopg.AsyncConnection[Any], slot: Slot, patches: Sequence[Patch], generation: int, moves: Sequence[Move]
) -> Merged | None:
    """Merge all and move the positions in one statement; None, and nothing is written, if anything does not fit.

    `conn` commits each statement by itself.
    """
    ordered = sorted(moves, key=lambda move: move.partition)
    columns = zip(*((m.partition, m.expected, m.next, m.timestamp_ms) for m in ordered), strict=True)
    positions = [str(generation), SESSIONS.name, *(f"{{{','.join(map(str, column))}}}" for column in columns)]
    try:
        return await _merge(conn, slot, patches, positions, by_itself=True)
    except (psycopg.DataError, psycopg.IntegrityError):  # it says so itself, or PostgreSQL cannot read a value
        return None


async def apply_one(conn: psycopg.AsyncConnection[Any], slot: Slot, patch: Patch) -> Merged:
    """Apply one record's patch to its row, whose version the caller has moved."""
    first = _FIRST["apply_one.sql"]
    given = [slot.name, USER_SCHEDULE.name, *_arrays([patch])]
    return _merged(await _statement("apply_one.sql", slot.table, first).run(conn, given))


async def _merge(
    conn: psycopg.AsyncConnection[Any], slot: Slot, patches: Sequence[Patch], positions: list[str], *, by_itself: bool
) -> Merged:
    kinds = [slot.consumer, USER_SCHEDULE.name, slot.name, str(len(patches)), "t" if by_itself else "f"]
    statement = _statement("merge.sql", slot.table, _FIRST["merge.sql"])
    return _merged(await statement.run(conn, [*positions, *kinds, *_arrays(patches)]))


_FIRST = {"apply_one.sql": 3, "merge.sql": 12}
"""The number of the first array's parameter."""


def _merged(result: PGresult) -> Merged:
    published, told = result.get_value(0, 0), result.get_value(0, 1)
    return Merged(set(told.decode().split(",")) if told else set(), published=published != b"0")


def _arrays(patches: Sequence[Patch]) -> list[str]:
    return ["{" + ",".join(map(_element, column)) + "}" for column in zip(*(p.row() for p in patches), strict=True)]


def _element(value: str | None) -> str:
    return "NULL" if value is None else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@cache
def _statement(name: str, table: str, first: int) -> Prepared:
    text = (files("calendar_projector") / "projection" / name).read_text("utf-8")
    arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(COLUMNS.values(), first))
    given = f"unnest({arrays}) AS p({', '.join(COLUMNS)})"
    return Prepared(text.replace("{slot}", table).replace("{changes}", _CHANGES).replace("{given}", given))


class _SlotRows:
    """The version rows in `user_schedule_a` or `_b`."""

    def __init__(self, slot: Slot) -> None:
        table = sql.Identifier(slot.table)
        self._select = sql.SQL("SELECT version FROM {} WHERE session_id = %s FOR UPDATE").format(table)
        self._make = sql.SQL(
            "INSERT INTO {} (session_id, version, row_version) VALUES (%s, 0, 0) ON CONFLICT DO NOTHING"
        ).format(table)
        self._move = sql.SQL("UPDATE {} SET version = %s WHERE session_id = %s").format(table)

    async def advance(self, conn: psycopg.AsyncConnection[Any], key: str, version: int | None) -> bool:
        """Never by itself: whoever comes here wants to look closely."""
        del conn, key, version
        return False

    async def lock(self, conn: psycopg.AsyncConnection[Any], key: str) -> int:
        """The session's last version (0: none yet), its row locked until the transaction ends."""
        if not _is_uuid(key):  # a poisoned record's key names no session; the lock still orders its copies
            await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (key,))
            return 0
        row = await (await conn.execute(self._select, (key,))).fetchone()
        if row is None:
            await conn.execute(self._make, (key,))
            row = await (await conn.execute(self._select, (key,))).fetchone()
        assert row is not None, "a version row does not vanish"
        return int(row[0])

    async def move(self, conn: psycopg.AsyncConnection[Any], key: str, version: int) -> None:
        """Set the last version of a session whose row this transaction has locked."""
        if _is_uuid(key):
            await conn.execute(self._move, (version, key))


def inbox_of(slot: Slot, applied: Callable[[Merged], None]) -> Inbox:
    """The inbox over this slot; `applied` is told what each record did, before the commit."""

    async def apply(conn: psycopg.AsyncConnection[Any], item: Decoded) -> None:
        version = item.meta.sequence or 0
        patch = Patch(item.meta.subject, version, version)
        patch.take(*event_data(item))
        applied(await apply_one(conn, slot, patch))

    return Inbox(slot.consumer, {SESSIONS: apply}, versions=_SlotRows(slot))


def _is_uuid(key: str) -> bool:
    try:
        return str(UUID(key)) == key
    except ValueError:
        return False


# A row that lost its date by a rebuild is a tombstone; one of a session this release never read cannot be marked.
_ROWS = """
SELECT session_id::text AS key, row_version AS version, changed_at AS occurred_at,
       'service:calendar-projector' AS actor,
       CASE WHEN dated THEN json_strip_nulls(json_build_object(
           'session_id', session_id, 'transaction_id', transaction_id, 'practitioner_id', practitioner_id,
           'user_id', user_id, 'status', status, 'scheduled_date', scheduled_date,
           'time_start', to_char(time_start, 'HH24:MI'), 'time_end', to_char(time_end, 'HH24:MI'), 'timezone', timezone,
           'starts_at', to_char(starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'ends_at', to_char(ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'schedule_version', schedule_version
       ))::text END AS value
FROM session_calendar
"""

ROWS = StateTopic(
    USER_SCHEDULE,
    query=_ROWS + "WHERE session_id = ANY(%(keys)s::text[]::uuid[])",
    all_keys="SELECT session_id::text AS key FROM session_calendar WHERE dated",
)
