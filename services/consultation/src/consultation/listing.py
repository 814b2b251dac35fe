"""Pages of sessions: three orders, each with its index, each a keyset (api.md: lists newest first).

A page costs the same with ten thousand sessions and with ten million: the query reads one index in its order and stops
(`tests/integration/test_list_plans.py`). A person is a party in two ways, so two such reads are merged.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql

from booking_contracts.sessions import SessionStatus
from consultation.orders import Person
from consultation.reading import NAMED, SHOWN, Row, rows_of

Connection = psycopg.AsyncConnection[Any]
Order = Literal["newest", "by_start", "waiting"]


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked for; `start` and `end` are on `starts_at`, `[start, end)`."""

    status: SessionStatus | None = None
    start: datetime | None = None
    end: datetime | None = None

    @property
    def order(self) -> Order:
        """The waiting list goes by who must answer first, a range by start, all else newest first."""
        if self.status == "pending_negotiation":
            return "waiting"
        return "by_start" if self.start or self.end else "newest"


Position = tuple[datetime, UUID] | tuple[UUID]
"""The sort key of a page's last row; an id alone where it is the whole key."""

_ORDERED: dict[Order, LiteralString] = {
    "newest": "ORDER BY s.id DESC",
    "by_start": "ORDER BY s.starts_at DESC, s.id DESC",
    "waiting": "ORDER BY s.respond_by, s.id",
}
_AFTER: dict[Order, LiteralString] = {
    "newest": "s.id < %(id)s",
    "by_start": "(s.starts_at, s.id) < (%(key)s, %(id)s)",
    "waiting": "(s.respond_by, s.id) > (%(key)s, %(id)s)",
}
# All sessions of one status. Equal to a status, PostgreSQL would often walk the ids from the newest and leave out the
# others, however many there are; between it and itself, in the order of status and id, only the index on both will do.
_OF_STATUS: LiteralString = "s.status BETWEEN %(status)s AND %(status)s"
_ORDERED_OF_STATUS: LiteralString = "ORDER BY s.status DESC, s.id DESC"
_AFTER_OF_STATUS: LiteralString = "(s.status, s.id) < (%(status)s, %(id)s)"
_PARTY: tuple[LiteralString, ...] = ("s.practitioner_id = %(person)s", "s.user_id = %(person)s")


async def page(
    conn: Connection, person: Person, wanted: Filter, *, limit: int, after: Position | None
) -> tuple[list[Row], Position | None]:
    """The next `limit` sessions that this person may see, and where the page after it begins (None: that was all)."""
    params: Row = {
        "person": person.id,
        "status": wanted.status,
        "start": wanted.start,
        "end": wanted.end,
    }
    if after is not None:
        params |= {"id": after[-1], "key": after[0]}
    # Limit and status stand in the text: for parameters PostgreSQL's general plan guesses too many rows, looks too
    # dear, and every call is planned anew, half of a page's time. One more row tells whether there is a next page.
    query = statement(person, wanted, continued=after is not None).replace("%(limit)s", str(int(limit) + 1))
    query = query.replace("%(status)s", sql.Literal(wanted.status).as_string(conn))
    rows = await rows_of(conn, query.encode(), params)
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], _position(wanted.order, rows[limit - 1])


def statement(person: Person, wanted: Filter, *, continued: bool) -> LiteralString:
    """The query of a page, or of one after another page."""
    if "admin" in person.roles and wanted.order == "newest" and wanted.status is not None:
        return _of_status(continued=continued)
    scopes = (None,) if "admin" in person.roles else _PARTY
    # Only what is asked for stands in the text: with `status = $1 OR $1 IS NULL` a generic plan could use no index.
    common: list[LiteralString] = []
    if wanted.status is not None:
        # Written out, so that the partial indexes of the waiting list are seen to fit.
        waiting = wanted.order == "waiting"
        common.append("s.status = 'pending_negotiation'" if waiting else "s.status = %(status)s")
    if wanted.start is not None:
        common.append("s.starts_at >= %(start)s")
    if wanted.end is not None:
        common.append("s.starts_at < %(end)s")
    if continued:
        common.append(_AFTER[wanted.order])
    order = _ORDERED[wanted.order]
    branches: list[LiteralString] = []
    for scope in scopes:
        parts: list[LiteralString] = [scope, *common] if scope else common
        where: LiteralString = ("WHERE " + " AND ".join(parts) + " ") if parts else ""
        branches.append("(SELECT s.* FROM feedback_session s " + where + order + " LIMIT %(limit)s)")  # noqa: S608 - constants
    return _shown(" UNION ALL ".join(branches), order)


def _of_status(*, continued: bool) -> LiteralString:
    where: LiteralString = _OF_STATUS + (" AND " + _AFTER_OF_STATUS if continued else "")
    page: LiteralString = (
        "SELECT s.* FROM feedback_session s WHERE " + where + " " + _ORDERED_OF_STATUS + " LIMIT %(limit)s"  # noqa: S608 - constants
    )
    return _shown(page, _ORDERED["newest"])


def _shown(page: LiteralString, order: LiteralString) -> LiteralString:
    return "SELECT " + SHOWN + " FROM (" + page + ") s " + NAMED + order + " LIMIT %(limit)s"  # noqa: S608 - constants


def _position(order: Order, row: Row) -> Position:
    match order:
        case "newest":
            return (row["id"],)
        case "by_start":
            return (row["starts_at"], row["id"])
        case "waiting":
            return (row["respond_by"], row["id"])
