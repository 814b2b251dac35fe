"""The practitioner list: `ranking` = profiles x tiers x listed months, with the figures of that month (L1, L2).

Two writers, profiles and session events, each see only their own change: an advisory lock per practitioner, taken in a
statement before, lets the second see the first's commit (else the list would keep a figure or a tier that is gone).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from pydantic import BaseModel, Field

from booking_contracts.zones import Zone
from booking_process.database import Database
from booking_store import Connection
from booking_web.pages import bad_cursor, decode_cursor, encode_cursor


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Months:
    """A month is named by its first day. `now` is the clock; tests bring their own."""

    zone: Zone
    now: Callable[[], datetime] = _now

    def of(self, instant: datetime) -> date:
        """Return the month that an instant falls into."""
        return instant.astimezone(self.zone).date().replace(day=1)

    @property
    def last(self) -> date:
        """The previous calendar month, by which the list is ordered."""
        return before(self.of(self.now()))

    @property
    def listed(self) -> tuple[date, ...]:
        """The months that the list keeps rows for: the one shown, the one being counted, and the next, so that at a
        month's turn all rows are there already."""
        current = self.of(self.now())
        return before(current), current, after(current)


def before(month: date) -> date:
    """Return the month before."""
    return date(month.year - (month.month == 1), 12 if month.month == 1 else month.month - 1, 1)


def after(month: date) -> date:
    """Return the month after."""
    return date(month.year + (month.month == 12), 1 if month.month == 12 else month.month + 1, 1)


_LOCK = 0x72616E6B  # "rank"

# Everything is computed from the tables it is made of, so doing it twice is doing it once.
_GONE = """
DELETE FROM ranking r USING unnest(%(ids)s::uuid[]) AS wanted (id)
WHERE r.practitioner_id = wanted.id AND NOT EXISTS (
    SELECT 1 FROM practitioner p WHERE p.id = r.practitioner_id AND p.active AND r.tier = ANY(p.tiers))
"""
_LISTED = """
INSERT INTO ranking AS r (month, tier, practitioner_id, productivity, activity, completeness)
SELECT m.month, t.tier, p.id, coalesce(f.productivity, 0), coalesce(f.activity, 0), p.completeness
FROM practitioner p
CROSS JOIN unnest(p.tiers) AS t (tier)
CROSS JOIN unnest(%(months)s::date[]) AS m (month)
LEFT JOIN practitioner_month f ON f.practitioner_id = p.id AND f.month = m.month
WHERE p.active AND p.id = ANY(%(ids)s::uuid[])
ON CONFLICT (practitioner_id, month, tier) DO UPDATE
SET productivity = excluded.productivity, activity = excluded.activity, completeness = excluded.completeness
WHERE (r.productivity, r.activity, r.completeness) IS DISTINCT FROM
      (excluded.productivity, excluded.activity, excluded.completeness)
"""


async def lock(conn: Connection, ids: Collection[UUID]) -> None:
    """Wait for other writers of these rows; held until the transaction ends. In one order, so no deadlock."""
    for practitioner_id in sorted(ids):
        key = practitioner_id.int & 0x7FFFFFFF
        await conn.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, key])


async def refresh(conn: Connection, ids: Collection[UUID], months: Months) -> None:
    """Bring the rows of these practitioners up to date, for the listed months; `lock` them first."""
    parameters = {"ids": list(ids), "months": list(months.listed)}
    await conn.execute(_GONE, parameters)
    await conn.execute(_LISTED, parameters)


async def refresh_all(conn: Connection, months: Months, *, batch: int = 1_000) -> int:
    """Bring everybody's rows up to date, a batch at a time in transactions of their own; return how many people."""
    last, done = UUID(int=0), 0
    while True:
        async with conn.transaction():
            found = await conn.execute("SELECT id FROM practitioner WHERE id > %s ORDER BY id LIMIT %s", [last, batch])
            ids = [row[0] for row in await found.fetchall()]
            if not ids:
                return done
            await lock(conn, ids)
            await refresh(conn, ids, months)
        last, done = ids[-1], done + len(ids)


async def forget(conn: Connection, months: Months) -> None:
    """Drop the rows of months that nobody is shown any more; the figures themselves stay.

    The month before last stays: who reads page after page over a month's turn reads its list to the end.
    """
    await conn.execute("DELETE FROM ranking WHERE month < %s", [before(months.last)])


async def prepared(conn: Connection, month: date) -> bool:
    """Whether everybody's rows of that month were made."""
    found = await conn.execute("SELECT 1 FROM ranking_month WHERE month = %s", [month])
    return await found.fetchone() is not None


PREPARING = 600.0  # seconds that the month's rows of everybody may take


async def prepare_months(database: Database, months: Months) -> int:
    """Make the rows of the month to come, so that at its turn the list is there (L2): a timer's step."""
    async with database.autocommit(deadline=PREPARING) as conn:
        await prepare(conn, months)
    return 0


async def prepare(conn: Connection, months: Months) -> None:
    """Make everybody's rows of the listed months, once; on an autocommit connection."""
    if await prepared(conn, months.listed[-1]):
        return
    await refresh_all(conn, months)
    for month in months.listed:
        await conn.execute("INSERT INTO ranking_month (month) VALUES (%s) ON CONFLICT DO NOTHING", [month])
    await forget(conn, months)


# `place` rises down the list: productivity, activity and completeness in one number (see the table).
PAGE = """
SELECT r.practitioner_id AS id, p.name, p.photo_url, p.bio, p.profession, p.tiers, p.timezone,
       0 AS rank, r.productivity, r.activity, r.completeness, p.version
FROM (
    SELECT * FROM ranking WHERE month = %(month)s AND tier = %(tier)s {after}
    ORDER BY place, practitioner_id LIMIT %(limit)s
) r JOIN practitioner p ON p.id = r.practitioner_id
ORDER BY r.place, r.practitioner_id
"""
AFTER = "AND (place, practitioner_id) > (%(place)s, %(id)s)"
_PRODUCTIVITY, _ACTIVITY = 2**34, 4


class PublicProfile(BaseModel):
    """What everybody may see of a practitioner, in the list and in the profile itself."""

    id: UUID
    name: str = Field(examples=["Budi Santoso"])
    photo_url: str | None = Field(examples=["https://example.com/budi.jpg"])
    bio: str | None = Field(examples=["Sepuluh tahun mendampingi keluarga."])
    profession: str | None = Field(examples=["Psikolog"])
    tiers: list[str] = Field(examples=[["gold"]])
    timezone: str = Field(examples=["Asia/Jakarta"])


class Listed(PublicProfile, title="RankedPractitioner"):
    """A practitioner who can be chosen. The order: productivity, activity, completeness, then id."""

    rank: int = Field(description="1 is the first.")
    productivity: int = Field(description="Sessions completed last month.")
    activity: int = Field(description="What they did to sessions last month.")
    completeness: int = Field(description="0 to 3: photo, bio, profession.")
    version: int


class Place(BaseModel, title="PractitionerPlace"):
    """In the list of one tier."""

    tier: str = Field(examples=["gold"])
    rank: int = Field(description="1 is the first.")
    of: int = Field(description="How many are in the list.")


class Standing(BaseModel, title="PractitionerStanding"):
    """The figures that the lists go by now, and a place in each of them; none for who takes no clients."""

    month: date = Field(description="The first day of the month that counts: the previous one.")
    productivity: int = Field(description="Sessions completed in it.")
    activity: int = Field(description="What they did to sessions in it.")
    completeness: int = Field(description="0 to 3: photo, bio, profession.")
    places: list[Place]


_FIGURES = """
SELECT coalesce(f.productivity, 0), coalesce(f.activity, 0), p.completeness FROM practitioner p
LEFT JOIN practitioner_month f ON f.practitioner_id = p.id AND f.month = %(month)s WHERE p.id = %(id)s
"""
_PLACES = """
SELECT r.tier,
    1 + (SELECT count(*) FROM ranking b WHERE b.month = r.month AND b.tier = r.tier
         AND (b.place, b.practitioner_id) < (r.place, r.practitioner_id)) AS rank,
    (SELECT count(*) FROM ranking a WHERE a.month = r.month AND a.tier = r.tier) AS of
FROM ranking r WHERE r.practitioner_id = %(id)s AND r.month = %(month)s ORDER BY r.tier
"""


async def standing(conn: Connection, practitioner_id: UUID, months: Months) -> Standing | None:
    """Return how a practitioner stands now; None for who has no profile."""
    parameters = {"id": practitioner_id, "month": months.last}
    found = await (await conn.execute(_FIGURES, parameters)).fetchone()
    if found is None:
        return None
    productivity, activity, completeness = found
    rows = conn.cursor(row_factory=class_row(Place))
    await rows.execute(_PLACES, parameters)
    return Standing(
        month=months.last,
        productivity=productivity,
        activity=activity,
        completeness=completeness,
        places=await rows.fetchall(),
    )


async def page_after(conn: Connection, month: date, tier: str, cursor: str | None, limit: int) -> list[Listed]:
    """Return a page of who serves a tier, ranked by that month's figures."""
    query, parameters = query_of(month, tier, cursor, limit)
    rows = conn.cursor(row_factory=class_row(Listed))
    # In the text: for a parameter PostgreSQL guesses a tenth of the table and plans every call anew.
    await rows.execute(query.replace("%(limit)s", str(int(limit))).encode(), parameters)
    first = parameters["rank"] + 1
    return [one.model_copy(update={"rank": first + i}) for i, one in enumerate(await rows.fetchall())]


def query_of(month: date, tier: str, cursor: str | None, limit: int) -> tuple[str, dict[str, Any]]:
    """Return the page's statement and parameters."""
    parameters: dict[str, Any] = {"month": month, "tier": tier, "limit": limit, "rank": 0}
    if cursor is None:
        return PAGE.format(after=""), parameters
    _, _, place, last, rank = _decoded(cursor)
    parameters |= {"place": place, "id": last, "rank": rank}
    return PAGE.format(after=AFTER), parameters


def month_of(cursor: str | None, months: Months, tier: str) -> date:
    """Return the month whose list a page belongs to: last month, or the one that the first page was read in.

    A cursor goes on in its own month over a month's turn, and so do those after it. Problem 422 for another tier's
    cursor, and for one from a month whose rows are gone: its list can't be read to the end any more.
    """
    if cursor is None:
        return months.last
    of_month, of_tier, *_ = _decoded(cursor)
    if of_tier != tier or of_month not in (months.last, before(months.last)):
        raise bad_cursor()
    return of_month


def _decoded(cursor: str) -> tuple[date, str, int, UUID, int]:
    month, tier, place, last, rank = decode_cursor(cursor, date, str, int, UUID, int, of="ranking")
    return month, tier, place, last, rank


def cursor_of(last: Listed, month: date, tier: str) -> str:
    """Return the cursor after a page's last practitioner."""
    place = -(last.productivity * _PRODUCTIVITY + last.activity * _ACTIVITY + last.completeness)
    return encode_cursor(month, tier, place, last.id, last.rank, of="ranking")
