"""A schedule is looked at while it is typed by the rules that decide when it is sent (S2)."""

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import example, given
from hypothesis import strategies as some

from booking_gateway.sessions.schedule import ScheduleForm, wrong_field
from consultation.sessions.times import Fault, LocalTimes, place

LEAP = datetime(2028, 2, 29, 5, 0, tzinfo=UTC)
nows = some.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1), timezones=some.just(UTC)) | some.just(LEAP)  # noqa: DTZ001
minutes = some.integers(-3000, 370 * 1440) | some.integers(-10, 10) | some.integers(365 * 1440 - 10, 366 * 1440 + 10)


@given(nows, minutes, some.integers(0, 10 * 60) | some.integers(475, 485) | some.integers(0, 10))
@example(LEAP, 366 * 1440, 60)
def test_typed__is_wrong_where_the_service_says_so(now: datetime, ahead: int, length: int):
    start = now.replace(second=0, microsecond=0) + timedelta(minutes=ahead)
    end = start + timedelta(minutes=length)
    form = ScheduleForm(
        key="k",
        scheduled_date=start.date().isoformat(),
        time_start=start.strftime("%H:%M"),
        time_end=end.strftime("%H:%M"),
        timezone="Etc/UTC",
        meeting_link="",
    )
    body, times = form.body(), form.times()
    assert times is not None
    placed = place(
        LocalTimes(
            date.fromisoformat(body["scheduled_date"]),
            time.fromisoformat(body["time_start"]),
            time.fromisoformat(body["time_end"]),
            "Etc/UTC",
            ends_next_day=body.get("ends_next_day", False),
        ),
        now,
    )
    wrong = wrong_field(*times, now)
    assert (wrong is None) == (not isinstance(placed, Fault)), placed
    if not isinstance(placed, Fault):
        assert times == (placed.starts_at, placed.ends_at)
