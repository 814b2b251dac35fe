"""S1, F63: what the audit says of a session whose zone got other rules after it was set."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest

from booking_ops.audit.rows import changed
from booking_ops.audit.section import Section

# Nine in the morning of 15 December 2026 in Vancouver is 16:00Z since tz 2026f; before it was 17:00Z.
ROW = {
    "id": UUID(int=7),
    "scheduled_date": date(2026, 12, 15),
    "time_start": time(9),
    "time_end": time(10),
    "timezone": "America/Vancouver",
    "starts_at": datetime(2026, 12, 15, 16, tzinfo=UTC),
    "ends_at": datetime(2026, 12, 15, 17, tzinfo=UTC),
}
HOUR = timedelta(hours=1)


def test_rules_unchanged__nothing_is_said() -> None:
    assert changed(ROW) is None


def test_rules_unchanged__over_midnight_nothing_is_said() -> None:
    late = {"time_start": time(23, 30), "time_end": time(0, 30)}
    at = datetime(2026, 12, 16, 6, 30, tzinfo=UTC)
    assert changed({**ROW, **late, "starts_at": at, "ends_at": at + HOUR}) is None


def test_rules_unchanged__both_readings_of_a_repeated_hour_are_right() -> None:
    twice = {"scheduled_date": date(2026, 10, 25), "time_start": time(2, 30), "time_end": time(2, 45)}
    for hour in (0, 1):
        at = datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
        row = {**ROW, **twice, "timezone": "Europe/Berlin", "starts_at": at, "ends_at": at + timedelta(minutes=15)}
        assert changed(row) is None


def test_rules_changed__what_was_meant_and_what_it_is_now_are_told() -> None:
    old = {**ROW, "starts_at": ROW["starts_at"] + HOUR, "ends_at": ROW["ends_at"] + HOUR}
    said = changed(old)
    assert said is not None
    assert "00000007: set for 2026-12-15 09:00 to 10:00 in America/Vancouver" in said
    assert "by today's rules 2026-12-15 10:00 to 11:00" in said


def test_rules_changed__for_the_end_alone() -> None:
    assert changed({**ROW, "ends_at": ROW["ends_at"] + HOUR}) is not None


@pytest.mark.parametrize("gone", ["America/Montreux", "localtime", "Factory"])
def test_zone_of_another_release__is_told(gone: str) -> None:
    assert "this release of tzdata doesn't have" in str(changed({**ROW, "timezone": gone}))


def test_notice__is_no_difference() -> None:
    assert Section("zones", notices=["session"]).proven
