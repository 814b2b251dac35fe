"""One member's purchase and what became of it, as commands with the clock of their time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Literal
from uuid import UUID

from booking_contracts.zones import zone

End = Literal["unpaid", "paid", "pending", "scheduled", "on_progress", "completed", "canceled", "failed"]
# What becomes of a purchase that lies in the past, and of one that is going on now.
PAST: tuple[End, ...] = ("completed",) * 8 + ("canceled", "failed")
PRESENT: tuple[End, ...] = (
    "unpaid",
    "paid",
    "pending",
    "pending",
    "scheduled",
    "scheduled",
    "scheduled",
    "on_progress",
)
FIRST_HOUR, HOURS = 8, 10
ZONE = zone("Asia/Jakarta")


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase to tell: who, with whom, when the session is or would be, and how it ends."""

    member: UUID
    practitioner: int  # the practitioner's number
    bought_at: datetime
    day: date
    hour: int
    end: End

    @property
    def starts_at(self) -> datetime:
        """The session's start."""
        return datetime.combine(self.day, time(self.hour), ZONE)


def purchases(
    members: list[UUID], practitioners: int, sessions: int, *, months: int, random: Random, today: date
) -> Iterator[Purchase]:
    """Yield `sessions` purchases, a tenth of them going on now, the others over the past months; 0 months: all now.

    Practitioner and hour follow from a running number, so nobody is asked to be in two places (S4); a member is given
    each purchase in turn, on a day of its own.
    """
    slots, days = [0] * practitioners, 30 * (months or 6)
    for number in range(sessions):
        who = min(int(random.expovariate(4.0) * practitioners), practitioners - 1)  # a few are much in demand
        slot, slots[who] = slots[who], slots[who] + 1
        present = months == 0 or number % 10 == 0
        back = 1 + (slot // HOURS) % days
        day = today + timedelta(days=back) if present else today - timedelta(days=back)
        hour = FIRST_HOUR + slot % HOURS
        # An earlier lap over the same days would meet itself: the ends without a claim take the later laps.
        lap = slot // (HOURS * days)
        end = random.choice(PRESENT if present else PAST) if lap == 0 else random.choice(("completed", "canceled"))
        before = datetime.combine(today if present else day, time(6), ZONE).astimezone(UTC)
        yield Purchase(members[number % len(members)], who, before - timedelta(days=3), day, hour, end)
