"""Phones: reachable ones in one spelling, and as WhatsApp wants them."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_people import Unusable, phone, whatsapp_digits


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("081234567890", "+6281234567890"),
        ("0812-3456-7890", "+6281234567890"),
        ("+62 812 3456 7890", "+6281234567890"),
        ("(+62) 812 3456 7890", "+6281234567890"),
        ("+62 (0)812.3456.7890", "+6281234567890"),
        ("6281234567890", "+6281234567890"),
        ("006281234567890", "+6281234567890"),
        ("00 62 812/3456/7890", "+6281234567890"),
        ("tel:+6281234567890", "+6281234567890"),
        ("\u202a+62\u00a0812\u20113456\u20117890\u202c", "+6281234567890"),
        ("٠٨١٢٣٤٥٦٧٨٩٠", "+6281234567890"),
        ("\uff0b６２81234567890", "+6281234567890"),
        ("(021) 555-0123", "+62215550123"),
        ("+493012345678", "+493012345678"),
        ("0049 151 12345678", "+4915112345678"),
        ("+44 (0)7400 123456", "+447400123456"),
        ("+1 (415) 555-2671", "+14155552671"),
        ("+39 06 1234 5678", "+390612345678"),
        ("0039 347 123 4567", "+393471234567"),
        ("+52 55 1234 5678", "+525512345678"),
        ("+52 1 55 1234 5678", "+525512345678"),
        ("+5215512345678", "+525512345678"),
        ("00521 55 1234 5678", "+525512345678"),
        ("+54 9 11 2345 6789", "+5491123456789"),
        ("+54 11 15 2345 6789", "+5491123456789"),
        ("+55 31 98888-7777", "+5531988887777"),
        ("+55 31 8888-7777", "+5531988887777"),
    ],
)
def test_phone__is_kept_in_one_spelling(written, kept):
    assert phone(written) == kept
    assert phone(kept) == kept


@pytest.mark.parametrize(
    "bad",
    [
        "", "abc", "123", "12", "\x00", "+", "00", "+62", "555-0123", "0812345", "14045", "112", "1500888",
        "+62 1500 888", "0812 345 6789 (Budi)",
        "62 62 81234567890", "1-800-FLOWERS", "+1 800 FLOWERS", "+1 800 356 9377", "08001234567",
        "+62 812 3456 7890 ext 3", "+6281234567890;ext=5",
        "081234567890x3", "081234567890#3", "081234567890,3", "+62+81234567890", "+0062 81234567890",
        "+999999999999999999", "+52 1 800 123 4567",
        "081234567890\nBcc: x", "081234567890 / 081234567891", "8" * 41,
    ],
)  # fmt: skip
def test_phone__that_reaches_no_person_is_refused(bad):
    with pytest.raises(Unusable, match="phone"):
        phone(bad)


@pytest.mark.parametrize(
    ("kept", "digits"),
    [
        ("+6281234567890", "6281234567890"),
        ("+62215550123", "62215550123"),
        ("+525512345678", "5215512345678"),
        ("+5491123456789", "5491123456789"),
        ("+541123456789", "5491123456789"),
        ("+5531988887777", "5531988887777"),
        ("+390612345678", "390612345678"),
        ("+393471234567", "393471234567"),
        ("+14155552671", "14155552671"),
    ],
)
def test_whatsapp__the_digits_that_it_knows_an_account_by(kept, digits):
    """Mexico with a 1, Argentina with a 9, Brazil with the ninth digit, Italy with its zero."""
    assert whatsapp_digits(kept) == digits


@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)))
def test_phone__of_any_region_comes_through_however_it_is_written(region):
    number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    if number is None:
        return
    kept = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    assert phone(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)) == kept
    assert phone(f"00{kept[1:]}") == phone(kept) == kept


@given(st.text(max_size=45))
def test_any_text__is_e164_or_refused(text):
    try:
        kept = phone(text)
    except Unusable:
        return
    assert kept[0] == "+"
    assert kept[1:].isascii()
    assert kept[1:].isdigit()
    assert phone(kept) == kept
