"""A schedule as its form has it, and what can be said of one before it is sent (S1 to S4).

The service decides when it is sent. Before that its link is tried on it with a condition that no session meets, times
are looked at here by the same rules (a test holds them together), and the viewer's calendar says who is in the way.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from booking_client import Refused, models
from booking_client.problems import StaleVersion
from booking_contracts.zones import Zone, zone_named
from booking_gateway.calls.calls import Calls
from booking_gateway.pages.forms import Posted, Text, refused
from booking_gateway.sessions.drawn import HOLDING, taken
from booking_gateway.signin.session import Session
from booking_gateway.words.sayings import FIELDS
from booking_gateway.words.words import Words

_SHORTEST, _LONGEST = timedelta(minutes=5), timedelta(hours=8)
_NEVER = '"0"'
"""A version that no session has: what is sent with it is looked at, and changes nothing."""


class ScheduleForm(Posted):
    """`version` is that of the session as the form showed it; empty where there was no schedule yet."""

    version: Text = ""
    scheduled_date: Text = ""
    time_start: Text = ""
    time_end: Text = ""
    timezone: Text = ""
    meeting_link: Text = ""

    def body(self) -> models.SessionSchedule:
        """What the service is sent. An end that is not after the beginning is on the next day."""
        return {
            "scheduled_date": self.scheduled_date,
            "time_start": self.time_start,
            "time_end": self.time_end,
            "timezone": self.timezone or None,
            "meeting_link": self.meeting_link,
            "ends_next_day": bool(self.time_start and self.time_end) and self.time_end <= self.time_start,
        }

    def times(self) -> tuple[datetime, datetime] | None:
        """The two instants, once all that they are made of is there and means something."""
        zone = zone_named(self.timezone)
        try:
            day = date.fromisoformat(self.scheduled_date)
            start, end = time.fromisoformat(self.time_start), time.fromisoformat(self.time_end)
        except ValueError:
            return None
        if zone is None or not date(2000, 1, 1) < day < date(9000, 1, 1):
            return None
        return _at(day, start, zone), _at(day + timedelta(days=end <= start), end, zone)


def _at(day: date, when: time, zone: Zone) -> datetime:
    return datetime.combine(day, when, zone).astimezone(UTC)


def wrong_field(start: datetime, end: datetime, now: datetime) -> str | None:
    """The field that S2 refuses, None if there is none."""
    if end <= start:
        return "time_end"
    if start < now:
        return "time_start"
    if start > _year_after(now):
        return "scheduled_date"
    return None if _SHORTEST <= end - start <= _LONGEST else "time_end"


def _year_after(moment: datetime) -> datetime:
    try:
        return moment.replace(year=moment.year + 1)
    except ValueError:
        return moment.replace(year=moment.year + 1, month=3, day=1)


async def wrong_fields(session_id: UUID, form: ScheduleForm, calls: Calls) -> Mapping[str, str]:
    """What is wrong with what was typed so far: texts of the catalog by fields. What is empty may yet come."""
    wrong: dict[str, str] = {}
    if form.timezone and zone_named(form.timezone) is None:
        wrong["timezone"] = FIELDS["not_allowed"]
    times = form.times()
    field = times and wrong_field(*times, datetime.now(UTC))
    if field:
        wrong[field] = FIELDS["invalid_time"]
    if form.meeting_link:
        wrong |= await _link(session_id, form, calls)
    return wrong


async def _link(session_id: UUID, form: ScheduleForm, calls: Calls) -> Mapping[str, str]:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    body: models.SessionSchedule = {
        "scheduled_date": tomorrow, "time_start": "09:00", "time_end": "10:00", "meeting_link": form.meeting_link,
    }  # fmt: skip
    try:
        if form.version:
            await calls.do.reschedule_session(session_id, body, if_match=_NEVER)
        else:
            await calls.do.schedule_session(session_id, body, if_match=_NEVER)
    except StaleVersion:
        return {}
    except Refused as refusal:
        found = refused({}, refusal).wrong
        return {name: text for name, text in found.items() if name == "meeting_link"}
    raise AssertionError("a condition that no session meets was met")


async def in_the_way(
    session_id: UUID, times: tuple[datetime, datetime], viewer: Session, calls: Calls, words: Words
) -> list[str]:
    """Who takes that time of the viewer's already, as it is said."""
    start, end = (one.isoformat() for one in times)
    found = await calls.read(lambda call: call.list_calendar_events(start=start, end=end, limit=20).first())
    events: list[Any] = [one for one in found.body["items"] if one["status"] in HOLDING and one["start"]]
    return [taken(one, viewer, words) for one in events if one["id"] != str(session_id)]
