"""What a request for a session relies upon, as other services told it (R1)."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from booking_contracts.event import ProductKind


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What the request relies upon of a paid Transaction, as consumed so far; the append's guard holds it to that."""

    transaction_id: UUID
    user_id: UUID
    practitioner_id: UUID | None
    status: str
    kind: ProductKind | None
    request_limit_minutes: int
    auto_start: bool
    version: int

    PAID: ClassVar[str] = "paid"


@dataclass(frozen=True, slots=True)
class Assessment:
    """A completed assessment and whose it is."""

    assessment_id: UUID
    user_id: UUID
