"""What one browser session has seen: the Consistency-Tokens of its last answers, for its next call elsewhere."""

from collections.abc import Iterable

_MOST = 8
"""More of one header are not read (docs/api.md)."""


class Seen:
    """Tokens by the service that gave them, the newest first; one for each person's session, kept as `dump` says."""

    def __init__(self, kept: Iterable[tuple[str, str]] = ()) -> None:
        self._tokens = list(kept)

    def take(self, service: str, token: str | None) -> None:
        """Remember that `service` answered with this token."""
        if token:
            kept = [one for one in self._tokens if one != (service, token)]
            too_old = [one for one in kept if one[0] == service][_MOST - 1 :]
            self._tokens = [(service, token), *(one for one in kept if one not in too_old)]

    def header(self, service: str) -> str | None:
        """For a call of `service`: what others told, for it knows its own."""
        return ",".join([token for other, token in self._tokens if other != service][:_MOST]) or None

    def dump(self) -> list[tuple[str, str]]:
        """For a session store: `Seen(dumped)` goes on where this one was."""
        return list(self._tokens)
