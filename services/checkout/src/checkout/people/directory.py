"""The directory of practitioners: a page of profiles, with their contact data, by name.

It is read by admins who look for somebody. What is looked for has an index of its own, words of names and tiers, and
the order by name another; PostgreSQL takes the one by which it reads less.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import dict_row

from booking_store import Connection
from checkout.people.store import Profile

_WORD = re.compile(r"\w+")
_WORDS = "to_tsvector('simple', p.name)"
_PLACE = "lower(p.name), p.id"
# By the last one's id, not its name: a cursor goes through addresses and logs, and nobody's name should.
_AFTER = f"({_PLACE}) > ((SELECT lower(name) FROM practitioner WHERE id = %(after)s), %(after)s::uuid)"  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; None where it is not. `words`: how the query for words of names is written."""

    ids: list[UUID] | None = None
    words: str | None = None
    tier: str | None = None
    active: bool | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """How a practitioner is reached."""

    phone: str | None
    email: str | None


def words_of(name: str | None) -> str | None:
    """The beginnings of words as PostgreSQL asks for them: `bud san` is `bud:* & san:*`. Without words: nobody's."""
    if name is None:
        return None
    return " & ".join(f"{word}:*" for word in _WORD.findall(name))


def statement(wanted: Wanted, *, limit: int, continued: bool) -> str:
    """The page's query. Only what is asked for stands in it, and so does the limit (`ranking/listing.py`).

    Words are looked up first, whatever the planner thinks of them (OFFSET 0): it takes any beginning of a word for a
    common one, and would go through all names in their order until a page is full. The inactive are few, and have an
    index.
    """
    asked = {
        "p.id = ANY(%(ids)s)": wanted.ids is not None,
        "p.tiers @> ARRAY[%(tier)s::text]": wanted.tier is not None,
        "p.active": wanted.active is True,
        "NOT p.active": wanted.active is False,
        _AFTER: continued,
    }
    where = " AND ".join(["p.erased_at IS NULL", *(text for text, yes in asked.items() if yes)])
    found = "practitioner p"
    if wanted.words is not None:
        words = f"{_WORDS} @@ to_tsquery('simple', %(words)s)"
        found = f"(SELECT * FROM practitioner p WHERE p.erased_at IS NULL AND {words} OFFSET 0) p"  # noqa: S608 - constants
    return (
        "SELECT p.id, p.name, p.photo_url, p.bio, p.profession, p.tiers, p.timezone, p.active, p.version, c.phone,"  # noqa: S608 - constants
        f" c.email FROM {found} LEFT JOIN LATERAL (SELECT phone, email FROM person WHERE id = p.id OFFSET 0) c"
        f" ON true WHERE {where} ORDER BY {_PLACE} LIMIT {int(limit)}"
    )


async def page(conn: Connection, wanted: Wanted, *, after: UUID | None, limit: int) -> list[tuple[Profile, Contact]]:
    """Return the next so many, those who were erased left out."""
    cursor = conn.cursor(row_factory=dict_row)
    names = {"ids": wanted.ids, "words": wanted.words, "tier": wanted.tier, "after": after}
    await cursor.execute(statement(wanted, limit=limit, continued=after is not None).encode(), names)
    found: list[tuple[Profile, Contact]] = []
    for row in await cursor.fetchall():
        contact = Contact(row.pop("phone"), row.pop("email"))
        found.append((Profile(**row), contact))
    return found
