"""What one event asks for: the recipients, templates and due times of N1, without channels and without any I/O."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from booking_contracts.event import Event
from booking_contracts.sessions import SessionStatus
from notifier.rules.table import TABLE, Role, Rule, Template, Timer

ADMINS = "admins"


@dataclass(frozen=True, slots=True)
class Fence:
    """The version and status of the session for which a timer was set; in any other it must not leave (N4)."""

    schedule_version: int
    status: SessionStatus


@dataclass(frozen=True, slots=True)
class Wanted:
    """One message that one event asks for. `recipient_id` is a person's id or `admins`."""

    recipient_id: str
    template: Template
    due_at: datetime
    useful_until: datetime | None = None
    fence: Fence | None = None


def decide(event: Event, *, actor: str, at: datetime) -> tuple[Wanted, ...]:
    """What this event asks for, each (recipient, template) once; nothing for an event that N1 does not name."""
    wanted: dict[tuple[str, Template], Wanted] = {}
    for rule in TABLE.get(type(event), ()):
        message = _message(rule, event, actor, at)
        wanted.setdefault((message.recipient_id, message.template), message)
    return tuple(wanted.values())


def _message(rule: Rule, event: Any, actor: str, at: datetime) -> Wanted:
    recipient_id = _recipient(rule.to, event, actor)
    if rule.timer is None:
        return Wanted(recipient_id, rule.template, at)
    due_at = _due(rule.timer, event, at)
    fence = Fence(getattr(event, "schedule_version", 0), rule.timer.while_status)
    told_already = rule.timer.tells_nothing_if_due and due_at <= at
    useful_until = due_at if told_already else due_at + rule.timer.useful_for
    return Wanted(recipient_id, rule.template, due_at, useful_until, fence)


def _recipient(role: Role, event: Any, actor: str) -> str:
    match role:
        case "member":
            return str(event.user_id)
        case "practitioner":
            return str(event.practitioner_id)
        case "previous_practitioner":
            return str(event.previous_practitioner_id)
        case "other_side":
            return str(_other_side(event, actor))
        case "admins":
            return ADMINS


def _other_side(event: Any, actor: str) -> UUID:
    acted_by_practitioner = actor.partition(":")[2] == str(event.practitioner_id)
    return event.user_id if acted_by_practitioner else event.practitioner_id


def _due(timer: Timer, event: Any, at: datetime) -> datetime:
    return (event.starts_at if timer.anchor == "start" else at) + timer.offset
