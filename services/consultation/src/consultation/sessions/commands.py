"""What can be asked of a FeedbackSession, and the value of a no.

A command brings its actor, the clock's reading and new ids with it: the decider has none of them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from booking_contracts.sessions import SessionStatus
from consultation.entitlements.domain import Assessment, Entitlement
from consultation.sessions.lifecycle import CommandName, PersonalCommand, ReasonCode, Role
from consultation.sessions.times import Fault, LocalTimes

RefusalCode = Literal[
    "not_found", "forbidden", "wrong_status", "transaction_not_paid", "invalid_time", "invalid_reason", "not_due"
]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing happened. A wrong status tells the present one and what is allowed in it, a wrong field its faults."""

    code: RefusalCode
    detail: str
    current_status: SessionStatus | None = None
    allowed_commands: tuple[PersonalCommand, ...] = ()
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who gives the command and as what; the system is nobody in particular."""

    role: Role
    person_id: UUID | None = None

    def __str__(self) -> str:
        return self.role if self.person_id is None else f"{self.role}:{self.person_id}"


SYSTEM = Actor("system")


@dataclass(frozen=True, slots=True)
class Request:
    """R1: the member asks for a session on a paid Transaction, perhaps about an assessment."""

    name: ClassVar[CommandName] = "request"
    actor: Actor
    at: datetime
    session_id: UUID
    entitlement: Entitlement
    assessment: Assessment | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """S1: the practitioner sets time and link (the document's `store`). The link is canonical already (S3)."""

    name: ClassVar[CommandName] = "schedule"
    actor: Actor
    at: datetime
    times: LocalTimes
    meeting_link: str


@dataclass(frozen=True, slots=True)
class Reschedule:
    """S1: the practitioner changes time or link (the document's `update`)."""

    name: ClassVar[CommandName] = "reschedule"
    actor: Actor
    at: datetime
    times: LocalTimes
    meeting_link: str


@dataclass(frozen=True, slots=True)
class Start:
    """The session is running: flagged by the practitioner at any time, by the system at its start if sold so."""

    name: ClassVar[CommandName] = "start"
    actor: Actor
    at: datetime


@dataclass(frozen=True, slots=True)
class UploadResult:
    """Completes the session, or replaces the result of a completed one. `ended_at`: when they parted (S8)."""

    name: ClassVar[CommandName] = "upload_result"
    actor: Actor
    at: datetime
    result_id: UUID
    has_link: bool
    has_notes: bool
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """S5: a party gives the session up."""

    name: ClassVar[CommandName] = "cancel"
    actor: Actor
    at: datetime
    reason_code: ReasonCode
    reason_id: UUID | None


@dataclass(frozen=True, slots=True)
class Fail:
    """S5, R4, P5: an admin or the system ends the session."""

    name: ClassVar[CommandName] = "fail"
    actor: Actor
    at: datetime
    reason_code: ReasonCode
    reason_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ChangePractitioner:
    """P2: the Transaction belongs to another practitioner now."""

    name: ClassVar[CommandName] = "change_practitioner"
    actor: Actor
    at: datetime
    practitioner_id: UUID
    respond_by: datetime


Command = Request | Schedule | Reschedule | Start | UploadResult | Cancel | Fail | ChangePractitioner
