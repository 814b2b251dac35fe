"""Whether a message may still leave: looked at again in the moment before it is sent (N4, reliability.md F87)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from notifier.rules.decide import Fence

SkipReason = Literal["before_send_from", "erased", "superseded", "late", "channel_off"]


@dataclass(frozen=True, slots=True)
class Present:
    """How things stand now: the session's version and status, what the recipient wants and was told since."""

    schedule_version: int | None
    status: str | None
    recipient_erased: bool
    channel_wanted: bool
    overtaken: bool = False
    """A later message about the same session has reached the recipient by the same channel."""


def skip_reason(
    fence: Fence | None, useful_until: datetime | None, present: Present, now: datetime
) -> SkipReason | None:
    """Why a due message must not leave, or None.

    A message without a fence states a fact and is never too late; but old news after the newer would mislead.
    """
    if present.recipient_erased:
        return "erased"
    if fence is not None and (present.schedule_version, present.status) != (fence.schedule_version, fence.status):
        return "superseded"
    if fence is None and present.overtaken:
        return "superseded"
    if useful_until is not None and now > useful_until:
        return "late"
    if not present.channel_wanted:
        return "channel_off"
    return None


def skipped_from_the_start(event_at: datetime, due_at: datetime, send_from: datetime) -> SkipReason | None:
    """A message of the time before this notifier's database existed is history: recorded, never sent (N3).

    A timer that an old event set for later is no history, nor is a new event's timer that was due before it was set.
    """
    return "before_send_from" if max(event_at, due_at) < send_from else None
