"""A person's session: their tokens and what every page asks, in an encrypted, HttpOnly, SameSite cookie.

No copy of the gateway remembers anybody, so any copy answers any request. Browsers keep 4096 bytes a cookie: what is
longer is cut over several.
"""

import time
from dataclasses import asdict, dataclass
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from booking_gateway.settings import Settings
from booking_gateway.signin.sealed import Seal

_PIECE, _PIECES = 3800, 5
_EARLY = 30.0
"""Seconds before its end from which an access token is not used any more."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who signed in. `until` is when they have to again, `expires` when their access token ends."""

    sub: str
    name: str
    roles: tuple[str, ...]
    access: str
    refresh: str | None
    expires: float
    until: float
    locale: str | None = None
    timezone: str | None = None

    @property
    def stale(self) -> bool:
        """Whether the access token is no longer one to send."""
        return self.expires - _EARLY < time.time()


class Cookies:
    """The names and manners of our cookies. Over https they are `__Host-`: no other host can set them."""

    def __init__(self, settings: Settings) -> None:
        # On one machine cookies go to every port: stacks side by side must not sign each other out.
        port = settings.public_url.rpartition(":")[2]
        self.name = "__Host-booking" if settings.secure else f"booking-{port if port.isdecimal() else 'http'}"
        self._manners = f"; Path=/; HttpOnly; SameSite=Lax{'; Secure' if settings.secure else ''}"
        self._session = Seal(settings.session_secret.get_secret_value(), "session")

    def cookie(self, suffix: str, value: str, seconds: float | None) -> str:
        """A Set-Cookie line; 0 seconds take it away, None is as long as the browser runs."""
        age = "" if seconds is None else f"; Max-Age={int(seconds)}"
        return f"{self.name}{suffix}={value}{age}{self._manners}"

    def read(self, cookies: dict[str, str]) -> Session | None:
        """The session of a request; None where there is none that opens."""
        pieces = [cookies[name] for n in range(_PIECES) if (name := f"{self.name}-{n}") in cookies]
        kept = self._session.open("".join(pieces)) if pieces else None
        return None if kept is None else Session(**{**kept, "roles": tuple(kept["roles"])})

    def write(self, session: Session | None, cookies: dict[str, str]) -> list[str]:
        """The Set-Cookie lines of a session, or of none; pieces of a longer one before are taken away."""
        pieces: list[str] = []
        if session is not None:
            left = session.until - time.time()
            text = self._session.seal(asdict(session), left)
            pieces = [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
            if len(pieces) > _PIECES:
                raise ValueError("the provider's tokens are too long for cookies")
        lines = [self.cookie(f"-{n}", piece, None) for n, piece in enumerate(pieces)]
        old = [n for n in range(len(pieces), _PIECES) if f"{self.name}-{n}" in cookies]
        return lines + [self.cookie(f"-{n}", "", 0) for n in old]


class SessionMiddleware:
    """Gives a request its session as `request.state.session`, and the browser what became of it.

    Whoever changes it puts another `Session`, or None, into the state before the answer begins. More lines for the
    answer may be added to `request.state.set_cookies`.
    """

    def __init__(self, app: ASGIApp, cookies: Cookies) -> None:
        self.app = app
        self._cookies = cookies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/assets/"):
            await self.app(scope, receive, send)
            return
        sent = HTTPConnection(scope).cookies
        state: dict[str, Any] = scope.setdefault("state", {})
        before = state["session"] = self._cookies.read(sent)
        state["set_cookies"] = []

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                changed = state["session"] is not before
                lines = self._cookies.write(state["session"], sent) if changed else []
                for line in [*lines, *state["set_cookies"]]:
                    headers.append("Set-Cookie", line)
            await send(message)

        await self.app(scope, receive, sending)
