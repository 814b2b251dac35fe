"""Names of every script, as they are spelled, without what copying brought along."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_people import MOST_NAME, Unusable, name, one_line, paragraph

ALI_REZA = "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627"
SHRI = "\u0dc1\u0dca\u200d\u0dbb\u0dd3"
CHILLU = "\u0d30\u0d3e\u0d1c\u0d28\u0d4d\u200d"  # Malayalam: the joiner after the virama ends the word
DOCTOR = "\U0001f469\u200d\u2695\ufe0f"
FAMILY = "\U0001f469\U0001f3fd\u200d\U0001f467"


@pytest.mark.parametrize(
    "kept",
    [
        "Sari",
        "Ni Luh Putu",
        "Dr. Ágnes O'Brien-Łuk",
        "李雷",
        ALI_REZA,
        SHRI,
        CHILLU,
        DOCTOR,
        FAMILY,
        "Sari \u2764\ufe0f",
    ],
)
def test_name__is_kept_as_it_is_spelled(kept):
    assert name(f" {kept}\n") == kept
    assert one_line(kept) == kept


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("\u200eSari\u200f", "Sari"),
        ("\ufeffSari", "Sari"),
        ("Sa\u00adri", "Sari"),
        ("Sa\u200bri", "Sari"),
        ("\u202aSari\u202c", "Sari"),
        ("\u2068Sari\u2069", "Sari"),
        ("\u200dSari\u200c", "Sari"),
        ("Sari \u200c Dewi", "Sari Dewi"),
        ("Sari\u00a0\u3000Dewi", "Sari Dewi"),
        ("A\u0301gnes", "Ágnes"),
        ("A\u200e\u0301gnes", "Ágnes"),
        (f"{ALI_REZA}\u200c", ALI_REZA),
        (f"{ALI_REZA[:3]}\u200c\u200f{ALI_REZA[3:]}", ALI_REZA),
    ],
)
def test_name__loses_what_only_copying_brought(given_, kept):
    assert name(given_) == kept
    assert one_line(given_) == kept


@pytest.mark.parametrize(
    "bad",
    [
        "", " ", "a\nb", "a\tb", "a\r\nBcc: x@y", "a\x00", "a\x1bb", "a\x85b", "a\u2028b", "a\u2029b",
        "a\u202eb", "a\ud800", "a\ue000", "a\ufdd0",
        "\u200d", "\u200c\u200c", "\u200b", "\ufeff", "\u3164", "\u2800", "\u0301", "\ufe0f", "x" * (MOST_NAME + 1),
    ],
)  # fmt: skip
def test_name__controls_and_nothing_visible_are_refused(bad):
    with pytest.raises(Unusable, match="name"):
        name(bad)


def test_name__is_counted_without_what_is_taken_away():
    longest = "x" * MOST_NAME
    assert name(f"\u200e\ufeff{longest}\u00ad") == longest


@given(st.text(max_size=250))
def test_any_text__a_name_is_stable_and_the_line_of_it_is_the_same(text):
    """What is taken once is taken again, unchanged; a message shows the name as it is kept."""
    try:
        kept = name(text)
    except Unusable:
        return
    assert name(kept) == kept
    assert one_line(kept, MOST_NAME) == kept
    assert unicodedata.is_normalized("NFC", kept)


@given(st.text(max_size=250), st.integers(1, 60))
def test_any_text__a_line_is_one_line_and_stable(text, limit):
    line = one_line(text, limit)
    assert len(line) <= limit
    assert one_line(line, limit) == line
    assert all(unicodedata.category(c) not in {"Cc", "Cs", "Co", "Zl", "Zp"} for c in line)
    assert {c for c in line if unicodedata.category(c) == "Cf"} <= set("\u200c\u200d")


def test_paragraph__has_lines_and_joiners_and_no_marks():
    assert paragraph(f"\ufeff{ALI_REZA}\r\n\u200eSari\n") == f"{ALI_REZA}\r\nSari"
    assert paragraph("") == ""
    for bad in ("a\x00b", "a\u202eb", "x" * 4_001):
        with pytest.raises(Unusable, match="text"):
            paragraph(bad)
