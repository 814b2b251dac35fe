"""Why a command was not carried out. Nothing here knows of HTTP; `api/problems.py` translates.

ConsultationError
├── Refused           the decider said no
│   └── NotYet        ... on facts that another service may be about to tell: worth a short wait
├── Stale             the caller decided on another version (S7)
├── Overlapped        somebody would be in two places (S4)
├── AlreadyRequested  R2: there is a session for this Transaction or assessment
├── Busy              other commands were faster, twice
└── KeyReused         the idempotency key belongs to another request
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from consultation.session.refusal import Refusal

Party = Literal["practitioner", "member", "both"]


class ConsultationError(Exception):
    """The command changed nothing."""


class Refused(ConsultationError):
    """The decider's refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.detail}")
        self.refusal = refusal


class NotYet(Refused):
    """What is unknown, unpaid or somebody else's so far; the event that would change it may be on its way."""


class Stale(ConsultationError):
    """If-Match named another version than the present one."""

    def __init__(self, current: int) -> None:
        super().__init__(f"the session is at version {current}")
        self.current = current


@dataclass(frozen=True, slots=True)
class Clash:
    """Another session that holds the time, told only to who may see it."""

    session_id: UUID
    starts_at: datetime
    ends_at: datetime


class Overlapped(ConsultationError):
    """The time is taken for `party`; `conflicts` are those of the sessions in the way that the caller may see."""

    def __init__(self, party: Party, conflicts: tuple[Clash, ...]) -> None:
        super().__init__(f"the {party} has another session at that time")
        self.party = party
        self.conflicts = conflicts


class AlreadyRequested(ConsultationError):
    """The first session's id; `used` when it is completed, so that the Transaction has nothing left to give."""

    def __init__(self, session_id: UUID, *, used: bool) -> None:
        super().__init__(f"session {session_id} is there already")
        self.session_id = session_id
        self.used = used


class Busy(ConsultationError):
    """The stream changed under every try."""


class KeyReused(ConsultationError):
    """The same idempotency key came with another request."""
