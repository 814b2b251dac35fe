"""What Google, Apple and Outlook take: RFC 5545 and 7986 to the letter."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest
from icalendar import Calendar

from booking_contracts.sessions import SessionStatus
from calendar_projector.calendar.reads import Entry
from calendar_projector.feeds.ics import render

NOON = datetime(2026, 12, 1, 5, tzinfo=UTC)
LONG_LINK = (
    "https://teams.microsoft.com/l/meetup-join/19%3ameeting_" + "x" * 150 + "%40thread.v2/0"
    "?context=%7b%22Tid%22%3a%2200000000-0000-0000-0000-000000000001%22%7d"
)


def entry(status: SessionStatus) -> Entry:
    """One session with the longest of links."""
    return Entry(
        session_id=UUID(int=7),
        transaction_id=UUID(int=1),
        practitioner_id=UUID(int=2),
        user_id=UUID(int=3),
        status=status,
        scheduled_date=date(2026, 12, 1),
        time_start=time(12),
        time_end=time(13),
        timezone="Asia/Jakarta",
        starts_at=NOON,
        ends_at=NOON + timedelta(hours=1),
        meeting_link=LONG_LINK,
        schedule_version=3,
        version=5,
        row_version=5,
        changed_at=NOON - timedelta(days=2),
    )


@pytest.mark.parametrize("status", ["scheduled", "on_progress", "completed", "canceled", "failed"])
def test_lines__end_in_crlf_and_are_folded_at_75_octets(status):
    """RFC 5545 §3.1."""
    lines = render([entry(status)], "id").split(b"\r\n")
    assert lines.pop() == b""
    assert all(len(line) <= 75 and b"\n" not in line and b"\r" not in line for line in lines)


def test_calendar__names_itself_once_and_says_how_often_to_come_back():
    """RFC 5545 §3.6, RFC 7986 §5.7; `X-` for those who read the older names alone."""
    lines = unfolded(render([], "en"))
    for needed in (
        "VERSION:2.0",
        "PRODID:-//booking//calendar//EN",
        "NAME:Consultations",
        "X-WR-CALNAME:Consultations",
        "REFRESH-INTERVAL;VALUE=DURATION:PT15M",
        "X-PUBLISHED-TTL:PT15M",
    ):
        assert lines.count(needed) == 1


def test_event__has_what_an_app_needs_in_utc():
    """RFC 5545 §3.6.1, RFC 7986 §5.11; instants in UTC, so no VTIMEZONE is needed."""
    lines = unfolded(render([entry("scheduled")], "id"))
    for needed in (
        f"UID:session-{UUID(int=7)}@booking",
        "SEQUENCE:3",
        "DTSTAMP:20261129T050000Z",
        "DTSTART:20261201T050000Z",
        "DTEND:20261201T060000Z",
        "STATUS:CONFIRMED",
        f"URL:{LONG_LINK}",
        # A list of two features: in quotes it would be one that nobody knows (§6.3).
        f"CONFERENCE;FEATURE=AUDIO,VIDEO;VALUE=URI:{LONG_LINK}",
    ):
        assert lines.count(needed) == 1


STATUSES = ["scheduled", "on_progress", "completed", "canceled", "failed"]


@pytest.mark.parametrize("statuses", [[], *([status] for status in STATUSES), STATUSES])
def test_feed__is_a_valid_calendar_however_many_sessions_it_shows(statuses: list[SessionStatus]):
    """RFC 5545 §3.6 (one component at least), §3.6.1 and §3.6.5 (what each must have, once), RFC 5546 (no METHOD)."""
    calendar = Calendar.from_ical(render([entry(status) for status in statuses], "en"))
    assert not calendar.errors
    assert "METHOD" not in calendar, "with PUBLISH each event would need an ORGANIZER"
    assert calendar.subcomponents
    once = {
        "VCALENDAR": ["PRODID", "VERSION"],
        "VEVENT": ["UID", "DTSTAMP", "DTSTART", "DTEND", "SEQUENCE", "STATUS", "SUMMARY", "TRANSP", "LAST-MODIFIED"],
        "VTIMEZONE": ["TZID"],
        "STANDARD": ["DTSTART", "TZOFFSETFROM", "TZOFFSETTO"],
    }
    for component in calendar.walk():
        assert not component.errors
        names = [name for name, _ in component.property_items(recursive=False)]
        needed = once[component.name or ""]
        assert {name: names.count(name) for name in needed} == dict.fromkeys(needed, 1)
        assert component.name != "VTIMEZONE" or component.walk("STANDARD")
    assert len(calendar.walk("VEVENT")) == len(statuses)


@pytest.mark.parametrize("status", STATUSES)
def test_event__that_ended_early_leaves_its_time_free(status: SessionStatus):
    """RFC 5545 §3.8.2.7: without TRANSP an event blocks its time, whatever its STATUS."""
    lines = unfolded(render([entry(status)], "en"))
    free = status in {"canceled", "failed"}
    assert lines.count(f"TRANSP:{'TRANSPARENT' if free else 'OPAQUE'}") == 1
    assert lines.count(f"STATUS:{'CANCELLED' if free else 'CONFIRMED'}") == 1


def unfolded(calendar: bytes) -> list[str]:
    """The content lines."""
    return calendar.decode().replace("\r\n ", "").split("\r\n")
