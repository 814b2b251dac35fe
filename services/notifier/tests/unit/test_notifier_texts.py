"""Every text in every language, in the reader's zone, harmless whatever people are called."""

import html
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import get_args
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError
from services.notifier.tests.given import LINK, Case, now

from booking_contracts.decode import decode
from booking_contracts.money import Money
from booking_contracts.zones import known_zones, zone
from booking_web.languages import Language
from notifier.mail import compile_layout
from notifier.rules import ADMINS, Template, messages_for
from notifier.texts.formats import amount, moment, safe_header, safe_name, safe_parameter, span, zone_at, zone_of
from notifier.texts.letter import Letter, Names, template_values
from notifier.texts.render import render
from notifier.whatsapp.channel import CATALOGUE, message_body, parameters

JAKARTA = zone("Asia/Jakarta")
NAMES = Names("Budi", "Budi", "Dr. Sari, M.Psi.", "Konseling")


def every_letter(language: Language = "id", names=NAMES, there=JAKARTA):
    """Each (event, recipient, template) of N1, once while negotiating and once after a schedule."""
    case, other = Case(), uuid4()
    records = [case.requested(), case.canceled(), case.failed(), case.scheduled(), case.rescheduled(), case.failed()]
    records += [case.canceled(case.by_member), case.canceled(case.by_practitioner), case.result(), case.changed(other)]
    records += [
        case.paid(),
        case.expired(),
        case.refunded(),
        case.refunded(uuid4()),
        case.needs_review(),
        case.refund_failed(),
    ]
    case.schedule_version = 0
    records.append(case.changed(uuid4()))
    for record in records:
        decoded = decode(record)
        assert decoded.event is not None
        for wanted in messages_for(decoded.event, actor=decoded.meta.actor, at=decoded.meta.time):
            yield Letter(
                wanted.template,
                wanted.recipient_id,
                language,
                there,
                decoded.event,
                decoded.meta.time,
                decoded.meta.actor,
                names,
            )


@pytest.mark.parametrize("language", ["id", "en"])
def test_every_template_renders_in_every_language(language):
    """N1, N2: StrictUndefined, so a text that speaks of an absent fact fails here."""
    letters = list(every_letter(language))
    assert {letter.template for letter in letters} == set(get_args(Template))
    for letter in letters:
        text = render(letter)
        assert text.subject
        assert "{{" not in text.plain + text.html
        assert "None" not in text.plain
        assert text.plain.count("\n\n") >= 1
        if letter.recipient_id != ADMINS:
            assert len(parameters(letter)) == CATALOGUE[letter.template]["body"][language].count("{{")


@pytest.mark.parametrize("language", ["id", "en"])
def test_every_whatsapp_body_has_its_numbered_places_in_order(language):
    """T17: what Meta approved and what we fill must agree."""
    for entry in CATALOGUE.values():
        places = re.findall(r"\{\{(\d+)\}\}", entry["body"][language])
        assert places == [str(n + 1) for n in range(len(entry["parameters"]))]
        assert not entry["body"][language].endswith("}}"), "Meta refuses a body that ends with a place"


def test_admins_get_no_whatsapp_template():
    """N1: email only."""
    assert set(CATALOGUE) == set(get_args(Template)) - {"payment_review", "refund_failed", "request_unanswered_admins"}


def test_reminder_without_a_link_cannot_be_rendered():
    """Peers 16: a reminder that does not say where to meet must fail loudly."""
    letter = next(letter for letter in every_letter() if letter.template == "reminder_1h")
    harmful = letter.event.model_copy(update={"meeting_link": "javascript:alert(1)"})
    broken = Letter(letter.template, letter.recipient_id, "id", JAKARTA, harmful, letter.at, letter.actor, NAMES)
    with pytest.raises(UndefinedError):
        render(broken)
    with pytest.raises(KeyError):
        parameters(broken)


def test_link__a_long_one_reaches_whatsapp_whole():
    """S3: a Teams link may be longer than the text that a parameter is cut to; half of it leads nowhere."""
    letter = next(letter for letter in every_letter() if letter.template == "reminder_1h")
    link = "https://teams.microsoft.com/l/meetup-join/" + "x" * 450
    event = letter.event.model_copy(update={"meeting_link": link})
    long = Letter(letter.template, letter.recipient_id, "id", JAKARTA, event, letter.at, letter.actor, NAMES)
    assert link in parameters(long)


def test_time__is_given_in_the_readers_zone_with_its_name_and_city():
    """E3."""
    at, end = datetime(2026, 12, 1, 2, tzinfo=UTC), datetime(2026, 12, 1, 3, tzinfo=UTC)
    assert moment(at, JAKARTA, "id") == "Selasa, 1 Desember 2026, 09.00 WIB (GMT+07:00, Asia/Jakarta)"
    assert moment(at, JAKARTA, "en") == "Tuesday, 1 December 2026, 09:00 WIB (GMT+07:00, Asia/Jakarta)"
    makassar = zone("Asia/Makassar")
    assert span(at, end, makassar, "id") == "Selasa, 1 Desember 2026, 10.00–11.00 WITA (GMT+08:00, Asia/Makassar)"
    across = span(at, datetime(2026, 12, 1, 17, 30, tzinfo=UTC), JAKARTA, "en")
    assert "Tuesday, 1 December" in across
    assert "Wednesday, 2 December 2026, 00:30" in across


def test_time__across_a_change_of_offset_both_ends_say_their_zone():
    """E3, F62: 02:30 to 02:30 would look like nothing."""
    berlin = zone("Europe/Berlin")
    text = span(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC), berlin, "en")
    assert "02:30 CEST (GMT+02:00, Europe/Berlin)" in text
    assert "02:30 CET (GMT+01:00, Europe/Berlin)" in text


@pytest.mark.parametrize("name", sorted(known_zones()))
def test_time__in_every_zone_on_every_day_of_two_years_says_the_instant(name):
    """E3: the offset that is printed is the one that holds, so the text means the instant; twice a day."""
    there, first = zone(name), now().replace(hour=0, minute=0, second=0, microsecond=0)
    said, offset = "", timedelta()
    for half_day in range(2 * 731):
        instant = first + half_day * timedelta(hours=12)
        local = instant.astimezone(there)
        before, said = said, zone_at(local)
        if said != before:  # the whole text wherever it changes
            told = re.fullmatch(rf"(?:[A-Z][A-Za-z]+ )?\(GMT([+-]\d\d:\d\d), {re.escape(name)}\)", said)
            assert told, said
            offset = datetime.fromisoformat(f"{local:%Y-%m-%dT%H:%M}{told[1]}").utcoffset()
            text = moment(instant, there, "en")
            assert text.endswith(f", {local:%H:%M} {said}")
            assert f", {local.day} {local:%B %Y}, " in text
        assert local.utcoffset() == offset, said


@pytest.mark.parametrize(
    ("name", "month", "said"),
    [
        ("Europe/Dublin", 12, "02:00 GMT (GMT+00:00, Europe/Dublin)"),
        ("Europe/Dublin", 7, "03:00 IST (GMT+01:00, Europe/Dublin)"),
        ("Eire", 12, "02:00 GMT (GMT+00:00, Eire)"),
        ("Africa/Casablanca", 12, "02:00 (GMT+00:00, Africa/Casablanca)"),
        ("America/Vancouver", 12, "19:00 MST (GMT-07:00, America/Vancouver)"),
        ("America/Edmonton", 12, "20:00 CST (GMT-06:00, America/Edmonton)"),
        ("Australia/Lord_Howe", 7, "12:30 (GMT+10:30, Australia/Lord_Howe)"),
        ("America/St_Johns", 7, "23:30 NDT (GMT-02:30, America/St_Johns)"),
    ],
)
def test_time__where_names_and_rules_disagree_the_rules_are_told(name, month, said):
    """E3: negative daylight saving, and zones that changed their rules in 2026."""
    instant = datetime(2026, month, 1, 2, tzinfo=UTC)
    assert moment(instant, zone(name), "en").endswith(f", {said}")
    assert moment(instant, zone(name), "id").endswith(f", {said.replace(':', '.', 1)}")


@pytest.mark.parametrize("name", [None, "", "Nowhere/Land", "../../etc/passwd", "Asia", "\x00", "x" * 300])
def test_zone__an_unknown_one_is_the_platforms(name):
    """E3: a broken profile must not stop a message."""
    assert zone_of(name, "Asia/Jakarta").key == "Asia/Jakarta"


def test_money__is_written_as_readers_know_it():
    """Libraries, i18n: IDR has no decimals here."""
    assert amount(Money(250_000, "IDR"), "id") == "Rp250.000"
    assert amount(Money(250_000, "IDR"), "en") == "IDR 250,000"
    assert amount(Money(1999, "USD"), "en") == "USD 19.99"
    assert amount(Money(1999, "USD"), "id") == "USD 19,99"


def test_layout__the_committed_page_is_what_mjml_makes():
    """Generated and committed: CI fails when it was forgotten."""
    committed = (compile_layout.FOLDER / "layout.html").read_text(encoding="utf-8")
    assert committed == compile_layout.compiled()


# Hostile text ---------------------------------------------------------------------------------------------------------


class _Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.links += [value for name, value in attrs if name in ("href", "src")]


HOSTILE = st.one_of(
    st.text(max_size=120),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "{{7*7}}",
            "{% include 'x' %}",
            "Budi\r\nBcc: evil@example.com",
            "A =?UTF-8?Q?=0A?=Bcc: evil@example.com",
            "=?=?UTF-8?Q?=0A?=",
            "\u202eevil\u202c",
            "https://evil.example/a",
            "HTTPS://evil.example",
            "www.evil.com",
            "evil.com/pay",
            "javascript:alert(1)",
            "a\u2028b\u2029c\x85d",
            "  many     spaces\t\ttabs",
            "\x00\x01\ud800",
            "'\" onmouseover=alert(1)",
        ]
    ),
)


@settings(max_examples=60, deadline=None)
@given(HOSTILE, HOSTILE)
def test_any_name__the_pages_structure_stays_the_same(name, other):
    """T19: autoescape; the tags and links are those of a harmless name."""
    letter = next(letter for letter in every_letter("en") if letter.template == "session_scheduled")
    plain = _Tags(render(letter).html)
    hostile = Letter(
        letter.template,
        letter.recipient_id,
        "en",
        JAKARTA,
        letter.event,
        letter.at,
        letter.actor,
        Names(name, name, other, name),
    )
    text = render(hostile)
    page = _Tags(text.html)
    assert page.tags == plain.tags
    assert page.links == plain.links
    if name == "{{7*7}}":
        assert name in html.unescape(text.html), "inert, as it was written"
    assert text.plain.count("\n") == render(letter).plain.count("\n")


PAGES = {
    "payment_review": "/admin/reviews",
    "refund_failed": "/admin/orders/{order}",
    "request_unanswered_admins": "/admin/orders/{order}",
    "transaction_paid": "/orders/{order}",
    "transaction_expired": "/orders/{order}",
    "transaction_refunded": "/orders/{order}",
    "practitioner_released": None,
}


@pytest.mark.parametrize("language", ["id", "en"])
def test_mail__leads_to_the_page_of_what_it_is_about_for_its_reader(language):
    for letter in every_letter(language):
        wanted = PAGES.get(letter.template, "/sessions/{session}")
        text = render(letter, "https://booking.example")
        links = [one for one in _Tags(text.html).links if one and one.startswith("https://booking.example")]
        event = letter.event.model_dump()
        ids = {"order": event["transaction_id"], "session": event.get("session_id")}
        address = wanted and f"https://booking.example{wanted.format(**ids)}"
        assert links == ([address] if address else []), letter.template
        assert (f": {address}\n" in text.plain) == bool(address)


def test_mail__leads_nowhere_of_ours_without_a_gateway():
    for letter in every_letter():
        text = render(letter)
        assert set(_Tags(text.html).links) <= {None, letter.event.model_dump().get("meeting_link")}, letter.template


@settings(max_examples=200, deadline=None)
@given(HOSTILE)
def test_any_text__a_header_is_one_line_without_encoded_words(text):
    """T14: no control character, no RFC 2047 word for a library to decode into a line of its own."""
    header = safe_header(text)
    assert not re.search(r"=\?|\?=", header)
    assert header == " ".join(header.split())
    assert all(ord(c) >= 32 and c not in "\x7f\x85\u2028\u2029" for c in header)


@settings(max_examples=200, deadline=None)
@given(HOSTILE)
def test_any_name__a_parameter_is_what_meta_accepts_and_holds_no_address(text):
    """T17: no newline, tab, more than four spaces, bidirectional override or link."""
    parameter = safe_parameter(safe_name(text, "someone"))
    assert parameter
    assert not re.search(r"[\n\t\r]| {5}|[\u202a-\u202e\u2066-\u2069]|://|(?i:\bwww\.)", parameter)
    assert not re.search(r"(?i)\bevil\.(com|example/)", parameter)


def test_names__titles_with_dots_stay_whole():
    """T17 must not eat Indonesian academic titles."""
    for whole in ("Dr. Sari Dewi, S.Psi., M.Psi.", "R.A. Kartini", "H. M. Idris, S.Kom", "I Gusti N.", "O'Brien-Smith"):
        assert safe_name(whole, "?") == whole


@pytest.mark.parametrize(
    "name",
    [
        "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
        "\u0dc1\u0dca\u200d\u0dbb\u0dd3",
        "\U0001f469\u200d\u2695\ufe0f Sari",
    ],
)
def test_names__joiners_stay_in_mails_and_messages(name):
    """A joiner shapes its letters: without it the name is another word, and the emoji falls apart."""
    assert safe_name(name, "?") == safe_header(name) == safe_parameter(name) == name
    letter = next(letter for letter in every_letter("en", names=Names(name, name, name)) if not letter.to_member)
    text = render(letter)
    assert name in text.plain
    assert name in html.unescape(text.html)


@settings(max_examples=60, deadline=None)
@given(HOSTILE)
def test_any_name__a_whatsapp_message_keeps_its_shape(name):
    """T17."""
    letter = next(letter for letter in every_letter("id") if letter.template == "reminder_24h")
    hostile = Letter(
        letter.template,
        letter.recipient_id,
        "id",
        JAKARTA,
        letter.event,
        letter.at,
        letter.actor,
        Names(name, name, name),
    )
    body = message_body(hostile, uuid4(), "6281234567890")
    (component,) = body["template"]["components"]
    assert [set(p) for p in component["parameters"]] == [{"type", "text"}] * 4
    assert template_values(hostile)["meeting_link"] == LINK
