"""Mail addresses: one plain mailbox that every mail server takes, and the URI of one."""

import re
from urllib.parse import quote

import idna

from booking_people.names import Unusable, without_strays

MOST_EMAIL, _MOST_LOCAL, _MOST_DOMAIN = 254, 64, 253

# Narrower than RFC 5321 on purpose: a dot-string (§4.1.2), no quoted local part, no address literal, no comment, no
# group, no route. CR, LF, comma, semicolon and angle brackets would let one recipient become several, or a command.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?!\d+$){_LABEL}", re.ASCII)
_EXPECTED = "an email address such as name@example.com"


def email(text: str) -> str:
    """The address in ASCII, a domain of other letters as its A-labels (RFC 5891); Unusable for anything else."""
    local, at, domain = without_strays(text).strip(" ").rpartition("@")
    if not domain.isascii():
        domain = _ascii(domain)
    address = f"{local}@{domain}"
    # fullmatch, never match with `$`: that would let a trailing newline through.
    fits = len(address) <= MOST_EMAIL and len(local) <= _MOST_LOCAL and len(domain) <= _MOST_DOMAIN
    if not (at and fits and _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain)):
        raise Unusable(_EXPECTED)
    return address


def mailto(address: str) -> str:
    """The URI of a checked address (RFC 6068 §2): `a%b@example.com` is `mailto:a%25b@example.com`."""
    local, _, domain = address.rpartition("@")
    encoded = quote(local, safe="!$'*+")
    return f"mailto:{encoded}@{domain}"


def _ascii(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True, std3_rules=True).decode()
    except (idna.IDNAError, UnicodeError):
        raise Unusable(_EXPECTED) from None
