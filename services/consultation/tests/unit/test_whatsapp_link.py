"""The link for negotiating by hand: right for any number and any text (the document: `https://wa.me/{phone}?text=...`)."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consultation.sessions.models import greeting, whatsapp_url


@pytest.mark.parametrize(
    ("phone", "digits"),
    [
        ("0812-3456-7890", "6281234567890"),
        ("+62 812 3456 7890", "6281234567890"),
        ("006281234567890", "6281234567890"),
        ("(021) 555-0123", "62215550123"),  # WhatsApp Business is registered on fixed lines too
        ("+1 (415) 555-2671", "14155552671"),
        ("+44 7400 123456", "447400123456"),
        ("+39 06 1234 5678", "390612345678"),  # Italy keeps its leading zero
        ("+525512345678", "5215512345678"),
        ("+52 1 55 1234 5678", "5215512345678"),
        ("+54 11 15 2345 6789", "5491123456789"),
        ("+55 31 8888-7777", "5531988887777"),
    ],
)
def test_number__is_what_whatsapp_knows_the_account_by(phone: str, digits: str):
    """R1: Indonesian numbers without country code, foreign ones with theirs."""
    assert whatsapp_url(phone, "x") == f"https://wa.me/{digits}?text=x"


@pytest.mark.parametrize(
    "phone",
    [None, "", "Sri", "12", "555-0123", "0812345", "14045", "62 62 81234567890", "0812 345 6789 (Budi)", "+9" * 19],
)
def test_number__that_reaches_nobody_gives_no_link(phone: str | None):
    """R1: null, never a link to nobody."""
    assert whatsapp_url(phone, "x") is None


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


def test_greeting__in_the_practitioners_language():
    """N2: Indonesian unless English; unknown names are left out, braces in names are only braces."""
    named = greeting(kind="counseling", locale="id-ID", practitioner_name="Bu {Ani}", member_name="Sri")
    assert named.startswith("Halo Bu {Ani}, saya Sri.")
    assert "konseling" in named
    english = greeting(kind="verification", locale="en", practitioner_name=None, member_name=None)
    assert english.startswith("Hello. I have just requested a verification session.")
