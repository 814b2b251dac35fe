"""How a stand-in misbehaves: `PUT /behaviour {"mode": "slow", "seconds": 3, "times": 1, "only": "sari@..."}`."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MODES = ("ok", "down", "slow", "reject", "throttle", "break_after_accept")


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
        return {"mode": self.mode, "seconds": self.seconds, "times": self.times, "only": self.only, "code": self.code}

    def routes(self) -> list[Route]:
        """`GET` and `PUT /behaviour`."""

        async def show(_: Request) -> Response:
            return JSONResponse(self.describe())

        async def change(request: Request) -> Response:
            wish = await request.json()
            if not isinstance(wish, dict) or wish.get("mode") not in MODES:
                return JSONResponse({"detail": f"mode is one of {', '.join(MODES)}"}, 422)
            self._set(wish)
            return JSONResponse(self.describe())

        return [Route("/behaviour", show, methods=["GET"]), Route("/behaviour", change, methods=["PUT"])]
