"""Patches into a slot: by JSON when few (live), by COPY into a stage when many (catching up, rebuild)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import psycopg

from booking_contracts.topics import SESSIONS, USER_SCHEDULE
from calendar_projector.projection.fold import COLUMNS, SCHEDULE_COLUMNS, Patch

COPY_ABOVE = 64
"""Patches. Below, one round trip with JSON is faster; above, COPY is."""

_TYPED = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
_GIVEN = f"jsonb_to_recordset(%(patches)s::jsonb) AS p({_TYPED})"
_STAGED = "stage AS p"
_STAGE = f"CREATE TEMPORARY TABLE IF NOT EXISTS stage ({_TYPED}) ON COMMIT DELETE ROWS"
_COPY = f"COPY stage ({', '.join(COLUMNS)}) FROM STDIN"

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
    """What was written: the sessions, whose calendars changed by each, and whether rows were marked for publishing."""

    people: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    published: bool = False

    def add(self, other: "Merged") -> None:
        """Take in what a further statement of the same transaction wrote."""
        for session, people in other.people.items():
            self.people.setdefault(session, set()).update(people)
        self.published |= other.published


async def merge(conn: psycopg.AsyncConnection[Any], slot: Slot, patches: Sequence[Patch]) -> Merged:
    """Merge what fits its row; the sessions that did not are missing from the answer."""
    if len(patches) <= COPY_ABOVE:
        return await _run(conn, _statement("merge.sql", slot.table, _GIVEN), slot, patches, _as_json(patches))
    await conn.execute(_STAGE.encode())
    async with conn.cursor() as cursor, cursor.copy(_COPY.encode()) as copy:
        for patch in patches:
            await copy.write_row(patch.row())
    return await _run(conn, _statement("merge.sql", slot.table, _STAGED), slot, patches, None)


async def apply_one(conn: psycopg.AsyncConnection[Any], slot: Slot, patch: Patch) -> Merged:
    """Apply one record's patch to its row, whose version the caller has moved."""
    return await _run(conn, _statement("apply_one.sql", slot.table, _GIVEN), slot, [patch], _as_json([patch]))


async def _run(
    conn: psycopg.AsyncConnection[Any], statement: bytes, slot: Slot, patches: Sequence[Patch], given: str | None
) -> Merged:
    names = {
        "patches": given,
        "consumer": slot.consumer,
        "topic": SESSIONS.name,
        "publish_to": USER_SCHEDULE.name,
        "slot": slot.name,
    }
    rows = await (await conn.execute(statement, names)).fetchall()
    left = {patch.session_id: patch.left for patch in patches}
    people = {row[0]: {row[1], row[2], *left[row[0]]} - {None} for row in rows}
    return Merged(people, published=bool(rows and rows[0][3]))


def _as_json(patches: Sequence[Patch]) -> str:
    return json.dumps([dict(zip(COLUMNS, patch.row(), strict=True)) for patch in patches])


@cache
def _statement(name: str, table: str, patches: str) -> bytes:
    text = (files("calendar_projector") / "projection" / name).read_text("utf-8")
    return text.replace("{slot}", table).replace("{changes}", _CHANGES).replace("{patches}", patches).encode()
