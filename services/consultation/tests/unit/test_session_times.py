"""S1 and S2: local times in every zone, at every transition, and the limits of a session (F62, F64)."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from booking_contracts.zones import known_zones, zone, zone_named
from consultation.sessions.times import Fault, LocalTimes, Slot, place, year_after

NOW = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)
NINE = LocalTimes(date(2026, 12, 2), time(9), time(10), "Asia/Jakarta")
FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)


def placed(local: LocalTimes, now: datetime = NOW) -> Slot:
    slot = place(local, now)
    assert isinstance(slot, Slot), slot
    return slot


def fault(local: LocalTimes, now: datetime = NOW) -> str:
    """The field to blame."""
    found = place(local, now)
    assert isinstance(found, Fault), found
    return found.field


@cache
def transitions(name: str) -> tuple[datetime, ...]:
    """The instants from 2020 to 2035 at which the zone's offset changes, to the second."""
    there = zone(name)
    found: list[datetime] = []
    step = timedelta(days=10)
    at = FIRST
    while at < LAST:
        if at.astimezone(there).utcoffset() != (at + step).astimezone(there).utcoffset():
            low, high = at, at + step
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                if middle.astimezone(there).utcoffset() == low.astimezone(there).utcoffset():
                    low = middle
                else:
                    high = middle
            found.append(high.replace(microsecond=0))
        at += step
    return tuple(found)


def wall(instant: datetime, name: str) -> datetime:
    """What a clock on the wall there shows."""
    return instant.astimezone(zone(name)).replace(tzinfo=None)


def meanings(naive: datetime, name: str) -> set[datetime]:
    """The instants at which that wall clock shows this time: the independent oracle, by trying every offset."""
    there = zone(name)
    around = [naive.replace(tzinfo=UTC) + timedelta(days=d) for d in (-2, -1, 0, 1, 2)]
    offsets = {moment.astimezone(there).utcoffset() or timedelta() for moment in around}
    candidates = {(naive - offset).replace(tzinfo=UTC) for offset in offsets}
    return {moment for moment in candidates if wall(moment, name) == naive}


def local(start: datetime, end: datetime, name: str, fold: int | None = None) -> LocalTimes:
    next_day = end.date() > start.date()
    return LocalTimes(start.date(), start.time(), end.time(), name, next_day, fold)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", sorted(known_zones()))
def test_every_zone__at_every_transition(name: str):
    """S1, F62: a time that the zone skips is refused, one that it repeats needs `fold`, all others mean one instant."""
    assert zone_named(name) is not None
    for instant in transitions(name):
        now = instant - timedelta(days=30)
        for minutes in (-125, -95, -65, -35, -20, -5, 0, 5, 20, 35, 65, 95):
            start = wall(instant, name).replace(second=0) + timedelta(minutes=minutes)
            meant = meanings(start, name)
            end = start + timedelta(minutes=7)
            times = local(start, end, name)
            if not meant:
                assert fault(times, now) == "time_start", (instant, start)
            elif len(meant) == 2:
                assert fault(times, now) == "fold", (instant, start)
                for fold, expected in enumerate(sorted(meant)):
                    found = place(replace(times, fold=fold), now)  # pyright: ignore[reportArgumentType]
                    assert isinstance(found, Fault) or found.starts_at == expected, (instant, start, fold)
                    assert isinstance(found, Fault) or found.fold == fold
            else:
                found = place(times, now)
                if isinstance(found, Slot):
                    assert {found.starts_at} == meant, (instant, start)
                    assert found.ends_at in meanings(end, name)
                else:
                    assert meanings(end, name) != {end}  # the end alone is skipped, repeated or too near


@settings(max_examples=400, deadline=None)
@given(
    name=st.sampled_from(sorted(known_zones())),
    day=st.integers(2, 300),
    start=st.times(),
    minutes=st.integers(-600, 1500),
)
def test_any_time__means_its_instant_and_obeys_the_limits(name: str, day: int, start: time, minutes: int):
    """S1, S2: what is placed shows the same wall clock there, and lasts from 5 minutes to 8 hours."""
    begin = datetime.combine(NOW.date() + timedelta(days=day), start.replace(second=0, microsecond=0, tzinfo=None))
    end = begin + timedelta(minutes=minutes)
    times = LocalTimes(begin.date(), begin.time(), end.time(), name, end.date() == begin.date() + timedelta(days=1))
    found = place(times, NOW)
    if isinstance(found, Slot):
        assert wall(found.starts_at, name) == begin
        assert timedelta(minutes=5) <= found.ends_at - found.starts_at <= timedelta(hours=8)
        assert NOW <= found.starts_at <= year_after(NOW)
    elif 5 <= minutes <= 480 and len(meanings(begin, name)) == len(meanings(end, name)) == 1:
        shift = next(iter(meanings(end, name))) - next(iter(meanings(begin, name)))
        assert not timedelta(minutes=5) <= shift <= timedelta(hours=8)


def test_jakarta__has_one_offset():
    """S1: 09.00 WIB is 02:00 UTC; a fold that says nothing is not kept."""
    slot = placed(replace(NINE, fold=1))
    assert (slot.starts_at, slot.fold) == (datetime(2026, 12, 2, 2, tzinfo=UTC), None)


def test_lord_howe__repeats_half_an_hour():
    """F62: the shift of 30 minutes; each fold is its own instant."""
    repeated = LocalTimes(date(2027, 4, 4), time(1, 40), time(2, 40), "Australia/Lord_Howe")
    assert fault(repeated) == "fold"
    first, second = placed(replace(repeated, fold=0)), placed(replace(repeated, fold=1))
    assert second.starts_at - first.starts_at == timedelta(minutes=30)
    assert (first.fold, second.fold) == (0, 1)


FALL_BACK = date(2027, 11, 7)  # New York: 01:00 to 02:00 comes twice, first at UTC-4, then at UTC-5


@pytest.mark.parametrize(
    ("start", "end", "folds", "minutes", "kept"),
    [
        (time(1, 30), time(1, 15), (0, None), 45, (0, 1)),  # the only reading that ends after the start
        (time(1, 30), time(1, 15), (0, 1), 45, (0, 1)),
        (time(1, 30), time(1, 30), (0, None), 60, (0, 1)),
        (time(1, 15), time(1, 45), (0, None), 30, (0, None)),  # the end is in the same reading unless it says otherwise
        (time(1, 15), time(1, 45), (0, 0), 30, (0, None)),
        (time(1, 15), time(1, 45), (0, 1), 90, (0, 1)),
        (time(1, 15), time(1, 45), (1, 1), 30, (1, None)),
        (time(0, 30), time(1, 30), (None, 0), 60, (None, 0)),
        (time(0, 30), time(1, 30), (None, 1), 120, (None, 1)),
        (time(0, 30), time(1, 30), (1, None), 120, (1, None)),
        (time(1, 30), time(2, 30), (0, 1), 120, (0, None)),  # 02:30 comes once: its fold says nothing
    ],
)
def test_repeated_hour__each_end_has_its_own_fold(start, end, folds, minutes: int, kept):
    """S1, S2: the limits are on instants, and what is kept means the same instants again."""
    asked = LocalTimes(FALL_BACK, start, end, "America/New_York", fold=folds[0], fold_end=folds[1])
    slot = placed(asked, NOW)
    assert slot.ends_at - slot.starts_at == timedelta(minutes=minutes)
    assert (slot.fold, slot.fold_end) == kept
    again = placed(replace(asked, fold=slot.fold, fold_end=slot.fold_end))
    assert (again.starts_at, again.ends_at) == (slot.starts_at, slot.ends_at)


def test_repeated_hours_of_troll__are_two():
    """S1: 01:00 to 03:00 comes twice there."""
    asked = LocalTimes(date(2027, 10, 31), time(2, 30), time(1, 30), "Antarctica/Troll", fold=0)
    assert placed(asked).ends_at - placed(asked).starts_at == timedelta(hours=1)


@pytest.mark.parametrize(
    ("start", "end", "fold", "fold_end", "blamed"),
    [
        (time(1, 30), time(1, 15), None, None, "fold"),
        (time(1, 30), time(1, 15), None, 1, "fold"),
        (time(0, 30), time(1, 15), None, None, "fold"),
        (time(1, 30), time(1, 15), 0, 0, "time_end"),
        (time(1, 30), time(1, 15), 1, None, "time_end"),
        (time(1, 15), time(1, 45), 1, 0, "time_end"),
        (time(1, 30), time(0, 45), 0, None, "time_end"),
        (time(1, 30), time(1, 30), 1, None, "time_end"),
    ],
)
def test_repeated_hour__what_ends_before_it_starts_is_refused(start, end, fold, fold_end, blamed: str):
    """S2: end after start, on instants."""
    assert fault(LocalTimes(FALL_BACK, start, end, "America/New_York", fold=fold, fold_end=fold_end)) == blamed


def test_berlin__skips_an_hour_and_a_session_across_it_is_shorter_than_its_clock():
    """S1, S2: limits are on real time. 01:50 to 03:02 is 12 minutes that night."""
    night = LocalTimes(date(2027, 3, 28), time(1, 50), time(3, 2), "Europe/Berlin")
    assert placed(night).ends_at - placed(night).starts_at == timedelta(minutes=12)
    assert fault(replace(night, time_start=time(2, 30), time_end=time(3, 30))) == "time_start"
    assert fault(replace(night, time_end=time(2, 10))) == "time_end"


def test_midnight__needs_its_word():
    """S2, F64: across midnight only when `ends_next_day` says so; 00:00 is the next day's first minute."""
    late = replace(NINE, time_start=time(23, 30), time_end=time(0, 30))
    assert fault(late) == "time_end"
    assert placed(replace(late, ends_next_day=True)).ends_at == datetime(2026, 12, 2, 17, 30, tzinfo=UTC)
    assert placed(replace(late, time_end=time(0), ends_next_day=True)).ends_at == datetime(2026, 12, 2, 17, tzinfo=UTC)
    assert fault(replace(NINE, ends_next_day=True)) == "time_end"  # 25 hours


@pytest.mark.parametrize(
    ("start", "end", "right"),
    [
        (time(9), time(9), False),
        (time(10), time(9), False),
        (time(9), time(9, 4), False),
        (time(9), time(9, 5), True),
        (time(9), time(17), True),
        (time(9), time(17, 1), False),
    ],
)
def test_length__from_five_minutes_to_eight_hours(start: time, end: time, right: bool):
    """S2: both limits belong to it."""
    times = replace(NINE, time_start=start, time_end=end)
    assert isinstance(place(times, NOW), Slot) is right
    assert right or fault(times) == "time_end"


def test_past__starts_now_at_the_earliest():
    """S2: not in the past, to the microsecond."""
    start = datetime(2026, 12, 2, 2, tzinfo=UTC)
    assert placed(NINE, start).starts_at == start
    assert fault(NINE, start + timedelta(microseconds=1)) == "time_start"


def test_future__a_year_ahead_at_most():
    """S2: to the minute, and in leap years."""
    start = datetime(2026, 12, 2, 2, tzinfo=UTC)
    assert placed(NINE, start.replace(year=2025)).starts_at == start
    assert fault(NINE, start.replace(year=2025) - timedelta(microseconds=1)) == "scheduled_date"
    assert year_after(datetime(2028, 2, 29, 12, tzinfo=UTC)) == datetime(2029, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("day", [date.min, date(1, 1, 2), date(1970, 1, 1), date(2028, 2, 1), date(9999, 12, 31)])
def test_absurd_dates__are_refused_before_any_arithmetic(day: date):
    """S2: no date makes an error of ours."""
    for name in ("Pacific/Kiritimati", "Etc/GMT+12"):
        for next_day in (True, False):
            assert fault(replace(NINE, scheduled_date=day, timezone=name, ends_next_day=next_day)) == "scheduled_date"


@pytest.mark.parametrize(
    "name",
    ["", "WIB", "asia/jakarta", "../../etc/passwd", "localtime", "Factory", "a" * 500],
)
def test_unknown_zone__is_refused(name: str):
    """S1: more of them stand beside the list of zones."""
    assert fault(replace(NINE, timezone=name)) == "timezone"
