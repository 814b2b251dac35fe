"""How a stand-in misbehaves: `PUT /behaviour {"mode": "slow", "seconds": 3, "times": 1, "only": "sari@..."}`.

`reject` and `throttle` may name what is said: `code`, or for the mailbox `step` (`mail`, `rcpt`, `data`) and the whole
`reply`, such as `550 5.4.5 Daily user sending limit exceeded`. `fail_later` takes a message and tells of its failure
(`code`) later.
"""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MODES = ("ok", "down", "slow", "reject", "throttle", "break_after_accept", "fail_later")
STEPS = ("mail", "rcpt", "data")


class Behaviour:
    """The present mode. `times` misdeeds at most (default: for ever), `only` for whom the text contains."""

    def __init__(self) -> None:
        self._set({"mode": "ok"})

    def _set(self, wish: dict[str, Any]) -> None:
        self.mode: str = wish["mode"]
        self.seconds = float(wish.get("seconds", 20.0))
        self.times: int | None = wish.get("times")
        self.only: str = str(wish.get("only", ""))
        self.code: int | None = wish.get("code")
        self.step: str = wish.get("step", "rcpt")
        self.reply: str | None = wish.get("reply")

    def take(self, whom: str = "") -> str:
        """The mode for this one request; counts it when it is a misdeed."""
        if self.mode == "ok" or (self.only and self.only not in whom):
            return "ok"
        if self.times is not None:
            if self.times <= 0:
                return "ok"
            self.times -= 1
        return self.mode

    async def delay(self) -> None:
        """What `slow` means: the answer comes, only late."""
        await asyncio.sleep(self.seconds)

    def describe(self) -> dict[str, Any]:
        """As `GET /behaviour` shows it."""
        names = ("mode", "seconds", "times", "only", "code", "step", "reply")
        return {name: getattr(self, name) for name in names}

    def routes(self) -> list[Route]:
        """`GET` and `PUT /behaviour`."""

        async def show(_: Request) -> Response:
            return JSONResponse(self.describe())

        async def change(request: Request) -> Response:
            wish = await request.json()
            if not isinstance(wish, dict) or wish.get("mode") not in MODES or wish.get("step", "rcpt") not in STEPS:
                return JSONResponse({"detail": f"mode is one of {', '.join(MODES)}, step of {', '.join(STEPS)}"}, 422)
            self._set(wish)
            return JSONResponse(self.describe())

        return [Route("/behaviour", show, methods=["GET"]), Route("/behaviour", change, methods=["PUT"])]
