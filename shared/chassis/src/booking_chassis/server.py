"""uvicorn, told how we serve and how we stop."""

import asyncio
import signal
from types import FrameType

import uvicorn
from fastapi import FastAPI

from booking_chassis.health import Health
from booking_chassis.settings import ServiceSettings


def serve(app: FastAPI, settings: ServiceSettings) -> int:
    """Serves until told to stop; returns the exit code, 1 when the database is not one to serve on."""
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
        timeout_graceful_shutdown=max(1, int(settings.shutdown_grace_seconds * 0.3)),
    )
    server = _Server(config, app.state.health)
    server.run()
    return 1 if app.state.health.unsafe or not server.started else 0


class _Server(uvicorn.Server):
    """Tells the application of a stop when the signal comes, not only after the last connection has closed.

    An open event stream would otherwise hold the stop until its deadline (libraries.md, Traps).
    """

    def __init__(self, config: uvicorn.Config, health: Health) -> None:
        super().__init__(config)
        self._health = health
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        await super().main_loop()

    async def on_tick(self, counter: int) -> bool:
        return self._health.unsafe is not None or await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._health.stopping.set)
        # uvicorn's own handler raises the signal again once all is done, so a clean stop would look like a death (F29).
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True
