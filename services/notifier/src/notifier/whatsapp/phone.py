"""Which phone numbers we are willing to send to."""

import phonenumbers


def digits(text: str, region: str = "ID") -> str | None:
    """E.164 digits without the plus (`0812-3456-7890` is `6281234567890`), or None if it is no possible number."""
    if len(text) > 40:
        return None
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")
