"""`Calls` as a parameter of a route: `read` for what a page shows, `do` for what its forms change; `look` and `operate`
for what only who runs the platform reads and changes.

A page waits for what this browser has changed, for two seconds at most; then it shows what there is and says that the
rest is on its way. Being behind is no error.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from booking_client import Booking, Caller, Operator, Patience, Seen, Servers
from booking_client.problems import NotYetVisible
from booking_gateway.settings import Settings
from booking_gateway.signin.viewer import Viewer

T = TypeVar("T")
READING = Patience(deadline=0.5, unreachable=0.2)
"""Time for a second try where a connection was closed, beyond what a read waits for; not for an outage. A service that
nobody reaches is told almost at once."""


def platform(settings: Settings) -> Booking:
    """The connections to all services; made within the event loop that calls."""
    servers: Servers = {
        "checkout": settings.checkout_url,
        "consultation": settings.consultation_url,
        "notifier": settings.notifier_url,
        "calendar": settings.calendar_url,
    }
    seconds = settings.call_timeout_seconds
    return Booking(servers, patience=Patience(deadline=seconds, attempt=seconds))


class _Calls:
    def __init__(self, request: Request, booking: Booking, token: str) -> None:
        self._state = request.state
        headers = {"X-Request-Id": request.state.request_id}
        self.do: Caller = booking.caller(token, seen=request.state.seen, headers=headers)
        self.operate: Operator = booking.operator(token, headers=headers)
        self.look: Operator = booking.operator(token, patience=READING, headers=headers)
        self._read = booking.caller(token, seen=request.state.seen, patience=READING, headers=headers)
        self._anyway = booking.caller(token, seen=Seen(), patience=READING, headers=headers)

    async def read(self, ask: Callable[[Caller], Awaitable[T]]) -> T:
        """The answer of a read, behind what this browser has seen if it must be."""
        try:
            return await ask(self._read)
        except NotYetVisible:
            self._state.behind = True
            return await ask(self._anyway)


async def _calls(request: Request, viewer: Viewer) -> _Calls:
    return _Calls(request, request.app.state.booking, viewer.access)


Calls = Annotated[_Calls, Depends(_calls)]
