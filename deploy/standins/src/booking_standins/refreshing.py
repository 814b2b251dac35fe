"""Refresh tokens (RFC 6749 §6), for who asked for `offline_access`: each is good once and brings the next.

One that comes a second time ends all that came of the same sign-in, as providers do that rotate: it may be a thief's.
"""

# pyright: reportIncompatibleMethodOverride=false
# (see oauth.py)

import secrets
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import OAuth2Request, grants

OFFLINE = "offline_access"


@dataclass(frozen=True)
class Refresh:
    """What a refresh token stands for; `family` is the sign-in that it came of."""

    client_id: str
    person: Any
    scope: str
    family: str

    def check_client(self, client: Any) -> bool:
        """Whether it was given to this client."""
        return client.get_client_id() == self.client_id

    def get_scope(self) -> str:
        """What it was given for."""
        return self.scope


class Refreshes:
    """All that were given out, until the process ends."""

    def __init__(self) -> None:
        self._good: dict[str, Refresh] = {}
        self._used: dict[str, str] = {}

    def give(self, token: str, client: Any, person: Any, scope: str, before: Refresh | None) -> None:
        """A new one, of the same family as the one before it."""
        family = before.family if before is not None else secrets.token_hex(8)
        self._good[token] = Refresh(client.get_client_id(), person, scope, family)

    def take(self, token: str) -> Refresh | None:
        """What it stands for, once."""
        found = self._good.pop(token, None)
        if found is not None:
            self._used[token] = found.family
        elif (family := self._used.get(token)) is not None:
            self._good = {one: kept for one, kept in self._good.items() if kept.family != family}
        return found


class RefreshGrant(grants.RefreshTokenGrant):
    """Authlib's, on `server.refreshes`."""

    TOKEN_ENDPOINT_AUTH_METHODS = ["none"]  # noqa: RUF012 - the library's word
    INCLUDE_NEW_REFRESH_TOKEN = True
    server: Any
    request: OAuth2Request

    def authenticate_refresh_token(self, refresh_token: str) -> Refresh | None:
        """The token, used up."""
        return self.server.refreshes.take(refresh_token)

    def authenticate_user(self, refresh_token: Refresh) -> Any:
        """Whose it is."""
        return refresh_token.person

    def revoke_old_credential(self, refresh_token: Refresh) -> None:
        """It is used up already."""
