"""The link for negotiating by hand: right for any number and any text (the document: `https://wa.me/{phone}?text=...`)."""

from urllib.parse import parse_qs, urlsplit

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consultation.whatsapp import greeting, international, whatsapp_url


@pytest.mark.parametrize(
    ("phone", "digits"),
    [
        ("0812-3456-7890", "6281234567890"),
        ("081234567890", "6281234567890"),
        ("+62 812 3456 7890", "6281234567890"),
        ("6281234567890", "6281234567890"),
        ("(021) 555-0123", "62215550123"),
        ("+65 8123 4567", "6581234567"),
        ("+1 (415) 555-2671", "14155552671"),
        ("+44 7400 123456", "447400123456"),
        ("+39 06 1234 5678", "390612345678"),  # Italy keeps its leading zero
        ("", None),
        (None, None),
        ("Sri", None),
        ("12", None),
        ("+999999999999999999", None),
    ],
)
def test_number__is_e164_without_plus(phone: str | None, digits: str | None):
    """R1: Indonesian numbers without country code, foreign ones with theirs."""
    assert international(phone) == digits


@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)))
def test_number__of_any_region(region: str):
    """R1: every region's example number comes through, however it is written."""
    number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    if number is None:
        return
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    assert international(written) == international(e164) == e164.removeprefix("+")


@given(st.text(st.one_of(st.sampled_from("&#=+%?/ \n"), st.characters(exclude_categories=["Cs"]))))
def test_text__comes_back_as_it_was(text: str):
    """R1: any text, and nothing of it is read as address."""
    url = whatsapp_url("081234567890", text)
    assert url is not None
    assert url.isascii()
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.path, parts.fragment) == ("https", "wa.me", "/6281234567890", "")
    if text:
        assert parse_qs(parts.query, strict_parsing=True) == {"text": [text]}


def test_text__with_a_lone_surrogate_does_not_fail():
    """R1: a name from elsewhere may hold anything."""
    assert whatsapp_url("081234567890", "a\ud800b") == "https://wa.me/6281234567890?text=a%3Fb"


def test_no_number__no_link():
    """R1: null, never a link to nobody."""
    assert whatsapp_url(None, "x") is None


def test_greeting__in_the_practitioners_language():
    """N2: Indonesian unless English; unknown names are left out, braces in names are only braces."""
    named = greeting(kind="counseling", locale="id-ID", practitioner_name="Bu {Ani}", member_name="Sri")
    assert named.startswith("Halo Bu {Ani}, saya Sri.")
    assert "konseling" in named
    english = greeting(kind="verification", locale="en", practitioner_name=None, member_name=None)
    assert english.startswith("Hello. I have just requested a verification session.")
