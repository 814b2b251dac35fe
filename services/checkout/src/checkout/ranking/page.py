"""One page of the list: one index range of `ranking`, in the order of L2."""

from datetime import date
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from pydantic import BaseModel, Field

from booking_chassis.cursors import decode_cursor, encode_cursor

# All bounds are in the index's own order, negated where it descends, so the row comparison is one range of it.
PAGE = """
SELECT r.practitioner_id AS id, p.name, p.photo_url, p.bio, p.profession, p.tiers, p.timezone,
       0 AS rank, r.productivity, r.activity, r.completeness, p.version
FROM (
    SELECT * FROM ranking
    WHERE month = %(month)s AND tier = %(tier)s {after}
    ORDER BY productivity DESC, activity DESC, completeness DESC, practitioner_id
    LIMIT %(limit)s
) r JOIN practitioner p ON p.id = r.practitioner_id
ORDER BY r.productivity DESC, r.activity DESC, r.completeness DESC, r.practitioner_id
"""
AFTER = """AND productivity <= %(productivity)s AND (
        productivity < %(productivity)s
     OR activity < %(activity)s AND productivity = %(productivity)s
     OR completeness < %(completeness)s AND activity = %(activity)s AND productivity = %(productivity)s
     OR practitioner_id > %(id)s AND completeness = %(completeness)s AND activity = %(activity)s
        AND productivity = %(productivity)s)"""


class Listed(BaseModel):
    """A practitioner who can be chosen. The order: productivity, activity, completeness, then id."""

    id: UUID
    name: str
    photo_url: str | None
    bio: str | None
    profession: str | None
    tiers: list[str]
    timezone: str
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
    await rows.execute(query, parameters)  # pyright: ignore[reportArgumentType]
    first = parameters["rank"] + 1
    return [one.model_copy(update={"rank": first + i}) for i, one in enumerate(await rows.fetchall())]


def query_of(month: date, tier: str, cursor: str | None, limit: int) -> tuple[str, dict[str, Any]]:
    """Return the page's statement and parameters."""
    parameters: dict[str, Any] = {"month": month, "tier": tier, "limit": limit, "rank": 0}
    if cursor is None:
        return PAGE.format(after=""), parameters
    of_month, of_tier, *figures = decode_cursor(cursor, date, str, int, int, int, UUID, int)
    # A cursor of another month or tier goes on in its own: the order it came from (L2).
    names = ("productivity", "activity", "completeness", "id", "rank")
    parameters |= {"month": of_month, "tier": of_tier, **dict(zip(names, figures, strict=True))}
    return PAGE.format(after=AFTER), parameters


def cursor_of(last: Listed, month: date, tier: str) -> str:
    """Return the cursor after a page's last practitioner."""
    return encode_cursor(month, tier, last.productivity, last.activity, last.completeness, last.id, last.rank)
