"""`python -m booking_gateway`: serves until told to stop."""

import sys
from socket import socket

import uvicorn

from booking_gateway import logs
from booking_gateway.app import build
from booking_gateway.live.hub import Hub
from booking_gateway.settings import SettingsError, load

_GRACE = 10


class _Server(uvicorn.Server):
    """uvicorn waits for open answers; streams have no end of their own."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """End the streams, then what uvicorn ends."""
        self._hub.stop()
        await super().shutdown(sockets)


def main() -> int:
    """1 and a sentence when a setting is wrong."""
    try:
        settings = load()
    except SettingsError as wrong:
        print(wrong, file=sys.stderr)
        return 1
    logs.configure(settings.log_level)
    hub = Hub()
    config = uvicorn.Config(
        build(settings, hub),
        host=settings.http_host,
        port=settings.http_port,
        ws="none",
        log_config=None,
        access_log=False,  # a callback's address has a code
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE,
    )
    _Server(config, hub).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
