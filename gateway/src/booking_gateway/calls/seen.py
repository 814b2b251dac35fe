"""What this browser has seen of the services (docs/api.md, Consistency-Token), kept a minute beside the session.

After a change the next page is asked for with the tokens of the change, so that it shows it. So is what a page shows
again after it was told of a change: it says the tokens in `Booking-Seen`, as `service:token` by commas.
"""

import re

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from booking_client import Seen
from booking_gateway.signin.sealed import Seal
from booking_gateway.signin.session import Cookies

_SECONDS = 60
_MOST = 6
_LONGEST = 2000
_TOLD = re.compile(r"(checkout|consultation):([A-Za-z0-9_-]{1,200})")


class SeenMiddleware:
    """Gives a request `request.state.seen`; what a change added goes back to the browser."""

    def __init__(self, app: ASGIApp, cookies: Cookies, secret: str) -> None:
        self.app = app
        self._cookies = cookies
        self._seal = Seal(secret, "seen")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "session" not in scope.get("state", {}):
            await self.app(scope, receive, send)
            return
        text = HTTPConnection(scope).cookies.get(f"{self._cookies.name}-seen")
        kept = (self._seal.open(text) if text else None) or {"seen": []}
        seen = scope["state"]["seen"] = Seen((service, token) for service, token in kept["seen"])
        before = seen.dump()
        for service, token in _TOLD.findall(HTTPConnection(scope).headers.get("booking-seen", "")[:_LONGEST]):
            seen.take(service, token)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["method"] == "POST" and seen.dump() != before:
                sealed = self._seal.seal({"seen": seen.dump()[:_MOST]}, _SECONDS)
                scope["state"]["set_cookies"].append(self._cookies.cookie("-seen", sealed, _SECONDS))
            await send(message)

        await self.app(scope, receive, sending)
