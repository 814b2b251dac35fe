"""Meeting links (product.md S3, T10): the full shape of a provider's meeting, not the host alone.

`meet.google.com/linkredirect?dest=` is an open redirect on an allowed host, so each provider lists the paths of its
meetings and what is known of their parameters.
"""

import json
import re
from collections.abc import Callable, Iterable
from types import MappingProxyType
from uuid import UUID

from consultation.links.address import Address, InvalidLinkError, Parameters, parse, query_of, rebuild

Shape = Callable[[Address], str]

_MEET = re.compile(r"/[a-z]{3}-[a-z]{4}-[a-z]{3}")
_MEET_KNOWN = Parameters(
    paste="Paste https://meet.google.com/xxx-xxxx-xxx alone.",
    dropped=frozenset({"hs", "adhoc", "ijlm", "ec", "ht", "lang", "pageId"}),
)

_ZOOM = re.compile(r"/(?:[jsw]/[0-9]{3,15}|my/[A-Za-z0-9][A-Za-z0-9._-]{0,63})")
_ZOOM_HOST = re.compile(r"(?:[a-z0-9-]+\.)?zoom\.us")
_KEY = re.compile(r"[A-Za-z0-9._~=+/-]{1,256}")
_ZOOM_KNOWN = Parameters(
    paste="Paste the invitation link, https://zoom.us/j/ and the meeting's number, as Zoom copies it.",
    kept={"pwd": re.compile(r"[A-Za-z0-9._~=+/-]{1,128}"), "tk": _KEY, "uuid": _KEY, "omn": re.compile(r"[0-9]{3,15}")},
    dropped=frozenset(
        {"uname", "from", "status", "success", "jst", "prefer", "browser", "zc", "lang", "_x_zm_rtaid", "_x_zm_rhtaid"}
    ),
    refused={
        "zak": "This is the host's own start link, with the host's key.",
    },
)

_TEAMS_HOST = re.compile(
    r"teams\.(?:microsoft\.com|cloud\.microsoft|live\.com)|(?:gov|gcc|gcch|dod)\.teams\.microsoft\.us|teams\.microsoft\.us"
)
_TEAMS_JOIN = re.compile(
    r"/l/meetup-join/19(?::|%3[aA])(?P<thread>[A-Za-z0-9_-]{1,160})(?:@|%40)"
    r"(?P<space>thread\.(?:v2|tacv2|skype)|unq\.gbl\.spaces)/(?P<message>[0-9]{1,20})"
)
_TEAMS_MEET = re.compile(r"/meet/[0-9]{6,20}")
_TEAMS_APP = re.compile(r"/(?:v2/?|_)")  # the web application: the meeting's own path and query follow its #
_TEAMS_PASTE = "Paste the link of the invitation: https://teams.microsoft.com/meet/… or /l/meetup-join/…, all of it."
_TEAMS_DROPPED = frozenset(
    {
        "anon", "deeplink", "deeplinkId", "launchAgent", "launchType", "laentry", "lmsrc", "lcid", "lm", "directDl",
        "msLaunch", "enableMobilePage", "suppressPrompt", "correlationId", "type", "fqdn", "clientType", "webjoin",
        "skipauthstrap", "culture", "country",
    }
)  # fmt: skip
_TEAMS_MEET_KNOWN = Parameters(
    paste=_TEAMS_PASTE, kept={"p": re.compile(r"[A-Za-z0-9_-]{1,64}")}, dropped=_TEAMS_DROPPED
)
_TEAMS_JOIN_KNOWN = Parameters(
    paste=_TEAMS_PASTE, kept={"context": re.compile(r".{2,600}")}, needs=("context",), dropped=_TEAMS_DROPPED
)
_TEAMS_APP_KNOWN = Parameters(
    paste=_TEAMS_PASTE, kept={"meetingjoin": re.compile("true")}, dropped=_TEAMS_DROPPED
)  # fmt: skip
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_JITSI = re.compile(r"/[A-Za-z0-9][A-Za-z0-9_-]{1,127}")
_JITSI_KNOWN = Parameters(
    paste="Paste the host and the room's name alone.",
    dropped=frozenset({"lang"}),
    refused={"jwt": "This link carries the key of one person."},
)


def _meet(address: Address) -> str:
    _require(_MEET, address.path, "A Google Meet link is https://meet.google.com/xxx-xxxx-xxx.")
    return rebuild(address.host, address.path, _MEET_KNOWN.of(address))


def _zoom(address: Address) -> str:
    _require(_ZOOM, address.path, f"A Zoom link is https://zoom.us/j/ and the meeting's number. {_ZOOM_KNOWN.paste}")
    return rebuild(address.host, address.path, _ZOOM_KNOWN.of(address))


def _teams(address: Address) -> str:
    if _TEAMS_APP.fullmatch(address.path) and address.fragment.startswith("/"):
        _TEAMS_APP_KNOWN.of(Address(address.host, address.path, address.query, ""))
        path, _, query = address.fragment.partition("?")
        address = Address(address.host, path, query_of(query), "")
    if _TEAMS_MEET.fullmatch(address.path):
        return rebuild(address.host, address.path, _TEAMS_MEET_KNOWN.of(address))
    join = _TEAMS_JOIN.fullmatch(address.path)
    if join is None:
        raise InvalidLinkError(f"The link is none of a Teams meeting. {_TEAMS_PASTE}")
    path = f"/l/meetup-join/19%3a{join['thread']}%40{join['space']}/{join['message']}"
    return rebuild(address.host, path, {"context": _teams_context(_TEAMS_JOIN_KNOWN.of(address)["context"])})


def _jitsi(address: Address) -> str:
    _require(_JITSI, address.path, "A Jitsi link is the host and the room's name in letters and digits.")
    return rebuild(address.host, address.path, _JITSI_KNOWN.of(address))


SHAPES: MappingProxyType[str, Shape] = MappingProxyType(
    {"meet.google.com": _meet, "zoom.us": _zoom, "teams.microsoft.com": _teams, "meet.jit.si": _jitsi}
)


class MeetingLinks:
    """The meeting links that this installation takes.

    `hosts` names providers out of SHAPES, each with all hosts of its vendor; `jitsi:<host>` adds a Jitsi of one's own.
    An unknown one stops the start: a host without a shape would be an open door.
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
        """The link rebuilt from its checked parts; InvalidLinkError says what is wrong with it and what to paste."""
        address = parse(link)
        shape = self._shapes.get(_provider(address.host))
        if shape is None:
            raise InvalidLinkError(f"Meetings are held at {', '.join(self._shapes)}.")
        return shape(address)


def _provider(host: str) -> str:
    if _ZOOM_HOST.fullmatch(host):
        return "zoom.us"
    return "teams.microsoft.com" if _TEAMS_HOST.fullmatch(host) else host


def _require(shape: re.Pattern[str], text: str, message: str) -> None:
    if not shape.fullmatch(text):
        raise InvalidLinkError(message)


def _teams_context(text: str) -> str:
    """Tenant and organiser, and for a broadcast that it is one: the context may carry more, and Teams acts on it."""
    try:
        context = json.loads(text)
    except ValueError as error:
        raise InvalidLinkError(f"A Teams link has a context with Tid and Oid. {_TEAMS_PASTE}") from error
    if not isinstance(context, dict) or not {"Tid", "Oid"} <= set(context) <= {"Tid", "Oid", "IsBroadcastMeeting"}:
        raise InvalidLinkError("A Teams link's context holds Tid and Oid and nothing else.")
    ids = {name: context[name] for name in ("Tid", "Oid")}
    if not all(isinstance(value, str) and _UUID.fullmatch(value) for value in ids.values()):
        raise InvalidLinkError("A Teams link's Tid and Oid are UUIDs.")
    broadcast = context.get("IsBroadcastMeeting")
    if not (broadcast is None or isinstance(broadcast, bool)):
        raise InvalidLinkError("A Teams link's IsBroadcastMeeting is true or false.")
    kept: dict[str, str | bool] = {name: str(UUID(value)) for name, value in ids.items()}
    if broadcast is not None:
        kept["IsBroadcastMeeting"] = broadcast
    return json.dumps(kept, separators=(",", ":"))
