"""Meeting links (product.md S3, T10): the full shape of a provider's meeting, not the host alone.

`meet.google.com/linkredirect?dest=` is an open redirect on an allowed host, so each provider lists the paths of its
meetings and the query they need; everything else of the query, and every fragment, is dropped.
"""

import json
import re
from collections.abc import Callable, Iterable
from types import MappingProxyType
from uuid import UUID

from consultation.links.address import Address, InvalidLinkError, parse, rebuild

_MEET = re.compile(r"/[a-z]{3}-[a-z]{4}-[a-z]{3}")
_ZOOM = re.compile(r"/(?:[jsw]/[0-9]{3,15}|my/[A-Za-z0-9][A-Za-z0-9._-]{0,63})")
_ZOOM_HOST = re.compile(r"(?:[a-z0-9-]+\.)?zoom\.us")
_ZOOM_PASSWORD = re.compile(r"[A-Za-z0-9._~=+/-]{1,128}")
_TEAMS_JOIN = re.compile(
    r"/l/meetup-join/19(?::|%3[aA])(?P<thread>meeting_[A-Za-z0-9_-]{1,128})%40(?P<space>thread\.(?:v2|tacv2|skype))"
    r"/(?P<message>[0-9]{1,20})"
)
_TEAMS_MEET = re.compile(r"/meet/[0-9]{6,20}")
_TEAMS_CODE = re.compile(r"[A-Za-z0-9]{1,64}")
_JITSI = re.compile(r"/[A-Za-z0-9][A-Za-z0-9_-]{1,127}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

Shape = Callable[[Address], str]


def _meet(address: Address) -> str:
    _require(_MEET, address.path, "A Google Meet link is https://meet.google.com/xxx-xxxx-xxx.")
    return rebuild(address.host, address.path, {})


def _zoom(address: Address) -> str:
    _require(_ZOOM, address.path, "A Zoom link is https://zoom.us/j/ and the meeting's number.")
    return rebuild(address.host, address.path, _optional(address, "pwd", _ZOOM_PASSWORD))


def _teams(address: Address) -> str:
    if _TEAMS_MEET.fullmatch(address.path):
        return rebuild(address.host, address.path, _optional(address, "p", _TEAMS_CODE))
    join = _TEAMS_JOIN.fullmatch(address.path)
    if join is None:
        raise InvalidLinkError("A Teams link is https://teams.microsoft.com/meet/ or /l/meetup-join/ and the meeting.")
    path = f"/l/meetup-join/19%3a{join['thread']}%40{join['space']}/{join['message']}"
    return rebuild(address.host, path, {"context": _teams_context(address.query.get("context", ""))})


def _jitsi(address: Address) -> str:
    _require(_JITSI, address.path, "A Jitsi link is the host and the room's name in letters and digits.")
    return rebuild(address.host, address.path, {})


SHAPES: MappingProxyType[str, Shape] = MappingProxyType(
    {"meet.google.com": _meet, "zoom.us": _zoom, "teams.microsoft.com": _teams, "meet.jit.si": _jitsi}
)


class MeetingLinks:
    """The meeting links that this installation takes.

    `hosts` names providers out of SHAPES; `jitsi:<host>` adds a Jitsi of one's own. An unknown one stops the start:
    a host without a shape would be an open door.
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        self._shapes: dict[str, Shape] = {}
        for entry in hosts:
            kind, _, own = entry.rpartition(":")
            shape = SHAPES.get(own) if not kind else (_jitsi if kind == "jitsi" else None)
            if shape is None:
                raise ValueError(f"MEETING_HOSTS: {entry!r} is none of {', '.join(SHAPES)} or jitsi:<host>")
            self._shapes[own] = shape

    def canonical(self, link: str) -> str:
        """The link rebuilt from its checked parts; InvalidLinkError says what is wrong with it."""
        address = parse(link)
        shape = self._shapes.get("zoom.us" if _ZOOM_HOST.fullmatch(address.host) else address.host)
        if shape is None:
            raise InvalidLinkError(f"Meetings are held at {', '.join(self._shapes)}.")
        return shape(address)


def _require(shape: re.Pattern[str], text: str, message: str) -> None:
    if not shape.fullmatch(text):
        raise InvalidLinkError(message)


def _optional(address: Address, name: str, shape: re.Pattern[str]) -> dict[str, str]:
    value = address.query.get(name)
    if value is None:
        return {}
    _require(shape, value, f"The link's {name!r} is malformed.")
    return {name: value}


def _teams_context(text: str) -> str:
    """Exactly tenant and organiser: the context may carry more, and Teams acts on it."""
    try:
        context = json.loads(text)
    except ValueError as error:
        raise InvalidLinkError("A Teams link has a context with Tid and Oid.") from error
    if not isinstance(context, dict) or set(context) != {"Tid", "Oid"}:
        raise InvalidLinkError("A Teams link's context holds Tid and Oid and nothing else.")
    if not all(isinstance(value, str) and _UUID.fullmatch(value) for value in context.values()):
        raise InvalidLinkError("A Teams link's Tid and Oid are UUIDs.")
    return json.dumps({name: str(UUID(context[name])) for name in ("Tid", "Oid")}, separators=(",", ":"))
