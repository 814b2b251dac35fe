"""Local wall-clock times to instants (product.md S1, S2): the one place where a zone's rules are applied.

Pure: the caller brings the clock's reading. A local time that the zone skips on that date is refused, one that it
repeats needs `fold` (`fold_end` where the end is in the other reading); the instants are computed once here and stored
beside the local values, so a later change of the zone's rules never moves what both were told.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from booking_contracts.zones import Zone, zone_named

Fold = Literal[0, 1]

SHORTEST = timedelta(minutes=5)
LONGEST = timedelta(hours=8)
TOO_SHORT = f"A session takes at least {SHORTEST // timedelta(minutes=1)} minutes."
TOO_LONG = f"A session takes at most {LONGEST // timedelta(hours=1)} hours."


@dataclass(frozen=True, slots=True)
class LocalTimes:
    """What a practitioner writes: a date, two local times and the zone they are meant in."""

    scheduled_date: date
    time_start: time
    time_end: time
    timezone: str
    ends_next_day: bool = False
    fold: Fold | None = None
    fold_end: Fold | None = None  # None: the end is in the same reading as the start


@dataclass(frozen=True, slots=True)
class Slot:
    """A time that is placed: the local values and the two instants (UTC) that they meant when it was decided."""

    scheduled_date: date
    time_start: time
    time_end: time
    timezone: str
    ends_next_day: bool
    fold: Fold | None
    fold_end: Fold | None
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Fault:
    """One field of the input that S1, S2 or S8 refuses, and why."""

    field: str
    message: str


def place(local: LocalTimes, now: datetime) -> Slot | Fault:
    """The slot that `local` means, or the first field that S1 or S2 refuses. `now` is aware."""
    zone = zone_named(local.timezone)
    if zone is None:
        return Fault("timezone", f"{local.timezone!r} is no IANA time zone of this release: name one by `timezone`.")
    if not now.date() - timedelta(days=2) <= local.scheduled_date <= now.date() + timedelta(days=370):
        # Also what keeps the arithmetic below inside the years that datetime knows.
        return Fault("scheduled_date", "The session must lie between now and a year from now.")
    end_date = local.scheduled_date + timedelta(days=1 if local.ends_next_day else 0)
    start = _moment(datetime.combine(local.scheduled_date, local.time_start), zone, local.fold, "time_start")
    if isinstance(start, Fault):
        return start
    end = _end(datetime.combine(end_date, local.time_end), zone, local, start)
    if isinstance(end, Fault):
        return end
    return _limits(start.instant, end.instant, now) or _slot(local, start, end)


@dataclass(frozen=True, slots=True)
class _Moment:
    """A local time's instant (UTC), and which of the two it is where the zone has that local time twice."""

    instant: datetime
    fold: Fold | None  # which of two; None where there is one


def year_after(moment: datetime) -> datetime:
    """The same date and time a year later; 29 February becomes 1 March."""
    try:
        return moment.replace(year=moment.year + 1)
    except ValueError:
        return moment.replace(year=moment.year + 1, month=3, day=1)


def _moment(naive: datetime, zone: Zone, fold: Fold | None, field: str) -> _Moment | Fault:
    first, second = (naive.replace(tzinfo=zone, fold=f) for f in (0, 1))
    offset = first.utcoffset()
    # Both readings have one offset unless the zone skips or repeats the time (PEP 495): nearly always this is all.
    if offset is not None and offset == second.utcoffset():
        return _Moment((naive - offset).replace(tzinfo=UTC), None)
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != naive:
        return Fault(field, f"{naive:%H:%M} does not exist on {naive:%Y-%m-%d} in {zone.key}: the clocks skip it.")
    if fold is None:
        return Fault(
            "fold", f"{naive:%H:%M} comes twice on {naive:%Y-%m-%d} in {zone.key}: say which by `fold` 0 or 1."
        )
    return _Moment((second if fold else first).astimezone(UTC), fold)


def _end(naive: datetime, zone: Zone, local: LocalTimes, start: _Moment) -> _Moment | Fault:
    """The end: in the reading it names, else in the start's, else in the only one that comes after the start."""
    end = _moment(naive, zone, local.fold if local.fold_end is None else local.fold_end, "time_end")
    if isinstance(end, _Moment) and end.fold == 0 and local.fold_end is None and end.instant <= start.instant:
        end = _moment(naive, zone, 1, "time_end")
    return end


def _limits(start: datetime, end: datetime, now: datetime) -> Fault | None:
    if end <= start:
        return Fault("time_end", "The end must come after the start; a session over midnight says `ends_next_day`.")
    if start < now:
        return Fault("time_start", "The session must not start in the past.")
    if start > year_after(now):
        return Fault("scheduled_date", "The session must start within a year from now.")
    if end - start < SHORTEST:
        return Fault("time_end", TOO_SHORT)
    if end - start > LONGEST:
        return Fault("time_end", TOO_LONG)
    return None


def _slot(local: LocalTimes, start: _Moment, end: _Moment) -> Slot:
    # Each is kept only where it says something.
    fold = end.fold if start.fold is None and local.fold_end is None else start.fold
    return Slot(
        scheduled_date=local.scheduled_date,
        time_start=local.time_start,
        time_end=local.time_end,
        timezone=local.timezone,
        ends_next_day=local.ends_next_day,
        fold=fold,
        fold_end=end.fold if end.fold != fold else None,
        starts_at=start.instant,
        ends_at=end.instant,
    )
