"""`python -m booking_gateway`: serves until told to stop."""

import sys

import uvicorn

from booking_gateway import logs
from booking_gateway.app import build
from booking_gateway.settings import SettingsError, load

_GRACE = 10


def main() -> int:
    """1 and a sentence when a setting is wrong."""
    try:
        settings = load()
    except SettingsError as wrong:
        print(wrong, file=sys.stderr)
        return 1
    logs.configure(settings.log_level)
    uvicorn.run(
        build(settings),
        host=settings.http_host,
        port=settings.http_port,
        ws="none",
        log_config=None,
        access_log=False,  # a callback's address has a code
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
