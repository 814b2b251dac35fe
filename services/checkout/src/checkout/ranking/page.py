"""One page of the list: one index range of `ranking`, in the order of L2."""

from datetime import date
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from pydantic import BaseModel, Field

from booking_web.pages import bad_cursor, decode_cursor, encode_cursor
from checkout.ranking.months import Months, before

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


class Listed(PublicProfile):
    """A practitioner who can be chosen. The order: productivity, activity, completeness, then id."""

    rank: int = Field(description="1 is the first.")
    productivity: int = Field(description="Sessions completed last month.")
    activity: int = Field(description="What they did to sessions last month.")
    completeness: int = Field(description="0 to 3: photo, bio, profession.")
    version: int


async def page_after(
    conn: psycopg.AsyncConnection[Any], month: date, tier: str, cursor: str | None, limit: int
) -> list[Listed]:
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
    return decode_cursor(cursor, date, str, int, UUID, int, of="ranking")  # pyright: ignore[reportReturnType] - as the types say


def cursor_of(last: Listed, month: date, tier: str) -> str:
    """Return the cursor after a page's last practitioner."""
    place = -(last.productivity * _PRODUCTIVITY + last.activity * _ACTIVITY + last.completeness)
    return encode_cursor(month, tier, place, last.id, last.rank, of="ranking")
