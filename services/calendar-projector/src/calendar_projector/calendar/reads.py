"""Reading the calendar: by range, by person, always by an index (tested), never by sorting the whole; one's own writes;
and the few words that it shows, never a person's name (api.md).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from booking_contracts.topics import PRACTITIONERS
from booking_process.database import Database
from booking_web import context
from booking_web.consistency import ConsistencyToken, ConsistencyWish
from booking_web.languages import Language
from booking_web.problems import unavailable
from calendar_projector.kafka import CONSUMER

_COLUMNS = sql.SQL(
    "session_id, transaction_id, practitioner_id, user_id, status, scheduled_date, time_start, time_end, timezone,"
    " starts_at, ends_at, meeting_link, schedule_version, version, row_version, changed_at"
)

# A session lasts 8 hours at most (S2), so one that reaches into the range began within the day before it.
_IN_RANGE = sql.SQL(
    "starts_at < %(end)s AND starts_at > %(start)s - interval '1 day' AND ends_at > %(start)s"
    " AND (%(after)s::timestamptz IS NULL OR (starts_at, session_id) > (%(after)s::timestamptz, %(after_id)s::uuid))"
)
_ORDER = sql.SQL("ORDER BY starts_at, session_id LIMIT %(limit)s")


def _page(who: LiteralString) -> sql.Composed:
    """A page of the slot that is shown.

    Each slot by itself, not through the view: PostgreSQL would read and sort all of the range before it takes the first
    page of a view over two tables, so that a page of everybody's sessions costs more the more there are.
    """
    page = sql.SQL(
        "(SELECT {columns} FROM {table} WHERE (SELECT active_slot()) = {slot}"
        " AND starts_at IS NOT NULL AND {who} AND {in_range} {order})"
    )
    slots = [
        page.format(
            columns=_COLUMNS,
            table=sql.Identifier(f"user_schedule_{slot}"),
            slot=sql.Literal(slot),
            who=sql.SQL(who),
            in_range=_IN_RANGE,
            order=_ORDER,
        )
        for slot in "ab"
    ]
    return sql.SQL("({}) {}").format(sql.SQL(" UNION ALL ").join(slots), _ORDER)


_OF_ALL = _page("true")
_OF_PRACTITIONER = _page("practitioner_id = %(practitioner_id)s")
_OF_MEMBER = _page("user_id = %(user_id)s")
_OF_BOTH = _page("practitioner_id = %(practitioner_id)s AND user_id = %(user_id)s")
_OF_PERSON = sql.SQL("(({}) UNION ALL ({})) {}").format(
    _page("practitioner_id = %(person)s"), _page("user_id = %(person)s AND practitioner_id <> %(person)s"), _ORDER
)
_BY_IDS = sql.SQL("SELECT {} FROM session_calendar WHERE session_id = ANY(%(ids)s) AND dated").format(_COLUMNS)
_BUSY = sql.SQL(
    "SELECT starts_at, ends_at FROM session_calendar WHERE starts_at IS NOT NULL AND {who} AND starts_at < %(end)s"
    " AND starts_at > %(start)s - interval '1 day' AND ends_at > %(start)s AND status IN ('scheduled', 'on_progress')"
)
_BY_TIME = sql.SQL("SELECT starts_at, ends_at FROM ({}) b ORDER BY starts_at, ends_at")
_AT_WORK = _BUSY.format(who=sql.SQL("practitioner_id = %(person)s"))
_AS_MEMBER = _BUSY.format(who=sql.SQL("user_id = %(person)s AND practitioner_id <> %(person)s"))
_BUSY_AT_WORK = _BY_TIME.format(_AT_WORK)
_BUSY_AT_ALL = _BY_TIME.format(sql.SQL(" UNION ALL ").join([_AT_WORK, _AS_MEMBER]))
_PRACTITIONER = (
    "SELECT EXISTS (SELECT FROM practitioner WHERE id = %(person)s) OR EXISTS (SELECT FROM session_calendar"
    " WHERE practitioner_id = %(person)s AND starts_at IS NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One session in a calendar, as its row is now."""

    session_id: UUID
    transaction_id: UUID
    practitioner_id: UUID
    user_id: UUID
    status: str
    scheduled_date: date | None
    time_start: time | None
    time_end: time | None
    timezone: str | None
    starts_at: datetime | None
    ends_at: datetime | None
    meeting_link: str | None
    schedule_version: int
    version: int
    row_version: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Range:
    """Which sessions: those that touch `[start, end)`, after the cursor's place."""

    start: datetime
    end: datetime
    limit: int
    after: datetime | None = None
    after_id: UUID | None = None

    def names(self) -> dict[str, Any]:
        """The statement's parameters."""
        return {name: getattr(self, name) for name in ("start", "end", "limit", "after", "after_id")}


async def of_person(conn: psycopg.AsyncConnection[Any], person: UUID, wanted: Range) -> list[Entry]:
    """The person's own calendar, in whatever role."""
    return await _entries(conn, _OF_PERSON, {**wanted.names(), "person": person})


async def of_pair(
    conn: psycopg.AsyncConnection[Any], practitioner: UUID | None, member: UUID | None, wanted: Range
) -> list[Entry]:
    """Everybody's sessions, or those of a practitioner, of a member, of the two together."""
    statement = {
        (True, True): _OF_BOTH,
        (True, False): _OF_PRACTITIONER,
        (False, True): _OF_MEMBER,
        (False, False): _OF_ALL,
    }[practitioner is not None, member is not None]
    names = {**wanted.names(), "practitioner_id": practitioner, "user_id": member}
    return await _entries(conn, statement, names)


async def by_ids(conn: psycopg.AsyncConnection[Any], ids: Sequence[UUID]) -> list[Entry]:
    """These sessions' rows, of those that have ever been dated."""
    return await _entries(conn, _BY_IDS, {"ids": list(ids)})


async def is_practitioner(conn: psycopg.AsyncConnection[Any], person: UUID) -> bool:
    """Whether the person has a profile, or a session as practitioner whose profile has not come yet."""
    return await (await conn.execute(_PRACTITIONER, {"person": person})).fetchone() == (True,)


async def busy(
    conn: psycopg.AsyncConnection[Any], person: UUID, start: datetime, end: datetime, *, also_as_member: bool
) -> list[tuple[datetime, datetime]]:
    """When the person is taken as practitioner, or in whatever role (S4): sessions that hold their time."""
    names = {"person": person, "start": start, "end": end}
    return await (await conn.execute(_BUSY_AT_ALL if also_as_member else _BUSY_AT_WORK, names)).fetchall()


async def _entries(conn: psycopg.AsyncConnection[Any], statement: sql.Composed, names: dict[str, Any]) -> list[Entry]:
    async with conn.cursor(row_factory=class_row(Entry)) as cursor:
        await cursor.execute(statement, names)
        return await cursor.fetchall()


_FIRST_POLL, _SLOWEST_POLL = 0.004, 0.05


async def visible(database: Database, wish: ConsistencyWish) -> None:
    """Wait for each session and practitioner that the caller's tokens name; 503 `not_yet_visible` after the wish's
    seconds, never stale."""
    until = asyncio.get_running_loop().time() + wish.wait
    await wish.visible(database, CONSUMER, {"checkout:practitioner": PRACTITIONERS.name})
    for token in wish.tokens:
        if (token.service, token.kind) == ("consultation", "session"):
            await _visible(database, token, until)


async def _visible(database: Database, token: ConsistencyToken, until: float) -> None:
    pause = _FIRST_POLL
    while not await _has(database, token):
        left = until - asyncio.get_running_loop().time()
        if left <= 0:
            raise unavailable("not_yet_visible", "That version has not arrived here yet. Try again.", retry_after=1)
        await context.pause(min(pause, left))
        pause = min(pause * 2, _SLOWEST_POLL)


async def _has(database: Database, token: ConsistencyToken) -> bool:
    try:
        session = UUID(token.id)
    except ValueError:
        return False
    async with database.autocommit() as conn:
        found = await conn.execute(
            "SELECT version >= %s FROM session_calendar WHERE session_id = %s", (token.version, session)
        )
        row = await found.fetchone()
    return bool(row and row[0])


_SESSION = {"id": "Sesi konsultasi", "en": "Consultation"}
_STATUS = {
    "id": {
        "pending_negotiation": "menunggu jadwal baru",
        "on_progress": "berlangsung",
        "completed": "selesai",
        "canceled": "dibatalkan",
        "failed": "gagal",
    },
    "en": {
        "pending_negotiation": "waiting for a new time",
        "on_progress": "running",
        "completed": "completed",
        "canceled": "canceled",
        "failed": "failed",
    },
}
_CALENDAR = {"id": "Jadwal konsultasi", "en": "Consultations"}


def title(status: str, language: Language) -> str:
    """What an entry is called: a scheduled one plainly, any other with its status."""
    word = _STATUS[language].get(status)
    return f"{_SESSION[language]} ({word})" if word else _SESSION[language]


def calendar_name(language: Language) -> str:
    """What a feed is called."""
    return _CALENDAR[language]
