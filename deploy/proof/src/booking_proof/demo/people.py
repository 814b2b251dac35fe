"""Who plays: three practitioners and a product that every run shares, two members new in each run."""

import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any

from booking_local.stack.secrets import Secrets, sign

_HOUSE = uuid.UUID("5d3e6c1a-0b0e-4c0e-9a51-b00c1a6de000")
TIER = "gold"
ZONE = "Asia/Jakarta"


def fixed(name: str) -> uuid.UUID:
    """An id that every run gives this name."""
    return uuid.uuid5(_HOUSE, name)


@dataclass(frozen=True)
class Person:
    """Somebody with a token."""

    role: str
    name: str
    email: str
    phone: str
    sub: uuid.UUID
    token: str = field(repr=False)

    @property
    def offered(self) -> dict[str, Any]:
        """As the local identity provider offers them."""
        said = {"name": self.name, "email": self.email, "phone_number": self.phone, "locale": "id", "zoneinfo": ZONE}
        return {"sub": str(self.sub), "roles": [self.role], **said}


@dataclass(frozen=True)
class Cast:
    """Everybody of one run."""

    admin: Person
    sari: Person
    andi: Person
    practitioners: tuple[Person, ...]

    @property
    def offered(self) -> list[dict[str, Any]]:
        """All of them, to sign in as."""
        return [one.offered for one in (self.admin, self.sari, self.andi, *self.practitioners)]

    @property
    def everybody(self) -> dict[str, str]:
        """Names by id, so that what is shown is readable."""
        return {str(one.sub): one.name for one in (self.admin, self.sari, self.andi, *self.practitioners)}


PRODUCT_ID = fixed("product")
PRODUCT: dict[str, Any] = {
    "name": "Konseling Gold 60 menit",
    "kind": "counseling",
    "tier": TIER,
    "price": {"amount": 250_000, "currency": "IDR"},
    "duration_minutes": 60,
    "payment_ttl_minutes": 1440,
    "request_limit_minutes": 10_080,
    "auto_start": False,
    "active": True,
}


EXAMPLES: dict[str, uuid.UUID] = {
    "product": PRODUCT_ID,
    "practitioner": fixed("Dr. Budi Santoso"),
    "member": fixed("Sari Lestari"),
}
"""What `booking env` tells ids of: the demo's product and one of its practitioners, and a member of the shell's own."""


def gather(keys: Secrets) -> Cast:
    """The cast with fresh tokens; the members are new people."""
    mark = secrets.token_hex(3)

    def person(role: str, name: str, phone: str, sub: uuid.UUID, address: str) -> Person:
        claims: dict[str, Any] = {
            "name": name,
            "email": address,
            "phone_number": phone,
            "locale": "id",
            "zoneinfo": ZONE,
        }
        return Person(role, name, address, phone, sub, sign(keys, roles=[role], sub=str(sub), **claims))

    def member(name: str) -> Person:
        phone = f"+62813{secrets.randbelow(10**8):08d}"
        return person("member", name, phone, uuid.uuid4(), f"{name.split(maxsplit=1)[0].lower()}.{mark}@example.com")

    def practitioner(number: int, name: str) -> Person:
        return person("practitioner", name, f"+62812000000{number:02d}", fixed(name), f"praktisi{number}@example.com")

    names = ("Dr. Budi Santoso", "Dr. Ratna Dewi", "Agus Wijaya, M.Psi.")
    return Cast(
        admin=person("admin", "Admin", "+6281100000000", fixed("admin"), "admin@example.com"),
        sari=member("Sari Lestari"),
        andi=member("Andi Pratama"),
        practitioners=tuple(practitioner(number, name) for number, name in enumerate(names, start=1)),
    )


def profile(person: Person, completeness: int) -> dict[str, Any]:
    """A practitioner's profile with that many of photo, bio and profession."""
    parts = {
        "photo_url": f"https://example.com/photos/{person.sub}.jpg",
        "bio": "Psikolog klinis, sepuluh tahun pengalaman.",
        "profession": "Psikolog",
    }
    shown = dict(list(parts.items())[:completeness])
    return {
        "name": person.name,
        "tiers": [TIER],
        "timezone": ZONE,
        "active": True,
        "phone": person.phone,
        "email": person.email,
        **{name: shown.get(name) for name in parts},
    }
