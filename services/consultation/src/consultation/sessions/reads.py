"""Sessions as people see them: one, a page of them, as of an instant, and their history (product.md E1, E2, E5).

A page costs the same with ten thousand sessions and with ten million: the query reads one index in its order and stops
(`tests/integration/test_list_plans.py`). A person is a party in two ways, so two such reads are merged.
"""

import typing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composable, Composed, Literal

from booking_contracts.sessions import SessionCanceled, SessionFailed, SessionStatus
from booking_store import FreeText, Stored, load, load_latest
from consultation.people import NAMED, Parties, parties_of
from consultation.sessions.state import NotRequested, Session, fold
from consultation.sessions.store import Person, row

Connection = psycopg.AsyncConnection[Any]
Row = dict[str, Any]

_SHOWN = SQL("""
s.id, s.transaction_id, s.assessment_id, s.practitioner_id, s.user_id, s.kind, s.status, s.requested_at, s.respond_by,
s.auto_start, s.scheduled_date, s.time_start, s.time_end, s.timezone, s.ends_next_day, s.fold, s.fold_end,
s.starts_at, s.ends_at,
s.schedule_version, s.meeting_link, s.started_at, s.ended_at, s.result_id, s.result_has_link, s.result_has_notes,
s.result_link, s.result_notes, s.reason_code, s.reason_id, s.reason, s.version,
CASE WHEN ep.person_id IS NULL THEN coalesce(p.name, pc.name) END AS practitioner_name,
CASE WHEN em.person_id IS NULL THEN m.name END AS member_name,
pc.phone AS practitioner_phone, pc.locale AS practitioner_locale,
ep.person_id IS NOT NULL AS practitioner_erased, em.person_id IS NOT NULL AS member_erased,
e.product_name, e.duration_minutes
""")
_SCOPE = SQL("s.id = %(id)s AND (%(all)s OR %(person)s IN (s.practitioner_id, s.user_id))")
_ONE = SQL("SELECT {shown} FROM feedback_session s {named} WHERE {scope}").format(
    shown=_SHOWN, named=SQL(NAMED), scope=_SCOPE
)
_MAY_SEE = SQL("SELECT s.version FROM feedback_session s WHERE {}").format(_SCOPE)


async def one(conn: Connection, session_id: UUID, person: Person) -> Row | None:
    """The session as it is now, or None when it is not there for that person (E1)."""
    rows = await rows_of(conn, _ONE, _scope(session_id, person))
    return rows[0] if rows else None


async def as_of(conn: Connection, session_id: UUID, person: Person, instant: datetime) -> Row | None:
    """E5: the fold of what was recorded by `instant`, with rights by the present parties; None before it began."""
    if not await rows_of(conn, _MAY_SEE, _scope(session_id, person)):
        return None
    return await _folded(conn, await load(conn, session_id, up_to=instant))


async def at_version(conn: Connection, session_id: UUID, version: int) -> Row:
    """The session as a command left it: the answer to the twin of an earlier success."""
    found = await _folded(conn, await load(conn, session_id, up_to_version=version))
    assert found is not None  # the idempotency record was committed with these events
    return found


def after(state: Session, version: int, requested_at: datetime, text: FreeText | None, parties: Parties) -> Row:
    """The session as a command has just left it; it has no other text than the one that the command brought, and not
    even that of an erased person or about an erased member (E4)."""
    gone = parties.member_erased or (
        parties.practitioner_erased and text and text.author_id == state.about.practitioner_id
    )
    texts = {text.id: (text.text, text.link)} if text and not gone else {}
    return _merged(state, version, requested_at, texts) | parties._asdict()


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One event as people read it."""

    version: int
    type: str
    occurred_at: datetime
    actor: str
    data: Row
    reason: str | None
    erased: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some events, newest first; `version` is the session's own, and `more` says whether there are older ones."""

    version: int
    items: list[HistoryItem]
    more: bool


async def history(
    conn: Connection, session_id: UUID, person: Person, *, limit: int, before: int | None = None
) -> HistoryPage | None:
    """E2: who did what and when, below version `before`; None when the session is not there for that person."""
    found = await rows_of(conn, _MAY_SEE, _scope(session_id, person))
    if not found:
        return None
    version = found[0]["version"]
    stream = await load_latest(conn, session_id, limit=limit + 1, below=version + 1 if before is None else before)
    texts = await _texts(conn, session_id)
    return HistoryPage(version, [_item(stored, texts) for stored in stream[:limit]], len(stream) > limit)


def _item(stored: Stored, texts: dict[UUID, tuple[str | None, str | None]]) -> HistoryItem:
    event = stored.event
    reason_id = event.reason_id if isinstance(event, SessionCanceled | SessionFailed) else None
    reason = texts.get(reason_id, (None, None))[0] if reason_id else None
    return HistoryItem(
        version=stored.version,
        type=stored.type,
        occurred_at=stored.occurred_at,
        actor=stored.actor,
        data=event.model_dump(mode="json", exclude_none=True),
        reason=reason,
        erased=("reason",) if reason_id and reason is None else (),
    )


async def _folded(conn: Connection, stream: list[Stored]) -> Row | None:
    state = fold(stored.event for stored in stream)
    if isinstance(state, NotRequested):
        return None
    about = state.about
    parties = await parties_of(conn, about.practitioner_id, about.user_id, about.transaction_id)
    texts = await _texts(conn, about.session_id)
    return _merged(state, stream[-1].version, stream[0].occurred_at, texts) | parties._asdict()


def _merged(
    state: Session, version: int, requested_at: datetime, texts: dict[UUID, tuple[str | None, str | None]]
) -> Row:
    columns = row(state)
    notes, link = texts.get(columns["result_id"], (None, None))
    reason, _ = texts.get(columns["reason_id"], (None, None))
    return columns | {
        "id": state.about.session_id,
        "version": version,
        "requested_at": requested_at,
        "result_notes": notes,
        "result_link": link,
        "reason": reason,
    }


async def _texts(conn: Connection, session_id: UUID) -> dict[UUID, tuple[str | None, str | None]]:
    cursor = await conn.execute("SELECT id, text, link FROM session_text WHERE session_id = %s", [session_id])
    return {id_: (text, link) for id_, text, link in await cursor.fetchall()}


def _scope(session_id: UUID, person: Person) -> Row:
    return {"id": session_id, "person": person.id, "all": "admin" in person.roles}


async def rows_of(conn: Connection, query: Composed, params: Row) -> list[Row]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, params)
        return await cursor.fetchall()


Order = typing.Literal["newest", "by_start", "waiting"]


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked for; `start` and `end` are on `starts_at`, `[start, end)`, `statuses` are any of them."""

    statuses: tuple[SessionStatus, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    ids: tuple[UUID, ...] | None = None
    transaction_id: UUID | None = None
    practitioner_id: UUID | None = None
    user_id: UUID | None = None

    @property
    def order(self) -> Order:
        """The waiting list goes by who must answer first, a range by start, all else newest first."""
        if self.statuses == ("pending_negotiation",):
            return "waiting"
        return "by_start" if self.start or self.end else "newest"


Position = tuple[datetime, UUID] | tuple[UUID]
"""The sort key of a page's last row; an id alone where it is the whole key."""

_ORDERED: dict[Order, SQL] = {
    "newest": SQL("s.id DESC"),
    "by_start": SQL("s.starts_at DESC, s.id DESC"),
    "waiting": SQL("s.respond_by, s.id"),
}
_AFTER: dict[Order, SQL] = {
    "newest": SQL("s.id < %(id)s"),
    "by_start": SQL("(s.starts_at, s.id) < (%(key)s, %(id)s)"),
    "waiting": SQL("(s.respond_by, s.id) > (%(key)s, %(id)s)"),
}
# All sessions of a status. Equal to a status, PostgreSQL would often walk the ids from the newest and leave out the
# others, however many there are; between it and itself, in the order of status and id, only the index on both will do.
_OF_STATUS = SQL("s.status BETWEEN {0} AND {0}")
_ORDERED_OF_STATUS = SQL("s.status DESC, s.id DESC")
_AFTER_OF_STATUS = SQL("(s.status, s.id) < ({}, %(id)s)")
_PARTY = (SQL("s.practitioner_id = %(person)s"), SQL("s.user_id = %(person)s"))
# By its key alone: OFFSET 0 keeps out the order and the other conditions, for which it might walk another index.
_BY_KEY = SQL("(SELECT * FROM feedback_session WHERE {} OFFSET 0)")
_NARROWED: dict[str, SQL] = {
    "practitioner_id": SQL("s.practitioner_id = %(practitioner_id)s"),
    "user_id": SQL("s.user_id = %(user_id)s"),
    "start": SQL("s.starts_at >= %(start)s"),
    "end": SQL("s.starts_at < %(end)s"),
}


async def page(
    conn: Connection, person: Person, wanted: Filter, *, limit: int, after: Position | None
) -> tuple[list[Row], Position | None]:
    """The next `limit` sessions that this person may see, and where the page after it begins (None: that was all)."""
    params: Row = {"person": person.id, "transaction_id": wanted.transaction_id, "ids": list(wanted.ids or ())}
    params |= {name: getattr(wanted, name) for name in _NARROWED}
    if after is not None:
        params |= {"id": after[-1], "key": after[0]}
    # One more row tells whether there is a next page.
    rows = await rows_of(conn, statement(person, wanted, limit=limit + 1, continued=after is not None), params)
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], _position(wanted.order, rows[limit - 1])


def statement(person: Person, wanted: Filter, *, limit: int, continued: bool) -> Composed:
    """The query of a page, or of one after another page.

    Only what is asked for stands in the text: with `status = $1 OR $1 IS NULL` a generic plan could use no index. So do
    limit and statuses: for parameters PostgreSQL's general plan guesses too many rows, looks too dear, and every call
    is planned anew, half of a page's time.
    """
    conditions: list[Composable] = [text for name, text in _NARROWED.items() if getattr(wanted, name) is not None]
    pages = [
        SQL("(SELECT s.* FROM {source} s WHERE {where} ORDER BY {order} LIMIT {limit})").format(
            source=_source(wanted),
            where=SQL(" AND ").join([*scope, *conditions] or [SQL("true")]),
            order=order,
            limit=limit,
        )
        for scope, order in _scopes(person, wanted, continued=continued)
    ]
    return SQL("SELECT {shown} FROM ({pages}) s {named} ORDER BY {order} LIMIT {limit}").format(
        shown=_SHOWN, pages=SQL(" UNION ALL ").join(pages), named=SQL(NAMED), order=_ORDERED[wanted.order], limit=limit
    )


def _source(wanted: Filter) -> Composable:
    keys: list[Composable] = []
    if wanted.ids is not None:
        keys.append(SQL("id = ANY(%(ids)s)"))
    if wanted.transaction_id is not None:
        keys.append(SQL("transaction_id = %(transaction_id)s"))
    return _BY_KEY.format(SQL(" AND ").join(keys)) if keys else SQL("feedback_session")


def _scopes(person: Person, wanted: Filter, *, continued: bool) -> list[tuple[list[Composable], SQL]]:
    """The parts that a page is merged of, each one index in its order: whose sessions, of which status, after what."""
    admin, order = "admin" in person.roles, wanted.order
    narrow = wanted.ids or wanted.transaction_id or wanted.practitioner_id or wanted.user_id
    if admin and order == "newest" and wanted.statuses and not narrow:
        parts: list[list[Composable]] = [
            [_OF_STATUS.format(one), *([_AFTER_OF_STATUS.format(one)] if continued else [])]
            for one in map(Literal, wanted.statuses)
        ]
        return [(part, _ORDERED_OF_STATUS) for part in parts]
    common: list[Composable] = [_AFTER[order]] if continued else []
    match wanted.statuses:
        case ():
            pass
        case (one,):
            common.append(SQL("s.status = {}").format(Literal(one)))
        case several:
            common.append(SQL("s.status IN ({})").format(SQL(", ").join(map(Literal, several))))
    if admin:
        return [(common, _ORDERED[order])]
    return [([party, *common], _ORDERED[order]) for party in _PARTY]


@dataclass(frozen=True, slots=True)
class Summary:
    """How many sessions are open: each of them is one of the three."""

    waiting: int
    upcoming: int
    overdue: int


# Of a person: what waits is in two small indexes, what holds a time has a claim. Both hold open sessions alone.
_SUMMARY = SQL("""
SELECT (SELECT count(*) FROM feedback_session WHERE status = 'pending_negotiation' AND practitioner_id = %(person)s)
     + (SELECT count(*) FROM feedback_session WHERE status = 'pending_negotiation' AND user_id = %(person)s) AS waiting,
    count(*) FILTER (WHERE upper(during) > statement_timestamp()) AS upcoming,
    count(*) FILTER (WHERE upper(during) <= statement_timestamp()) AS overdue
FROM time_claim WHERE person_id = %(person)s
""").format()
_SUMMARY_OF_ALL = SQL("""
SELECT count(*) FILTER (WHERE status = 'pending_negotiation') AS waiting,
    count(*) FILTER (WHERE ends_at > statement_timestamp()) AS upcoming,
    count(*) FILTER (WHERE ends_at <= statement_timestamp()) AS overdue
FROM feedback_session WHERE status IN ('pending_negotiation', 'scheduled', 'on_progress')
""").format()


async def summary(conn: Connection, person: Person) -> Summary:
    """The counts of this person's open sessions, in whatever role; an admin's are everybody's."""
    query = _SUMMARY_OF_ALL if "admin" in person.roles else _SUMMARY
    (found,) = await rows_of(conn, query, {"person": person.id})
    return Summary(**found)


def _position(order: Order, row: Row) -> Position:
    match order:
        case "newest":
            return (row["id"],)
        case "by_start":
            return (row["starts_at"], row["id"])
        case "waiting":
            return (row["respond_by"], row["id"])
