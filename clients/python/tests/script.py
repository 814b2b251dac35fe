"""A caller whose network answers by a script, and keeps what was asked."""

from collections.abc import Callable, Sequence
from typing import Any

import httpx2

from booking_client import Booking, Caller, Patience, Seen, Servers

SERVERS: Servers = {
    "checkout": "https://checkout.example",
    "consultation": "https://consultation.example/",
    "notifier": "https://notifier.example",
    "calendar": "https://calendar.example",
}
QUICK = Patience(deadline=1.0, attempt=0.5, first_pause=0.001, longest_pause=0.01)
Step = httpx2.Response | Exception | Callable[[httpx2.Request], httpx2.Response]


class Script:
    """Each call gets the next step; what is asked beyond the last gets the last once more."""

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        self.asked: list[httpx2.Request] = []

    def caller(self, *, patience: Patience = QUICK, seen: Seen | None = None, token: Any = "a token") -> Caller:
        client = httpx2.AsyncClient(transport=httpx2.MockTransport(self._answer))
        return Booking(SERVERS, patience=patience, client=client).caller(token, seen=seen)

    def header(self, name: str) -> Sequence[str | None]:
        """What each call sent as this header."""
        return [request.headers.get(name) for request in self.asked]

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        kept = httpx2.Request(request.method, request.url, headers=request.headers, extensions=request.extensions)
        self.asked.append(kept)  # the same one is sent at the next try, with another token
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, httpx2.Response) else step(request)


def ok(body: Any = None, status: int = 200, **headers: str) -> httpx2.Response:
    """A success; `Consistency_Token="..."` is that header."""
    return httpx2.Response(status, json=body or {}, headers=_named(headers))


def problem(status: int, code: str, members: Any = None, **headers: str) -> httpx2.Response:
    """A refusal."""
    body = {"type": f"urn:booking:problem:{code}", "title": code, "status": status, "detail": "No.", "code": code}
    answer = httpx2.Response(status, json={**body, **(members or {})}, headers=_named(headers))
    answer.headers["Content-Type"] = "application/problem+json"
    return answer


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
