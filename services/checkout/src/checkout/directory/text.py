"""What people may call themselves and how they may be reached. One function per kind, shared by claims and bodies.

Control characters never get in: a name becomes a mail's header, an address an SMTP command (T14, T15).
"""

import re
import unicodedata
from urllib.parse import urlsplit

from booking_contracts.zones import known_zones

MOST_NAME, MOST_EMAIL, MOST_BIO, MOST_URL = 200, 254, 4_000, 2_048
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}"
)
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")
_LINES = {"\n", "\t", "\r"}


def name(text: str) -> str:
    """Return a name on one line; ValueError for control and invisible formatting characters, or none at all."""
    text = unicodedata.normalize("NFC", " ".join(text.split(" "))).strip()
    if not text or len(text) > MOST_NAME or _has_controls(text):
        raise ValueError(f"a name is 1 to {MOST_NAME} characters on one line, without control characters")
    return text


def paragraph(text: str) -> str:
    """Return longer text, line breaks allowed; ValueError for other control characters."""
    text = unicodedata.normalize("NFC", text).strip()
    if len(text) > MOST_BIO or _has_controls("".join(c for c in text if c not in _LINES)):
        raise ValueError(f"a text is up to {MOST_BIO} characters, without control characters")
    return text


def email(text: str) -> str:
    """Return a plain ASCII address; ValueError for anything else."""
    text = text.strip()
    if len(text) > MOST_EMAIL or not _EMAIL.fullmatch(text) or ".." in text:
        raise ValueError("an email address such as name@example.com")
    return text


def phone(text: str) -> str:
    """Return a number in E.164; one without a country is Indonesian. ValueError for what can be no number."""
    import phonenumbers  # noqa: PLC0415 - a tenth of a second that the start need not wait for

    try:
        number = phonenumbers.parse(text, "ID")
    except phonenumbers.NumberParseException:
        raise ValueError("a phone number such as +6281234567890") from None
    if not phonenumbers.is_possible_number(number) or number.extension:
        raise ValueError("a phone number such as +6281234567890")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def zone(text: str) -> str:
    """Return an IANA zone's name; ValueError for an unknown one."""
    if text not in known_zones():
        raise ValueError("an IANA time zone such as Asia/Jakarta")
    return text


def locale(text: str) -> str:
    """Return a language tag such as `id` or `en-GB`; ValueError for anything else."""
    if not _LOCALE.fullmatch(text):
        raise ValueError("a language such as id or en")
    return text.replace("_", "-")


def web_address(text: str) -> str:
    """Return an https address; ValueError for one that readers could take for another (T11)."""
    text = text.strip()
    if len(text) > MOST_URL or not text.isascii() or not text.isprintable() or any(c in text for c in ' \\<>"`@'):
        raise ValueError("an https address")
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or "." not in parts.hostname:
        raise ValueError("an https address")
    return text


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") and c != "\u200d" for c in text)
