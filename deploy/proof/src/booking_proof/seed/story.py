"""Who is on the platform, and what each bought. The same seed gives the same people.

Indonesian people with phones that can be dialled; purchases with the clock of their time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from math import gcd
from random import Random
from typing import Any, Literal
from uuid import UUID

import phonenumbers
from faker import Faker

from booking_contracts.zones import zone

PROFESSIONS = ("Psikolog klinis", "Psikolog anak", "Konselor pernikahan", "Psikiater", "Konselor karier")
# Prefixes that Indonesian operators really use; Faker's own phones for id_ID are malformed.
_PREFIXES = ("811", "812", "813", "821", "822", "852", "853", "856", "857", "858", "877", "878", "895", "896")
_ZONES = ("Asia/Jakarta",) * 7 + ("Asia/Makassar",) * 2 + ("Asia/Jayapura",)
End = Literal["unpaid", "paid", "pending", "scheduled", "on_progress", "completed", "canceled", "failed"]
# What becomes of a purchase that lies in the past, and of one that is going on now.
PAST: tuple[End, ...] = ("completed",) * 8 + ("canceled", "failed")
PRESENT: tuple[End, ...] = (
    "unpaid",
    "paid",
    "pending",
    "pending",
    "scheduled",
    "scheduled",
    "scheduled",
    "on_progress",
)
FIRST_HOUR, HOURS = 8, 10
ZONE = zone("Asia/Jakarta")


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person to be put on the platform."""

    id: UUID
    name: str
    email: str
    phone: str
    timezone: str


class People:
    """Makes people from a seed: the same seed, the same people."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - names, not keys
        self._faker = Faker("id_ID")
        self._faker.seed_instance(seed)

    def one(self) -> Somebody:
        person = UUID(int=self._random.getrandbits(128), version=4)
        name = f"{self._faker.first_name()} {self._faker.last_name()}"
        address = f"{name.lower().replace(' ', '.').replace(',', '')}.{person.hex[:6]}@example.com"
        return Somebody(person, name, address, self._phone(), self._random.choice(_ZONES))

    def profile(self, person: Somebody, tiers: list[str]) -> dict[str, Any]:
        """Return a practitioner's profile, more or less complete (L2)."""
        filled = self._random.random()
        return {
            "name": f"Dr. {person.name}",
            "email": person.email,
            "phone": person.phone,
            "photo_url": f"https://example.com/photos/{person.id}.jpg" if filled > 0.2 else None,
            "bio": f"Praktisi sejak {self._random.randint(1995, 2024)}." if filled > 0.4 else None,
            "profession": self._random.choice(PROFESSIONS),
            "tiers": tiers,
            "timezone": person.timezone,
            "active": self._random.random() > 0.05,
        }

    def _phone(self) -> str:
        while True:
            number = f"+62{self._random.choice(_PREFIXES)}{self._random.randint(10**7, 10**8 - 1)}"
            if phonenumbers.is_valid_number(phonenumbers.parse(number)):
                return number


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase to tell: who, with whom, when the session is or would be, and how it ends."""

    member: UUID
    practitioner: int  # the practitioner's number
    bought_at: datetime
    day: date
    hour: int
    end: End

    @property
    def starts_at(self) -> datetime:
        return datetime.combine(self.day, time(self.hour), ZONE)


def purchases(
    members: list[UUID], practitioners: int, sessions: int, *, months: int, random: Random, today: date
) -> Iterator[Purchase]:
    """Yield `sessions` purchases, a tenth of them going on now, the others over the past months; 0 months: all now.

    Practitioner and hour follow from a running number, so nobody is asked to be in two places (S4); a member is given
    each purchase in turn, on a day of its own.
    """
    slots, days = [0] * practitioners, 30 * (months or 6)
    # Its multiples meet each day once before they meet one again (no common divisor), far apart (the golden ratio).
    stride = next(step for step in count(round(0.618 * days)) if gcd(step, days) == 1)
    for number in range(sessions):
        who = min(int(random.expovariate(4.0) * practitioners), practitioners - 1)  # a few are much in demand
        slot, slots[who] = slots[who], slots[who] + 1
        present = months == 0 or number % 10 == 0
        if present:
            day, hour = today + timedelta(days=1 + (slot // HOURS) % days), FIRST_HOUR + slot % HOURS
        else:
            back = slot * stride % days
            day, hour = today - timedelta(days=1 + back), FIRST_HOUR + (slot // days + 3 * back) % HOURS
        # An earlier lap over the same days would meet itself: the ends without a claim take the later laps.
        lap = slot // (HOURS * days)
        end = random.choice(PRESENT if present else PAST) if lap == 0 else random.choice(("completed", "canceled"))
        before = datetime.combine(today if present else day, time(6), ZONE).astimezone(UTC)
        yield Purchase(members[number % len(members)], who, before - timedelta(days=3), day, hour, end)
