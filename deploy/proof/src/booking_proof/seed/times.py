"""When people do things: the days and hours at which they buy, the delays between two steps, who has time when.

Everything is drawn from a given `Random`. The times of the platform are Jakarta's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate
from math import log
from random import Random
from uuid import UUID

from booking_contracts.zones import zone

ZONE = zone("Asia/Jakarta")
_WEEKDAYS = (1.15, 1.1, 1.05, 1.0, 0.95, 0.8, 0.75)
_HOURS = (1, 0.5, 0.3, 0.2, 0.3, 0.8, 2, 3, 5, 7, 8, 7, 5, 6, 6, 6, 5, 5, 7, 10, 11, 9, 5, 2)
_GROWTH = 0.9
"""By how much more a day sells at the end than at the beginning."""
_PAYDAY = 1.2
"""From the 25th to the 3rd."""
_FROM, _TO = 7, 22
"""The hours at which people sit down to something."""
_SLOT = 900
"""Seconds: sessions begin at full and half hours, and are some quarters long."""
_WORKING = tuple(range(8, 20))
_WORKED = (6, 8, 9, 8, 4, 6, 8, 8, 8, 9, 9, 7)


def days_of(begins: datetime, until: datetime) -> list[date]:
    """The days, in Jakarta, from the one to the other."""
    first, last = begins.astimezone(ZONE).date(), until.astimezone(ZONE).date()
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def bought_at(count: int, begins: datetime, until: datetime, random: Random) -> list[datetime]:
    """So many instants of purchases in order: more by the month, on workdays, in the evening, after payday."""
    days = days_of(begins, until)
    weights = [
        _WEEKDAYS[day.weekday()]
        * (1 + _GROWTH * number / len(days))
        * (_PAYDAY if day.day >= 25 or day.day <= 3 else 1)
        for number, day in enumerate(days)
    ]
    found: list[datetime] = []
    while len(found) < count:
        chosen = random.choices(days, cum_weights=list(accumulate(weights)), k=count - len(found))
        hours = random.choices(range(24), cum_weights=list(accumulate(_HOURS)), k=len(chosen))
        for day, hour in zip(chosen, hours, strict=True):
            clock = time(hour, random.randrange(60), random.randrange(60), random.randrange(1000) * 1000)
            at = datetime.combine(day, clock, ZONE).astimezone(UTC)
            if begins <= at < until:
                found.append(at)
    return sorted(found)


def after(median: timedelta, random: Random, spread: float = 0.9) -> timedelta:
    """A delay: half are shorter than the median, few are many times as long (log-normal), in whole milliseconds."""
    return timedelta(milliseconds=round(random.lognormvariate(log(median.total_seconds()), spread) * 1000))


def awake(at: datetime, random: Random) -> datetime:
    """The same, or in the next morning where it fell into the night."""
    local = at.astimezone(ZONE)
    if _FROM <= local.hour < _TO:
        return at
    morning = datetime.combine(local.date() + timedelta(days=local.hour >= _TO), time(_FROM), ZONE)
    return morning.astimezone(UTC) + timedelta(milliseconds=random.randrange(3 * 3_600_000))


@dataclass(frozen=True, slots=True)
class Slot:
    """A time that is free for both, in the practitioner's zone."""

    day: date
    begins: time
    ends: time
    timezone: str
    starts_at: datetime
    ends_at: datetime


@dataclass(slots=True)
class Agenda:
    """Whose time is taken, in quarters of an hour: nobody is ever in two places (S4), not even in what was moved."""

    _busy: defaultdict[UUID, set[int]] = field(default_factory=lambda: defaultdict(set))

    def take(self, people: Iterable[UUID], minutes: int, earliest: datetime, timezone: str, random: Random) -> Slot:
        """The first time that suits all, from the day of `earliest` on; none of them has another then."""
        busy = [self._busy[person] for person in people]
        rules, quarters = zone(timezone), -(-minutes * 60 // _SLOT)
        first = earliest.astimezone(rules).date()
        for number in range(300):
            day = first + timedelta(days=number)
            if day.weekday() == 6 and random.random() < 0.85:
                continue
            for _ in range(8):
                hour = random.choices(_WORKING, _WORKED)[0]
                begins = time(hour, random.choice((0, 0, 0, 30)))
                starts_at = datetime.combine(day, begins, rules).astimezone(UTC)
                place = int(starts_at.timestamp()) // _SLOT
                wanted = range(place, place + quarters)
                if starts_at <= earliest or any(not taken.isdisjoint(wanted) for taken in busy):
                    continue
                for taken in busy:
                    taken.update(wanted)
                ends_at = starts_at + timedelta(minutes=minutes)
                return Slot(day, begins, ends_at.astimezone(rules).time(), timezone, starts_at, ends_at)
        raise NoTimeError("a practitioner has no time for 300 days: more practitioners are needed")


class NoTimeError(Exception):
    """Too few practitioners for so many sessions."""
