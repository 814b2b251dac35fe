"""What else people may say of themselves: zone, language, a web address. One function per kind, for claims and bodies.

Names, phones and mail addresses are `booking_people`'s.
"""

import re
from urllib.parse import urlsplit

from booking_contracts.zones import known_zones

MOST_URL = 2_048
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")


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
