"""Phone numbers: kept in E.164, valid in their country's numbering plan, and reachable as a person's line.

`is_possible_number` looks at the length only and takes local numbers for international ones: not enough. Numbers that
WhatsApp itself shows in an older form are read as what they are now: Mexico's `+52 1 …` (the 1 went in 2019), Brazil's
eight digits (mobiles got a ninth in 2016).
"""

import re
import unicodedata

from booking_people.names import Unusable, without_strays

MOST_PHONE = 40
REGION = "ID"
"""The country of a number without one."""

# What people put between digits. No letter: `(Budi)` is no 2834, and an extension is no line of its own.
_WRITTEN = re.compile(r"\(?\+?[\d\s().\-/\u2010-\u2015\u2212]*")
_SCHEME = re.compile(r"(?i)tel:")
_MEXICO_OLD = re.compile(r"\+521(\d{10})")
_BRAZIL_OLD = re.compile(r"\+55([1-9]\d)([6-9]\d{7})")
_EXPECTED = "a phone number such as +6281234567890"


def phone(text: str, region: str = REGION) -> str:
    """The number in E.164 (`+6281234567890`); without a country code it is one of `region`. Unusable for any other."""
    import phonenumbers  # noqa: PLC0415 - a tenth of a second that the start need not wait for

    number = _international(text)
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        raise Unusable(_EXPECTED) from None
    kinds = phonenumbers.PhoneNumberType
    of_a_person = {
        kinds.FIXED_LINE,
        kinds.MOBILE,
        kinds.FIXED_LINE_OR_MOBILE,
        kinds.VOIP,
        kinds.PERSONAL_NUMBER,
    }
    # Neither short codes and local numbers (not valid) nor toll-free, premium and call centres' numbers.
    if not phonenumbers.is_valid_number(parsed) or phonenumbers.number_type(parsed) not in of_a_person:
        raise Unusable(_EXPECTED)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def whatsapp_digits(number: str) -> str:
    """The digits that `wa.me` and the Cloud API want for a number in E.164: no `+`, Italy's leading zero kept.

    Mexico has a 1 after 52 and Argentina a 9 after 54 at WhatsApp (its FAQ "How to add an international phone number").
    Brazil's ninth digit may be there or not: WhatsApp finds the account by either.
    """
    digits = number.removeprefix("+")
    if digits.startswith("52"):
        return "521" + digits[2:]
    if digits.startswith("54") and not digits.startswith("549"):
        return "549" + digits[2:]
    return digits


def _international(text: str) -> str:
    """Digits alone, with `+` where a country code is meant: `00` and `+` both say so."""
    written = _SCHEME.sub("", unicodedata.normalize("NFKC", without_strays(text)).strip(), count=1)
    if len(text) > MOST_PHONE or not _WRITTEN.fullmatch(written):
        raise Unusable(_EXPECTED)
    digits = "".join(str(unicodedata.decimal(c)) for c in written if c.isdecimal())
    if "+" not in written and not digits.startswith("00"):
        return digits
    number = "+" + (digits if "+" in written else digits[2:])
    if old := _MEXICO_OLD.fullmatch(number):
        return f"+52{old[1]}"
    if old := _BRAZIL_OLD.fullmatch(number):
        return f"+55{old[1]}9{old[2]}"
    return number
