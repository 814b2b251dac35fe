"""The iCalendar part of a mail: it puts the session into the member's calendar, moves it there and takes it out.

One UID for the session's whole life, SEQUENCE is the schedule's version: a late REQUEST never overwrites a newer one
(RFC 5546 §2.1.5; peers show what happens otherwise: doubled and stale entries).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from icalendar import Calendar, vCalAddress, vText, vUri
from icalendar import Event as VEvent

from booking_contracts.sessions import (
    PractitionerChanged,
    SessionCanceled,
    SessionFailed,
    SessionRescheduled,
    SessionScheduled,
)
from booking_people import mailto, one_line
from notifier.texts.letter import Letter, meeting_link, session_time, template_values

Method = Literal["REQUEST", "CANCEL"]
UID_DOMAIN = "booking"


@dataclass(frozen=True, slots=True)
class Invitation:
    """One iTIP message. `link` is None in a CANCEL."""

    method: Method
    session_id: UUID
    sequence: int
    starts_at: datetime
    ends_at: datetime
    summary: str
    link: str | None


def invitation_of(letter: Letter) -> Invitation | None:
    """The invitation that this message carries: to the member alone, and only about a session that had a time.

    A reminder is caused by the event that invited already: it says the time again, it invites nobody again.
    """
    method: Method
    match letter.event:
        case SessionScheduled() | SessionRescheduled() as event:
            method = "REQUEST"
        case SessionCanceled() | SessionFailed() | PractitionerChanged() as event:
            method = "CANCEL"
        case _:
            return None
    time = session_time(letter)
    if time is None or not letter.to_member or letter.template in {"reminder_24h", "reminder_1h"}:
        return None
    with_whom = {"id": "Konsultasi dengan", "en": "Consultation with"}[letter.language]
    return Invitation(
        method=method,
        session_id=event.session_id,
        sequence=event.schedule_version,
        starts_at=time[0],
        ends_at=time[1],
        summary=f"{with_whom} {template_values(letter)['other_name']}",
        link=meeting_link(event),
    )


def to_ical(invitation: Invitation, *, organizer: str, attendee: str, now: datetime) -> bytes:
    """The VCALENDAR with exactly one VEVENT (RFC 5545, RFC 5546 §3.2). Addresses are bare and already checked (T15)."""
    calendar = Calendar()
    calendar.add("prodid", "-//booking//notifier//EN")
    calendar.add("version", "2.0")
    calendar.add("method", invitation.method)
    calendar.add_component(_event(invitation, organizer, attendee, now))
    return calendar.to_ical()


def _event(invitation: Invitation, organizer: str, attendee: str, now: datetime) -> VEvent:
    event = VEvent()
    event.add("uid", f"session-{invitation.session_id}@{UID_DOMAIN}")
    event.add("sequence", invitation.sequence)
    event.add("dtstamp", now.astimezone(UTC))
    event.add("dtstart", invitation.starts_at.astimezone(UTC))
    event.add("dtend", invitation.ends_at.astimezone(UTC))
    event.add("status", "CANCELLED" if invitation.method == "CANCEL" else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if invitation.method == "CANCEL" else "OPAQUE")  # the time is free again
    event.add("summary", vText(one_line(invitation.summary)))
    event.add("organizer", vCalAddress(mailto(organizer)))
    event.add("attendee", _attendee(attendee))
    if invitation.link is not None:
        event.add("location", vText(invitation.link))
        event.add("url", vUri(invitation.link))
        event.add("conference", vUri(invitation.link, params={"VALUE": "URI", "FEATURE": "VIDEO"}))
    return event


def _attendee(address: str) -> vCalAddress:
    attendee = vCalAddress(mailto(address))
    attendee.params["ROLE"] = vText("REQ-PARTICIPANT")
    attendee.params["PARTSTAT"] = vText("NEEDS-ACTION")
    attendee.params["RSVP"] = vText("FALSE")
    return attendee
