"""The parts of an https address, or a refusal: what both link rules do before they look at host and path.

Two readers of one link must never see two hosts (T11). `urlsplit` puts `https://evil.example\\@meet.google.com/x` at
Meet and drops CR and LF silently, browsers go to evil: so every character on which parsers differ is refused before
anything is parsed, and what is left has one reading (`tests/unit/test_link_corpus.py` asks Node too).
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

LONGEST = 512

_ADDRESS = re.compile(r"(?i:https)://(?P<host>[^/?#]+)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?(?:#.*)?")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DOTS = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)


class InvalidLinkError(ValueError):
    """The link is refused; the text says why, to the person who typed it."""


@dataclass(frozen=True, slots=True)
class Address:
    """An https address taken apart. The path is as typed and begins with `/`; values of the query are decoded."""

    host: str
    path: str
    query: dict[str, str]


def parse(link: str) -> Address:
    """The parts of `link`; InvalidLinkError for whatever two parsers might read differently."""
    _refuse_tricks(link)
    match = _ADDRESS.fullmatch(link)
    if match is None:
        raise InvalidLinkError("A link begins with https:// and a host.")
    host = match["host"].lower()
    if not _HOST.fullmatch(host):
        raise InvalidLinkError("The host must be a plain name, without port, user or a dot at its end.")
    path = match["path"] or "/"
    if any(_DOTS.fullmatch(segment) for segment in path.split("/")):
        raise InvalidLinkError("The path must not climb with dots.")
    return Address(host, path, _query(match["query"] or ""))


def rebuild(host: str, path: str, query: dict[str, str]) -> str:
    """The canonical form: lower-case host, the path as checked, the listed query in the listed order, no fragment."""
    pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    link = f"https://{host}{path}" + (f"?{pairs}" if pairs else "")
    if len(link) > LONGEST:  # encoding may lengthen what was just short enough
        raise InvalidLinkError(f"A link has at most {LONGEST} characters.")
    return link


def _refuse_tricks(link: str) -> None:
    if len(link) > LONGEST:
        raise InvalidLinkError(f"A link has at most {LONGEST} characters.")
    if not link.isascii():
        raise InvalidLinkError("A link is written in ASCII.")
    if any(character <= " " or character in "\\@\x7f" for character in link):
        raise InvalidLinkError("A link has no spaces, control characters, backslashes or @.")
    if _BROKEN_ESCAPE.search(link):
        raise InvalidLinkError("Each % in a link is followed by two hexadecimal digits.")


def _query(text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in filter(None, text.split("&")):
        name, _, value = pair.partition("=")
        if name in values:
            raise InvalidLinkError(f"{name!r} stands twice in the link.")
        values[name] = _decoded(value)
    return values


def _decoded(value: str) -> str:
    # `+` stays a plus: these providers mean base64's, not a form's space; the rebuilt link says %2B.
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidLinkError("An escape in the link is no UTF-8.") from error
