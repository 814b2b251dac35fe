"""Indonesian people: names as they are given, phones that can be dialled."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

import phonenumbers
from faker import Faker

PROFESSIONS = ("Psikolog klinis", "Psikolog anak", "Konselor pernikahan", "Psikiater", "Konselor karier")
# Prefixes that Indonesian operators really use; Faker's own phones for id_ID are malformed.
_PREFIXES = ("811", "812", "813", "821", "822", "852", "853", "856", "857", "858", "877", "878", "895", "896")
_ZONES = ("Asia/Jakarta",) * 7 + ("Asia/Makassar",) * 2 + ("Asia/Jayapura",)


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
        """Return the next person."""
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
