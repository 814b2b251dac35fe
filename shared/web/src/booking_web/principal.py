"""Who calls."""

import math
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from uuid import UUID

Role: TypeAlias = Literal["member", "practitioner", "admin", "service"]
ROLES: frozenset[str] = frozenset({"member", "practitioner", "admin", "service"})


@dataclass(frozen=True, slots=True)
class Principal:
    """The person or system that a valid token speaks for; `sub` is its user_id and practitioner_id (api.md)."""

    sub: UUID
    roles: frozenset[str]
    name: str | None = None
    email: str | None = None
    phone_number: str | None = None
    locale: str | None = None
    zoneinfo: str | None = None
    expires_at: float = field(default=math.inf, compare=False)
    """Until when the token speaks, in Unix seconds: what outlives its request (a stream) ends then."""

    def has(self, *roles: str) -> bool:
        """Whether the principal has any of the roles."""
        return not self.roles.isdisjoint(roles)

    def actor(self, role: str) -> str:
        """The actor that an event records: ``member:<uuid>``."""
        return f"{role}:{self.sub}"
