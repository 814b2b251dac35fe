"""The lifecycle of a FeedbackSession as data (product.md, "Session lifecycle"): who may take it from where to where.

The decider reads this table and nothing else about statuses; `tests/unit/test_session_lifecycle.py` walks every cell.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from booking_contracts.sessions import CancelReason, FailReason, SessionStatus

ReasonCode = Literal[CancelReason, FailReason]
Role = Literal["member", "practitioner", "admin", "system"]
CommandName = Literal[
    "request",
    "schedule",
    "reschedule",
    "start",
    "upload_result",
    "replace_result",
    "change_practitioner",
    "cancel",
    "fail",
]

MEMBER: frozenset[Role] = frozenset({"member"})
PRACTITIONER: frozenset[Role] = frozenset({"practitioner"})
PARTIES = MEMBER | PRACTITIONER
SYSTEM: frozenset[Role] = frozenset({"system"})
PRACTITIONER_OR_SYSTEM = PRACTITIONER | SYSTEM
ADMIN_OR_SYSTEM: frozenset[Role] = frozenset({"admin", "system"})


@dataclass(frozen=True, slots=True)
class Step:
    """One cell: the actors who may, and the status after it."""

    actors: frozenset[Role]
    to: SessionStatus


LIFECYCLE: dict[tuple[SessionStatus | None, CommandName], Step] = {
    (None, "request"): Step(MEMBER, "pending_negotiation"),
    ("pending_negotiation", "schedule"): Step(PRACTITIONER, "scheduled"),
    ("scheduled", "reschedule"): Step(PRACTITIONER, "scheduled"),
    ("scheduled", "start"): Step(PRACTITIONER_OR_SYSTEM, "on_progress"),
    ("scheduled", "upload_result"): Step(PRACTITIONER, "completed"),
    ("on_progress", "upload_result"): Step(PRACTITIONER, "completed"),
    ("completed", "replace_result"): Step(PRACTITIONER, "completed"),
    ("pending_negotiation", "change_practitioner"): Step(SYSTEM, "pending_negotiation"),
    ("scheduled", "change_practitioner"): Step(SYSTEM, "pending_negotiation"),
    ("pending_negotiation", "cancel"): Step(PARTIES, "canceled"),
    ("scheduled", "cancel"): Step(PARTIES, "canceled"),
    ("pending_negotiation", "fail"): Step(ADMIN_OR_SYSTEM, "failed"),
    ("scheduled", "fail"): Step(ADMIN_OR_SYSTEM, "failed"),
    ("on_progress", "fail"): Step(ADMIN_OR_SYSTEM, "failed"),
}

PersonalCommand = Literal["schedule", "reschedule", "start", "upload_result", "replace_result", "cancel", "fail"]

# The commands that a person gives through the HTTP interface, in the order in which a session meets them.
PERSONAL: tuple[PersonalCommand, ...] = get_args(PersonalCommand)

# S4: a session holds its people's time in these statuses, and in no other.
HOLDS_TIME: frozenset[SessionStatus] = frozenset({"scheduled", "on_progress"})

# S5: which reasons go with which command and actor; a time-out and a reversed payment are the system's alone.
CANCEL_REASONS: dict[Role, tuple[CancelReason, ...]] = {
    "member": ("canceled_by_member", "other"),
    "practitioner": ("canceled_by_practitioner", "other"),
}
AdminsFailReason = Literal["technical", "no_show_member", "no_show_practitioner", "other"]
FAIL_REASONS: dict[Role, tuple[FailReason, ...]] = {
    "admin": get_args(AdminsFailReason),
    "system": ("practitioner_timeout", "payment_reversed"),
}


def ever(name: CommandName) -> frozenset[Role]:
    """The actors who may give this command in some status: all others are forbidden it, whatever the status."""
    return frozenset[Role]().union(*(step.actors for (_, command), step in LIFECYCLE.items() if command == name))


def allowed(status: SessionStatus | None, *roles: Role) -> tuple[PersonalCommand, ...]:
    """The commands that these roles may give through the HTTP interface to a session of this status."""
    return tuple(
        name for name in PERSONAL if (step := LIFECYCLE.get((status, name))) and not step.actors.isdisjoint(roles)
    )
