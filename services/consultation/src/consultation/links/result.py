"""Result links (product.md S3, T12): https on an allowed storage host, with the query that its shares need alone."""

import re
from collections.abc import Iterable

from consultation.links.address import Address, InvalidLinkError, parse, rebuild

# The query by which each host finds or opens a share. What is not listed is dropped, redirect targets among it.
SHARED_BY: dict[str, tuple[str, ...]] = {
    "drive.google.com": ("id", "resourcekey"),
    "docs.google.com": ("id", "resourcekey"),
    "onedrive.live.com": ("id", "resid", "cid", "authkey", "e", "ithint"),
    "1drv.ms": ("e",),
    "*.sharepoint.com": ("d", "csf", "web", "e"),
    "dropbox.com": ("rlkey", "st", "dl"),
    "www.dropbox.com": ("rlkey", "st", "dl"),
    "*.zoom.us": ("pwd",),
    "zoom.us": ("pwd",),
}
DEFAULT_HOSTS = tuple(SHARED_BY)

_PATH = re.compile(r"(?:/(?:[A-Za-z0-9._~!$()*,;:=+-]|%[0-9A-Fa-f]{2})+)+/?")
_HIDDEN = re.compile(r"%(?:[01][0-9a-f]|7f|2f|5c)", re.IGNORECASE)  # controls and slashes behind an escape
_VALUE = re.compile(r"[A-Za-z0-9._~!,=+/-]{1,256}")
_RECORDING = "/rec/"


class ResultLinks:
    """The result links that this installation takes: exact hosts, or `*.` and the end of a host (one label)."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._hosts = frozenset(hosts)

    def canonical(self, link: str) -> str:
        """The link rebuilt from its checked parts; InvalidLinkError says what is wrong with it."""
        address = parse(link)
        host = self._listed(address.host)
        kept = _kept(address, SHARED_BY.get(host, ()))
        is_path = _PATH.fullmatch(address.path) or (address.path == "/" and kept)
        if not is_path or _HIDDEN.search(address.path):
            raise InvalidLinkError("The link's path is malformed.")
        if host.endswith("zoom.us") and not address.path.startswith(_RECORDING):
            raise InvalidLinkError("A Zoom recording's link is https://zoom.us/rec/ and the recording.")
        return rebuild(address.host, address.path, kept)

    def _listed(self, host: str) -> str:
        wildcard = "*." + host.partition(".")[2]
        for entry in (host, wildcard):
            if entry in self._hosts:
                return entry
        raise InvalidLinkError(f"Results are kept at {', '.join(sorted(self._hosts))}.")


def _kept(address: Address, listed: tuple[str, ...]) -> dict[str, str]:
    kept = {name: address.query[name] for name in listed if address.query.get(name)}
    for name, value in kept.items():
        if not _VALUE.fullmatch(value):
            raise InvalidLinkError(f"The link's {name!r} is malformed.")
    return kept
