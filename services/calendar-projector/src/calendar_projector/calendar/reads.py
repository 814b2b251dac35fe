"""Reading the calendar: by range, by person, always by an index (tested), never by sorting the whole; one's own writes;
and the few words that it shows. Titles never name a person (api.md); an event names its two beside.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from booking_contracts.sessions import SessionStatus
from booking_contracts.topics import CONTACTS, PRACTITIONERS
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

# Each by its key, whatever was planned on empty tables: subqueries can be asked no other way. Of erased people there is
# no copy, so no name (E4).
_NAMES = sql.SQL(
    "coalesce((SELECT name FROM practitioner WHERE id = e.practitioner_id),"
    " (SELECT name FROM person_locale WHERE person_id = e.practitioner_id)) AS practitioner_name,"
    " (SELECT name FROM person_locale WHERE person_id = e.user_id) AS member_name"
)
# A session lasts 8 hours at most (S2), so one that reaches into the range began within the day before it.
_IN_RANGE = sql.SQL("starts_at < %(end)s AND starts_at > %(start)s - interval '1 day' AND ends_at > %(start)s")
_AFTER = sql.SQL(" AND (starts_at, session_id) > (%(after)s, %(after_id)s)")

Who = Literal["all", "practitioner", "member", "pair", "person"]
"""Whose sessions: everybody's, a practitioner's, a member's, of the two together, a person's in whatever role."""
_WHO: dict[Who, tuple[sql.SQL, ...]] = {
    "all": (sql.SQL("true"),),
    "practitioner": (sql.SQL("practitioner_id = %(practitioner_id)s"),),
    "member": (sql.SQL("user_id = %(user_id)s"),),
    "pair": (sql.SQL("practitioner_id = %(practitioner_id)s AND user_id = %(user_id)s"),),
    "person": (
        sql.SQL("practitioner_id = %(person)s"),
        sql.SQL("user_id = %(person)s AND practitioner_id <> %(person)s"),
    ),
}


@lru_cache(maxsize=256)
def page(who: Who, *, limit: int, continued: bool) -> bytes:
    """The query of a page of the slot that is shown, or (`continued`) of one after another page.

    Each slot and role by itself, not through the view: PostgreSQL would read and sort all of the range before it takes
    the first page of a view over two tables, so that a page of everybody's sessions costs more the more there are. Only
    what is asked for stands in the text: "after this one, if any" is no range of the index, and of a limit in a
    parameter PostgreSQL guesses a tenth of the table, so that its size decided whether a plan is kept. A range of
    everybody's is planned at each call, for its ends must be seen: a plan for any range sorts all of a small table.
    """
    order = sql.SQL("ORDER BY starts_at, session_id LIMIT {}").format(limit)
    one = sql.SQL(
        "(SELECT {columns} FROM {table} WHERE (SELECT active_slot()) = {slot}"
        " AND starts_at IS NOT NULL AND {who} AND {in_range}{after} {order})"
    )
    pages = [
        one.format(
            columns=_COLUMNS,
            table=sql.Identifier(f"user_schedule_{slot}"),
            slot=sql.Literal(slot),
            who=whose,
            in_range=_IN_RANGE,
            after=_AFTER if continued else sql.SQL(""),
            order=order,
        )
        for whose in _WHO[who]
        for slot in "ab"
    ]
    whole = sql.SQL("SELECT e.*, {names} FROM ({pages} {order}) e ORDER BY e.starts_at, e.session_id")
    return whole.format(names=_NAMES, pages=sql.SQL(" UNION ALL ").join(pages), order=order).as_bytes()


_BY_IDS = (
    sql.SQL("SELECT {}, {} FROM session_calendar e WHERE session_id = ANY(%(ids)s) AND dated")
    .format(_COLUMNS, _NAMES)
    .as_bytes()
)
_BUSY = sql.SQL(
    "SELECT starts_at, ends_at FROM session_calendar WHERE starts_at IS NOT NULL AND {who} AND starts_at < %(end)s"
    " AND starts_at > %(start)s - interval '1 day' AND ends_at > %(start)s AND status IN ('scheduled', 'on_progress')"
)
_BY_TIME = sql.SQL(
    "SELECT starts_at, ends_at FROM ({}) b WHERE %(after)s::timestamptz IS NULL"
    " OR (starts_at, ends_at) > (%(after)s, %(after_end)s) ORDER BY starts_at, ends_at LIMIT %(limit)s"
)
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
    status: SessionStatus
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
    practitioner_name: str | None = None
    member_name: str | None = None


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
        return {name: getattr(self, name) for name in ("start", "end", "after", "after_id")}


async def of_person(conn: psycopg.AsyncConnection[Any], person: UUID, wanted: Range) -> list[Entry]:
    """The person's own calendar, in whatever role."""
    return await _page(conn, "person", wanted, person=person)


async def of_pair(
    conn: psycopg.AsyncConnection[Any], practitioner: UUID | None, member: UUID | None, wanted: Range
) -> list[Entry]:
    """Everybody's sessions, or those of a practitioner, of a member, of the two together."""
    who: dict[tuple[bool, bool], Who] = {
        (True, True): "pair",
        (True, False): "practitioner",
        (False, True): "member",
        (False, False): "all",
    }
    asked = who[practitioner is not None, member is not None]
    return await _page(conn, asked, wanted, practitioner_id=practitioner, user_id=member)


async def by_ids(conn: psycopg.AsyncConnection[Any], ids: Sequence[UUID]) -> list[Entry]:
    """These sessions' rows, of those that have ever been dated."""
    return await _entries(conn, _BY_IDS, {"ids": list(ids)})


async def is_practitioner(conn: psycopg.AsyncConnection[Any], person: UUID) -> bool:
    """Whether the person has a profile, or a session as practitioner whose profile has not come yet."""
    return await (await conn.execute(_PRACTITIONER, {"person": person})).fetchone() == (True,)


@dataclass(frozen=True, slots=True)
class Taken:
    """Which taken times: those that touch `[start, end)`, after the cursor's interval."""

    start: datetime
    end: datetime
    limit: int
    after: datetime | None = None
    after_end: datetime | None = None


async def busy(
    conn: psycopg.AsyncConnection[Any], person: UUID, wanted: Taken, *, also_as_member: bool
) -> list[tuple[datetime, datetime]]:
    """When the person is taken as practitioner, or in whatever role (S4): sessions that hold their time."""
    names = {"person": person, **asdict(wanted)}
    return await (await conn.execute(_BUSY_AT_ALL if also_as_member else _BUSY_AT_WORK, names)).fetchall()


async def _page(conn: psycopg.AsyncConnection[Any], who: Who, wanted: Range, **people: UUID | None) -> list[Entry]:
    statement = page(who, limit=wanted.limit, continued=wanted.after is not None)
    return await _entries(conn, statement, {**wanted.names(), **people})


async def _entries(conn: psycopg.AsyncConnection[Any], statement: bytes, names: dict[str, Any]) -> list[Entry]:
    async with conn.cursor(row_factory=class_row(Entry)) as cursor:
        await cursor.execute(statement, names)
        return await cursor.fetchall()


_TOPICS = {"checkout:practitioner": PRACTITIONERS.name, "checkout:person": CONTACTS.name}
_FIRST_POLL, _SLOWEST_POLL = 0.004, 0.05


async def visible(database: Database, wish: ConsistencyWish) -> None:
    """Wait for each session, practitioner and person that the caller's tokens name; 503 `not_yet_visible` after the
    wish's seconds, never stale."""
    until = asyncio.get_running_loop().time() + wish.wait
    await wish.visible(database, CONSUMER, _TOPICS)
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
