"""Result links (product.md S3, T12): https on an allowed storage host, with all that its share needs and no more."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from consultation.links.address import Address, InvalidLinkError, Parameters, parse, rebuild

_VALUE = re.compile(r"[A-Za-z0-9._~!,=+/-]{1,256}")
_CODE = re.compile(r"[A-Za-z0-9._~:-]{1,64}")  # such as 4:AbC12, which tells how a share was made
# A file's path inside a library, as the pages of SharePoint name it: from the root, never another host's.
_FILE = re.compile(r"/(?!/)[^\x00-\x1f\x7f\\]{1,400}")
_GUID = re.compile(r"\{?[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?")


def _values(*names: str) -> dict[str, re.Pattern[str]]:
    return {name: _CODE if name == "e" else _VALUE for name in names}


_GOOGLE = "Paste the link that Share → Copy link gives."
_GOOGLE_DROPPED = frozenset({"ts", "t", "tab", "ouid", "rtpof", "sd", "lfhs", "sort", "slide", "ui"})
_MICROSOFT = "Paste the link that Share → Copy link gives, not the one of the address bar."
_MICROSOFT_DROPPED = frozenset(
    {
        "referrer", "referrerScenario", "view", "viewid", "viewpath", "ga", "startedResponseCatch", "ct", "CT", "or",
        "OR", "CID", "isSPOFile", "action", "mobileredirect", "default", "DefaultItemOpen", "FolderCTID", "file",
        "email", "xsdata", "sdata", "ovuser", "clickparams", "at", "rtime",
        "cid", "LOF", "csf", "web", "v", "o", "migratedtospo", "p", "sortField", "isAscending", "SafelinksUrl", "sw",
        "download", "ithint",
    }
)  # fmt: skip
_DROPBOX = "Paste the link that Share → Copy link gives."
_ZOOM = "A Zoom recording's link is https://zoom.us/rec/share/ and the recording, as Zoom's Share copies it."
_ZOOM_DROPPED = frozenset(
    {
        "canPlayFromShare", "from", "continueMode", "componentName", "originRequestUrl", "startTime", "autoplay",
        "accessLevel", "hasValidToken", "clusterId", "eagerLoadZvaPages", "_x_zm_rtaid", "_x_zm_rhtaid", "lang",
    }
)  # fmt: skip
_YOUTUBE = "Paste the link that YouTube's Share gives."
_YOUTUBE_DROPPED = frozenset({"t", "index", "feature", "pp"})

# The first path that fits is the kind of link: what is known of its parameters, or what to paste instead of it.
Kinds = tuple[tuple[re.Pattern[str], Parameters | str], ...]
_ANY = re.compile(r"/.+")


def _google(*more: str) -> Kinds:
    kept = _values("id", "resourcekey", *more)
    return (
        (re.compile(r"/(?:open|uc|leaf|thumbnail)"), Parameters(_GOOGLE, kept, ("id",), _GOOGLE_DROPPED)),
        # Pages that only lead elsewhere, by a parameter of theirs.
        (re.compile(r"/(?:url|viewer|viewerng|gview)(?:/.*)?"), _GOOGLE),
        # Pages that show each reader their own files.
        (re.compile(r"/drive/(?:u/[0-9]+/)?(?:my-drive|home|recent|starred|shared-with-me|search|trash)"), _GOOGLE),
        (_ANY, Parameters(_GOOGLE, kept, (), _GOOGLE_DROPPED)),
    )


def _microsoft(kept: Mapping[str, re.Pattern[str]], *needs: str) -> Parameters:
    return Parameters(_MICROSOFT, kept, needs, _MICROSOFT_DROPPED)


def _page(names: str) -> re.Pattern[str]:
    return re.compile(rf"(?:/[^/]+)*/_layouts/(?:15/)?(?:{names})\.aspx", re.IGNORECASE)


_LISTED = {"id": _FILE, "parent": _FILE, "listurl": _FILE}
_PAGES: Kinds = (
    (_page("stream|onedrive"), _microsoft({**_LISTED, **_values("e")}, "id")),
    (_page("Doc2?|WopiFrame2?"), _microsoft({"sourcedoc": _GUID, **_values("d", "e", "cid", "resid")}, "sourcedoc")),
    (
        _page("guestaccess|download|embed"),
        _microsoft(
            {"UniqueId": _GUID, **_values("share", "guestaccesstoken", "docid", "authkey", "e")},
            "UniqueId", "share", "guestaccesstoken",
        ),
    ),
    (re.compile(r".*/_(?:layouts|api|vti_bin)/.*", re.IGNORECASE), _MICROSOFT),
)  # fmt: skip
_SHAREPOINT: Kinds = (
    *_PAGES,
    (
        re.compile(r"/.+/Forms/[^/]+\.aspx", re.IGNORECASE),
        _microsoft({**_LISTED, "RootFolder": _FILE}, "id", "RootFolder"),
    ),
    (_ANY, _microsoft(_values("d", "csf", "web", "e"))),
)
_ONEDRIVE_KEPT = _values("id", "resid", "cid", "authkey", "e", "ithint", "redeem", "parId")
_ONEDRIVE: Kinds = (
    *_PAGES,
    (
        re.compile(r"/|/(?:redir|embed|download|survey|(?:view|edit|prev|print)(?:\.aspx)?)", re.IGNORECASE),
        _microsoft(_ONEDRIVE_KEPT, "id", "resid", "redeem"),
    ),
    (_ANY, _microsoft(_ONEDRIVE_KEPT)),
)
_DROPBOX_KEPT = _values("rlkey", "st", "e", "dl", "raw", "preview")
_DROPBOX_KINDS: Kinds = (
    (re.compile(r"/scl/.+"), Parameters(_DROPBOX, _DROPBOX_KEPT, ("rlkey",))),
    (re.compile(r"/(?:home|work|h|request)(?:/.*)?"), _DROPBOX),
    (_ANY, Parameters(_DROPBOX, _DROPBOX_KEPT)),
)
_RECORDINGS: Kinds = (
    (re.compile(r"/rec/(?:share|play|download)/.+"), Parameters(_ZOOM, _values("pwd", "tk", "iet"), (), _ZOOM_DROPPED)),
    (_ANY, _ZOOM),
)
_VIDEOS: Kinds = (
    (re.compile(r"/watch"), Parameters(_YOUTUBE, _values("v", "list"), ("v",), _YOUTUBE_DROPPED)),
    (_ANY, Parameters(_YOUTUBE, {}, (), _YOUTUBE_DROPPED)),
)

KINDS: Mapping[str, Kinds] = {
    "drive.google.com": _google("export"),
    "docs.google.com": _google("gid", "output", "single", "format"),
    "onedrive.live.com": _ONEDRIVE,
    "1drv.ms": ((_ANY, _microsoft(_values("e", "authkey"))),),
    "*.sharepoint.com": _SHAREPOINT,
    "dropbox.com": _DROPBOX_KINDS,
    "www.dropbox.com": _DROPBOX_KINDS,
    "*.zoom.us": _RECORDINGS,
    "zoom.us": _RECORDINGS,
    # Known, and taken where RESULT_HOSTS names them.
    "www.youtube.com": _VIDEOS,
    "youtube.com": _VIDEOS,
    "youtu.be": _VIDEOS,
}
DEFAULT_HOSTS = tuple(KINDS)[:9]
_OWN: Kinds = ((_ANY, Parameters("Paste a link that works without any parameter.")),)

_PATH = re.compile(r"(?:/(?:[A-Za-z0-9._~!$()*,;:@=+-]|%[0-9A-Fa-f]{2})+)+/?")
_HIDDEN = re.compile(r"%(?:[01][0-9a-f]|7f|2f|5c)", re.IGNORECASE)  # controls and slashes behind an escape


class ResultLinks:
    """The result links that this installation takes: exact hosts, or `*.` and the end of a host (one label)."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._hosts = frozenset(hosts)

    def canonical(self, link: str) -> str:
        """The link rebuilt from its checked parts; InvalidLinkError says what is wrong with it and what to paste."""
        address = parse(link)
        host = self._listed(address.host)
        if address.path != "/" and (not _PATH.fullmatch(address.path) or _HIDDEN.search(address.path)):
            raise InvalidLinkError("The link's path is malformed.")
        return rebuild(address.host, address.path, _known(host, address).of(address))

    def _listed(self, host: str) -> str:
        wildcard = "*." + host.partition(".")[2]
        for entry in (host, wildcard):
            if entry in self._hosts:
                return entry
        raise InvalidLinkError(f"Results are kept at {', '.join(sorted(self._hosts))}.")


def _known(host: str, address: Address) -> Parameters:
    plain = unquote(address.path)  # an escape in it makes no other page of it
    for path, parameters in KINDS.get(host, _OWN):
        if path.fullmatch(plain):
            if isinstance(parameters, str):
                raise InvalidLinkError(f"This page of the host leads others to no file. {parameters}")
            return parameters
    raise InvalidLinkError("The link leads to the host alone, to no file of it.")
