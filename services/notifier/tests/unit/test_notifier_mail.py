"""Mail: headers, addresses and invitations, whatever people are called (T14 to T16)."""

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import UUID, uuid4

import icalendar
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.notifier.tests.given import Case
from services.notifier.tests.unit.test_notifier_texts import HOSTILE

from booking_contracts.decode import decode
from booking_contracts.zones import zone
from booking_web.languages import Language
from notifier.mail.channel import MailChannel, compose, sender
from notifier.mail.invitation import invitation_of, to_ical
from notifier.mail.smtp import Server
from notifier.sending.channel import BadAddress, Contact
from notifier.texts.letter import Letter, Names
from notifier.texts.render import Text, render

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
START = datetime(2026, 12, 1, 2, tzinfo=UTC)
HEADERS = {"Message-ID", "Date", "From", "To", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"}
GOLDEN = Path(__file__).parent / "golden"


BUDI = Names("Budi", "Budi", "Dr. Sari")
FIRST = UUID(int=1)
WORDS = Text("x", "x", "<p>x</p>")


def letter(case, record, template, *, to=None, names=BUDI, language: Language = "id"):
    decoded = decode(record)
    assert decoded.event is not None
    return Letter(
        template,
        str(to or case.member),
        language,
        zone("Asia/Jakarta"),
        decoded.event,
        decoded.meta.time,
        decoded.meta.actor,
        names,
    )


def mail(text, ident=FIRST, invite=None):
    composed = compose(
        ident,
        text,
        mail_from="Booking <no-reply@booking.test>",
        recipients=("budi@example.com",),
        invitation=invite,
        now=NOON,
    )
    return composed, message_from_bytes(composed.content, policy=policy.default)


def test_mail__has_a_fixed_id_text_html_and_an_invitation():
    """N2, F83: the same Message-ID for every attempt."""
    case = Case()
    scheduled = letter(case, case.scheduled(START), "session_scheduled")
    for _ in range(2):
        _, parsed = mail(render(scheduled), invite=invitation_of(scheduled))
        assert parsed["Message-ID"] == f"<{UUID(int=1)}@booking.test>"
        kinds = [part.get_content_type() for part in parsed.walk()]
        assert kinds == ["multipart/alternative", "text/plain", "text/html", "text/calendar"]
        part = list(parsed.walk())[-1]
        assert part.get_param("method") == "REQUEST"
        assert part.get_content_charset() == "utf-8"


def test_mail__is_seven_bit_in_every_part():
    """Not every server announces 8BITMIME."""
    case = Case()
    scheduled = letter(case, case.scheduled(START), "session_scheduled", names=Names("Büdi", "Büdi", "Säri"))
    composed, _ = mail(render(scheduled), invite=invitation_of(scheduled))
    composed.content.decode("ascii")


@settings(max_examples=150, deadline=None)
@given(HOSTILE)
def test_any_text__the_mail_has_the_expected_headers_and_one_recipient(text):
    """T14: CVE-2024-6923, CVE-2026-1299 and whatever comes next."""
    composed, parsed = mail(Text(text, "plain", "<p>html</p>"))
    assert set(parsed.keys()) == HEADERS
    assert len(parsed.keys()) == len(HEADERS)
    assert parsed["To"] == "budi@example.com"
    assert composed.recipients == ("budi@example.com",)
    head = composed.content.split(b"\r\n\r\n")[0]
    assert not re.search(rb"(?im)^(bcc|cc|x-[a-z]+):", head)


@settings(max_examples=60, deadline=None)
@given(HOSTILE, HOSTILE)
def test_any_name__a_rendered_mail_has_the_expected_headers(name, other):
    """T14, by the whole way."""
    case = Case()
    hostile = letter(case, case.requested(), "session_requested", to=case.practitioner, names=Names(name, other, name))
    _, parsed = mail(render(hostile))
    assert set(parsed.keys()) == HEADERS


def prepared(**contact):
    """What the channel would send to a person of this contact data."""
    case = Case()
    channel = MailChannel(Server("127.0.0.1", 1), mail_from="Booking <no-reply@booking.test>", admin_emails=())
    return channel.prepare(FIRST, letter(case, case.paid(), "transaction_paid"), Contact(**contact), NOON)


def test_address__one_rule_with_the_door():
    """T15, N5: what checkout takes can be sent to; what it would refuse is refused here too, by the same rule."""
    assert prepared(email="a%b?c@example.com").recipients == ("a%b?c@example.com",)
    for bad in ("budi.@docomo.ne.jp", "budi@example.co-", "a@b.de\r\nRCPT TO:<x@y.de>", "a@b.de,c@d.de", "x@y"):
        with pytest.raises(BadAddress):
            prepared(email=bad)


@pytest.mark.parametrize(
    ("mail_from", "header"),
    [
        ("no-reply@booking.test", "no-reply@booking.test"),
        ("Booking <no-reply@booking.test>", "Booking <no-reply@booking.test>"),
        ('"Klinik Sehat, PT." <no-reply@booking.test>', '"Klinik Sehat, PT." <no-reply@booking.test>'),
        ('"Booking: Team" <no-reply@booking.test>', '"Booking: Team" <no-reply@booking.test>'),
        ('"Booking (Jakarta)" <no-reply@booking.test>', '"Booking (Jakarta)" <no-reply@booking.test>'),
        ('"Sehat \\"24\\"" <no-reply@booking.test>', '"Sehat \\"24\\"" <no-reply@booking.test>'),
        ("Booking Inc. <no-reply@booking.test>", '"Booking Inc." <no-reply@booking.test>'),
    ],
)
def test_sender__is_one_mailbox_whatever_the_name_holds(mail_from, header):
    """RFC 5322 §3.2.3: specials stand in quotes; else a comma makes two senders, and every mail is refused."""
    composed = compose(
        FIRST,
        Text("x", "x", "<p>x</p>"),
        mail_from=mail_from,
        recipients=("budi@example.com",),
        invitation=None,
        now=NOON,
    )
    assert f"From: {header}\r\n".encode() in composed.content
    (one,) = message_from_bytes(composed.content, policy=policy.default)["From"].addresses
    assert one.addr_spec == composed.sender == "no-reply@booking.test"


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=90))
def test_any_sender__is_refused_or_comes_out_as_it_was_meant(name):
    """Also where the library loses the quotes of a long name while it folds the header."""
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    try:
        address = sender(f'"{quoted}" <no-reply@booking.test>')
    except ValueError:
        assert len(name) > 40 or "=?" in name or "?=" in name or name != " ".join(name.split())
        return
    composed = compose(FIRST, WORDS, mail_from=str(address), recipients=("a@b.de",), invitation=None, now=NOON)
    (one,) = message_from_bytes(composed.content, policy=policy.default)["From"].addresses
    assert (one.display_name, one.addr_spec) == (name, "no-reply@booking.test")


# Invitations ----------------------------------------------------------------------------------------------------------


def ical(of):
    made = invitation_of(of)
    assert made is not None
    return to_ical(made, organizer="no-reply@booking.test", attendee="budi@example.com", now=NOON)


def test_invitation__request_request_cancel_as_the_golden_files_say():
    """N2: one UID for life, SEQUENCE = schedule_version, METHOD and STATUS (peers 15)."""
    case = Case(session=UUID(int=7))
    steps = [
        letter(case, case.scheduled(START), "session_scheduled"),
        letter(case, case.rescheduled(START.replace(hour=5)), "session_rescheduled"),
    ]
    canceled = case.canceled()
    event = decode(canceled).event
    assert event is not None
    fixed = event.model_copy(update={"starts_at": START.replace(hour=5), "ends_at": START.replace(hour=6)})
    steps.append(letter(case, canceled, "session_canceled"))
    steps[-1] = Letter(
        "session_canceled",
        str(case.member),
        "id",
        zone("Asia/Jakarta"),
        fixed,
        NOON,
        case.by_member,
        Names("Budi", "Budi", "Dr. Sari"),
    )
    for number, step in enumerate(steps, 1):
        made = ical(step)
        golden = GOLDEN / f"invitation-{number}.ics"
        assert made.decode() == golden.read_bytes().decode()
        (event,) = icalendar.Calendar.from_ical(made).walk("VEVENT")
        assert str(event["UID"]) == f"session-{UUID(int=7)}@booking"
        assert str(event["SEQUENCE"]) == str(number)


def test_invitation__goes_to_the_member_alone_and_never_with_a_reminder():
    """N1: a reminder says the time again, it invites nobody again."""
    case = Case()
    record = case.scheduled(START)
    assert invitation_of(letter(case, record, "session_scheduled", to=case.practitioner)) is None
    assert invitation_of(letter(case, record, "reminder_1h")) is None


@pytest.mark.parametrize("address", ["a%b@example.com", "a?b@example.com", "a#b@example.com", "a&b=c/d@example.com"])
def test_invitation__an_address_is_a_uri(address):
    """RFC 6068 §2: percent-encoded, so that `?` begins no query and `#` no fragment."""
    case = Case()
    made = invitation_of(letter(case, case.scheduled(START), "session_scheduled"))
    assert made is not None
    (event,) = icalendar.Calendar.from_ical(to_ical(made, organizer=address, attendee=address, now=NOON)).walk("VEVENT")
    for property_ in ("ORGANIZER", "ATTENDEE"):
        uri = urlsplit(str(event[property_]))
        assert (uri.scheme, uri.query, uri.fragment, unquote(uri.path)) == ("mailto", "", "", address)


def test_invitation__none_for_a_session_that_never_had_a_time():
    """N1: canceled while negotiating: told, without a CANCEL of nothing."""
    case = Case()
    assert invitation_of(letter(case, case.canceled(), "session_canceled")) is None


def test_practitioner_changed__the_old_time_is_canceled_in_the_members_calendar():
    """N1, C1: the row has no start any more, so the invitation goes too."""
    case = Case()
    case.scheduled(START)
    made = ical(letter(case, case.changed(uuid4()), "practitioner_changed"))
    assert b"METHOD:CANCEL" in made
    assert b"SEQUENCE:2" in made


PROPERTIES = {
    "UID", "SEQUENCE", "DTSTAMP", "DTSTART", "DTEND", "STATUS", "TRANSP", "SUMMARY", "ORGANIZER", "ATTENDEE",
    "LOCATION", "URL", "CONFERENCE",
}  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(HOSTILE)
def test_any_name__the_calendar_has_one_event_and_no_property_more(name):
    """T16: also for a lenient reader that takes every CR or LF as the end of a line."""
    case = Case()
    made = ical(letter(case, case.scheduled(START), "session_scheduled", names=Names("Budi", "Budi", name)))
    (event,) = icalendar.Calendar.from_ical(made).walk("VEVENT")
    assert set(event) == PROPERTIES
    unfolded = made.decode().replace("\r\n ", "")
    lenient = re.split(r"\r\n|\r|\n|\x85|\u2028|\u2029", unfolded)
    assert sum(line.startswith("BEGIN:") for line in lenient) == 2
    assert {re.split("[:;]", line)[0] for line in lenient if line} == PROPERTIES | {
        "BEGIN", "END", "VERSION", "PRODID", "METHOD",
    }  # fmt: skip
