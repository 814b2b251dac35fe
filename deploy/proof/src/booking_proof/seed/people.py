"""Who is on the platform, and what it sells: drawn from a seed, so the same number gives the same.

Nobody of them lives: names are Faker's, addresses end in example.com (RFC 2606 §3), and phones are of 555-0100 to
555-0199, which the North American numbering plan keeps for fiction in each area.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal
from uuid import UUID, uuid5

import phonenumbers
from faker import Faker

from booking_contracts.money import Money
from booking_contracts.transactions import ProductSnapshot
from checkout.transactions.commands import Offer

HOUSE = UUID("6a1c5e0e-7d53-4f0a-8f0e-3f9d6b1e2c40")
"""The admin who set the platform up, and the namespace of what has one name on it."""
TIERS = ("silver", "gold", "platinum")
PROFESSIONS = ("Psikolog klinis", "Psikolog anak", "Konselor pernikahan", "Psikiater", "Konselor karier")
_ZONES = ("Asia/Jakarta",) * 7 + ("Asia/Makassar",) * 2 + ("Asia/Jayapura",)
_AREAS = [area for area in range(201, 990) if phonenumbers.is_valid_number(phonenumbers.parse(f"+1{area}5550100"))]
Kind = Literal["verification", "counseling"]


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person on the platform. `channels`: what they chose of email and WhatsApp, and when; None: nothing yet.

    `erased_at`: when an admin erases them (E4).
    """

    id: UUID
    name: str
    email: str
    phone: str | None
    timezone: str
    locale: str
    joined_at: datetime
    channels: tuple[bool, bool] | None = None
    chose_at: datetime | None = None
    erased_at: datetime | None = None

    @property
    def wants(self) -> tuple[bool, bool]:
        """Whether email, whether WhatsApp: both for who never chose."""
        return self.channels or (True, True)


@dataclass(frozen=True, slots=True)
class Practitioner:
    """A person with a profile. `demand`: how much they are asked for; `speed`: their answers' time against others'."""

    person: Somebody
    tiers: tuple[str, ...]
    photo_url: str | None
    bio: str | None
    profession: str | None
    active: bool
    demand: float
    speed: float
    link: str
    version: int
    updated_at: datetime

    @property
    def name(self) -> str:
        """As the public calls them."""
        return f"Dr. {self.person.name}"


class People:
    """Makes people from a seed: the same seed, the same people."""

    def __init__(self, seed: int, begins: datetime, until: datetime) -> None:
        self._random = Random(f"people {seed}")  # noqa: S311 - names, not keys
        self._faker = Faker("id_ID")
        self._faker.seed_instance(seed)
        self._begins, self._until = begins, until
        self._number = seed * 7_919

    def practitioner(self, number: int) -> Practitioner:
        """Somebody who offers sessions, with a profile that is more or less complete (L2)."""
        random = self._random
        person = self._one(self._begins - timedelta(days=random.uniform(1, 400)), phoneless=0.0)
        tiers = {TIERS[number % len(TIERS)]}
        if random.random() < 0.35:
            tiers.add(random.choice(TIERS))
        filled, version = random.random(), random.choice((1, 1, 1, 2, 3))
        updated = person.joined_at if version == 1 else self._between(person.joined_at, self._until)
        return Practitioner(
            person,
            tuple(sorted(tiers)),
            photo_url=f"https://example.com/photos/{person.id}.jpg" if filled > 0.2 else None,
            bio=f"Praktisi sejak {random.randint(1995, 2024)}." if filled > 0.4 else None,
            profession=random.choice(PROFESSIONS),
            active=random.random() > 0.05 or number < len(TIERS),
            demand=random.lognormvariate(0, 0.8),
            speed=random.lognormvariate(0, 0.5),
            link=self._link(),
            version=version,
            updated_at=updated,
        )

    def member(self, number: int) -> Somebody:
        """Somebody who buys. One in some hundreds is erased, long after what they bought."""
        early = self._random.random() ** 1.3  # more of them came lately than long ago
        person = self._one(self._until - (self._until - self._begins) * early, phoneless=0.04)
        return person if number % 211 != 7 else self._leaving(person)

    def _leaving(self, person: Somebody) -> Somebody:
        at = self._between(max(person.joined_at, self._begins), self._until)
        return Somebody(
            person.id, person.name, person.email, person.phone, person.timezone, person.locale, person.joined_at,
            person.channels, person.chose_at and min(person.chose_at, at), at,
        )  # fmt: skip

    def _one(self, joined_at: datetime, *, phoneless: float) -> Somebody:
        random = self._random
        person = UUID(int=random.getrandbits(128), version=4)
        name = f"{self._faker.first_name()} {self._faker.last_name()}"
        address = f"{name.lower().replace(' ', '.').replace(',', '')}.{person.hex[:6]}@example.com"
        self._number += 1
        area, last = _AREAS[self._number % len(_AREAS)], self._number // len(_AREAS) % 100
        phone = None if random.random() < phoneless else f"+1{area}55501{last:02}"
        zone, locale = random.choice(_ZONES), "en" if random.random() < 0.12 else "id"
        channels = chose_at = None
        if random.random() < 0.7:
            channels = random.choices(((True, False), (False, True), (True, True), (False, False)), (50, 34, 12, 4))[0]
            chose_at = min(joined_at + timedelta(minutes=random.lognormvariate(3, 1.5)), self._until)
        return Somebody(person, name, address, phone, zone, locale, joined_at, channels, chose_at)

    def _between(self, first: datetime, last: datetime) -> datetime:
        return first + (last - first) * self._random.random()

    def _link(self) -> str:
        letters = [self._random.choice("abcdefghijkmnopqrstuvwxyz") for _ in range(10)]
        text = "".join(letters)
        return f"https://meet.google.com/{text[:3]}-{text[3:7]}-{text[7:]}"


@dataclass(frozen=True, slots=True)
class Product:
    """What is sold, and at which price since when: `prices`, the first of which is of the platform's beginning."""

    id: UUID
    name: str
    kind: Kind
    tier: str
    currency: str
    minutes: int
    payment_ttl_minutes: int
    request_limit_minutes: int
    auto_start: bool
    share: float
    prices: tuple[tuple[datetime, int], ...]

    @property
    def snapshot(self) -> ProductSnapshot:
        """As a sale keeps it."""
        return ProductSnapshot(
            id=self.id, name=self.name, kind=self.kind, tier=self.tier, duration_minutes=self.minutes
        )

    def price_at(self, at: datetime) -> Money:
        """What it cost then."""
        amount = next(amount for since, amount in reversed(self.prices) if since <= at)
        return Money(amount, self.currency)

    def offer_at(self, at: datetime) -> Offer:
        """The catalogue's offer then."""
        return Offer(
            self.snapshot, self.price_at(at), self.request_limit_minutes, auto_start=self.auto_start, active=True
        )

    def row(self, amount: int) -> dict[str, Any]:
        """The catalogue's columns at this price."""
        return {
            "id": self.id, "name": self.name, "kind": self.kind, "tier": self.tier, "amount": amount,
            "currency": self.currency, "duration_minutes": self.minutes,
            "payment_ttl_minutes": self.payment_ttl_minutes, "request_limit_minutes": self.request_limit_minutes,
            "auto_start": self.auto_start, "active": True,
        }  # fmt: skip


# tier, kind, currency, first price, minutes, how much of the sales
_SOLD: Sequence[tuple[str, Kind, str, int, int, float]] = (
    ("silver", "counseling", "IDR", 150_000, 45, 30),
    ("gold", "counseling", "IDR", 250_000, 60, 22),
    ("platinum", "counseling", "IDR", 400_000, 60, 9),
    ("silver", "verification", "IDR", 90_000, 30, 14),
    ("gold", "verification", "IDR", 140_000, 30, 9),
    ("platinum", "verification", "IDR", 210_000, 45, 3),
    ("gold", "counseling", "USD", 2_900, 60, 5),
    ("platinum", "counseling", "USD", 4_900, 90, 2),
    ("gold", "counseling", "SGD", 3_800, 60, 4),
    ("silver", "verification", "AUD", 1_900, 30, 2),
)
_CALLED = {"counseling": "Konseling", "verification": "Verifikasi"}


def catalogue(seed: int, begins: datetime, until: datetime) -> list[Product]:
    """The products, whose prices rose now and then, and fell at times."""
    products: list[Product] = []
    for tier, kind, currency, first, minutes, share in _SOLD:
        named = f"{_CALLED[kind]} {tier}" + ("" if currency == "IDR" else f" {currency}")
        of = tier if (kind, currency) == ("counseling", "IDR") else f"{tier} {kind} {currency}"
        random = Random(f"price {seed} {of}")  # noqa: S311 - a story, no key
        unit = 5_000 if currency == "IDR" else 100
        since, amount = begins - timedelta(days=2), first
        prices = [(since, amount)]
        while True:
            since += timedelta(days=random.uniform(35, 120))
            if since >= until:
                break
            amount = max(unit, round(amount * random.choice((1.04, 1.08, 1.12, 0.92)) / unit) * unit)
            if amount != prices[-1][1]:
                prices.append((since.replace(microsecond=0), amount))
        products.append(
            Product(
                uuid5(HOUSE, of), named, kind, tier, currency, minutes,
                payment_ttl_minutes=1_440 if kind == "counseling" else 720,
                request_limit_minutes=10_080 if kind == "counseling" else 4_320,
                auto_start=kind == "verification" and tier == "gold",
                share=share, prices=tuple(prices),
            )
        )  # fmt: skip
    return products
