"""The parts of an https address, or a refusal: what both link rules do before they look at host and path.

Two readers of one link must never see two hosts (T11). `urlsplit` puts `https://evil.example\\@meet.google.com/x` at
Meet and drops CR and LF silently, browsers go to evil: so every character on which parsers differ is refused before
anything is parsed, and what is left has one reading (`tests/unit/test_link_corpus.py` asks Node too).

A link that lost what makes it work is worse than a refused one. So of each parameter one of three things is known: the
link needs it and it is kept, it does nothing for whoever opens the link and is dropped, or it is not known: refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

LONGEST = 512
"""Characters of a canonical link."""
LONGEST_TYPED = 2_048
"""Characters of what is pasted: address bars add much that is dropped."""

_ADDRESS = re.compile(r"(?i:https)://(?P<host>[^/?#]+)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PATH_BEGINS = len("https://")
_COUNTING = re.compile(
    r"utm_[a-z_]+|fbclid|gclid|msclkid|igshid|mc_[ce]id|_g[al]|si|usp|hl|authuser|pli|nav|wd[a-z]*", re.IGNORECASE
)
"""Of no account wherever they stand: who sent the link, and how the page is shown to whom."""
_PLACE = re.compile(
    r"[A-Za-z0-9._~:-]*|(?:heading|gid|slide|bookmark|page|t|range|config|interfaceConfig|userInfo|devices)[=.].*"
)
"""Fragments that open the same thing, elsewhere in it or with other settings."""
_DOTS = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)


class InvalidLinkError(ValueError):
    """The link is refused; the text says why, to the person who typed it."""


@dataclass(frozen=True, slots=True)
class Address:
    """An https address taken apart. The path is as typed and begins with `/`; values of the query are decoded."""

    host: str
    path: str
    query: dict[str, str]
    fragment: str


@dataclass(frozen=True, slots=True)
class Parameters:
    """What is known of the parameters of one kind of link.

    `kept`: name and form of those that it may need. `needs`: one of them must be there. `dropped`: of no account.
    `refused`: those that make it a link for one person alone, with what to paste instead. `paste`: what to paste.
    """

    paste: str
    kept: Mapping[str, re.Pattern[str]] = field(default_factory=dict[str, re.Pattern[str]])
    needs: tuple[str, ...] = ()
    dropped: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict[str, str])

    def of(self, address: Address) -> dict[str, str]:
        """The kept parameters of this address; InvalidLinkError for one that is unknown, malformed or missing."""
        kept: dict[str, str] = {}
        for name, value in address.query.items():
            if (why := self.refused.get(name)) is not None:
                raise InvalidLinkError(f"{why} {self.paste}")
            if (shape := self.kept.get(name)) is not None:
                if not shape.fullmatch(value):
                    raise InvalidLinkError(f"The link's {name!r} is malformed. {self.paste}")
                kept[name] = value
            elif name not in self.dropped and not _COUNTING.fullmatch(name):
                raise InvalidLinkError(f"It isn't known whether the link works without its {name!r}. {self.paste}")
        if self.needs and not kept.keys() & set(self.needs):
            raise InvalidLinkError(f"The link leads nowhere without {' or '.join(map(repr, self.needs))}. {self.paste}")
        if not _PLACE.fullmatch(address.fragment):
            raise InvalidLinkError(f"It isn't known whether the link works without what follows its #. {self.paste}")
        return {name: kept[name] for name in self.kept if name in kept}


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
    return Address(host, path, query_of(match["query"] or ""), match["fragment"] or "")


def rebuild(host: str, path: str, query: dict[str, str]) -> str:
    """The canonical form: lower-case host, the path as checked, the listed query in the listed order, no fragment."""
    pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    link = f"https://{host}{path}" + (f"?{pairs}" if pairs else "")
    if len(link) > LONGEST:  # encoding may lengthen what was just short enough
        raise InvalidLinkError(f"A link has at most {LONGEST} characters.")
    return link


def _refuse_tricks(link: str) -> None:
    if len(link) > LONGEST_TYPED:
        raise InvalidLinkError(f"A link has at most {LONGEST_TYPED} characters.")
    if not link.isascii():
        raise InvalidLinkError("A link is written in ASCII.")
    if any(character <= " " or character in "\\\x7f" for character in link):
        raise InvalidLinkError("A link has no spaces, control characters or backslashes.")
    # After the first slash of the path every reader knows the host already; before it, readers differ on an @.
    if "@" in link and not 0 < link.find("/", _PATH_BEGINS) < link.index("@"):
        raise InvalidLinkError("A link has no @ before its path.")
    if _BROKEN_ESCAPE.search(link):
        raise InvalidLinkError("Each % in a link is followed by two hexadecimal digits.")


def query_of(text: str) -> dict[str, str]:
    """The names and decoded values of a query; InvalidLinkError for a name that stands twice."""
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
