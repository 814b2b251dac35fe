"""uvicorn, told how we serve and how we stop."""

import asyncio
import signal
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from booking_process.health import Health
from booking_process.service import Mode
from booking_process.settings import ServiceSettings

_LAST_REQUESTS_SECONDS = 0.25
_REQUESTS_SHARE = 0.7
"""Of what is left of SHUTDOWN_GRACE_SECONDS when the listener closes; the rest is for closing everything else."""


def serve(app: FastAPI, settings: ServiceSettings, *, mode: Mode = "api") -> int:
    """Serves until told to stop; returns the exit code, 1 when the database or the topics are not ones to serve on."""
    config = uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        loop="auto",
        http="auto",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # addresses of feeds are secrets (T13); the edge logs what is slow or fails
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
    )
    server = _Server(config, app.state.health, 0.0 if mode == "worker" else _drain(settings))
    server.run()
    return 1 if app.state.health.unsafe or not server.started else 0


def _drain(settings: ServiceSettings) -> float:
    return min(settings.shutdown_drain_seconds, settings.shutdown_grace_seconds / 2)


class _Server(uvicorn.Server):
    """Stops without refusing anybody: /readyz says 503 at once, so that balancers turn away; requests are taken for a
    while longer, each answer with `Connection: close`; then the listener closes, and what is in hand finishes.

    Tells the application of a stop when the signal comes, not only after the last connection has closed.

    An open event stream would otherwise hold the stop until its deadline (libraries.md, Traps).
    """

    def __init__(self, config: uvicorn.Config, health: Health, drain: float) -> None:
        super().__init__(config)
        self._health = health
        self._drain = drain
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        await super().main_loop()

    async def on_tick(self, counter: int) -> bool:
        return self._health.unsafe is not None or await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._health.stop()
        loop = asyncio.get_running_loop()
        until = loop.time() + self._drain
        while self._health.unsafe is None and not self.force_exit and loop.time() < until:  # noqa: ASYNC110 - a flag
            await asyncio.sleep(0.05)
        for server in self.servers:
            server.close()
        if self._drain and not self.force_exit:
            # A connection taken a moment ago has not sent its request yet: uvicorn would take it for an idle one.
            await asyncio.sleep(_LAST_REQUESTS_SECONDS)
        self._health.closing.set()
        # uvicorn takes whole seconds by its types and any number by its code.
        self.config.timeout_graceful_shutdown = max(1, int(self._health.left() * _REQUESTS_SHARE))
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        del frame
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._health.stop)
        # uvicorn's own handler raises the signal again once all is done, so a clean stop would look like a death (F29).
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True
