"""Why a command was not carried out, beside what `booking_store` knows. Nothing here knows of HTTP.

CommandError
├── Refused           the decider said no
│   └── NotYet        ... on facts that another service may be about to tell: worth a short wait
├── Overlapped        somebody would be in two places (S4)
└── AlreadyRequested  R2: there is a session for this Transaction or assessment
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from booking_store import CommandError, Refused

Party = Literal["practitioner", "member", "both"]


class NotYet(Refused):
    """What is unknown, unpaid or somebody else's so far; the event that would change it may be on its way."""


@dataclass(frozen=True, slots=True)
class Clash:
    """Another session that holds the time, told only to who may see it."""

    session_id: UUID
    starts_at: datetime
    ends_at: datetime


class Overlapped(CommandError):
    """The time is taken for `party`; `conflicts` are those of the sessions in the way that the caller may see."""

    def __init__(self, party: Party, conflicts: tuple[Clash, ...]) -> None:
        super().__init__(f"the {party} has another session at that time")
        self.party = party
        self.conflicts = conflicts


class AlreadyRequested(CommandError):
    """The first session's id; `used` when it is completed, so that the Transaction has nothing left to give."""

    def __init__(self, session_id: UUID, *, used: bool) -> None:
        super().__init__(f"session {session_id} is there already")
        self.session_id = session_id
        self.used = used
