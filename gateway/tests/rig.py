"""A gateway in the test's own process, without any service or provider: what it says by itself."""

from contextlib import asynccontextmanager

import httpx2

from booking_gateway.app import build
from booking_gateway.live.hub import Hub
from booking_gateway.settings import Settings

ORIGIN = "http://127.0.0.1:9999"
NOWHERE = "http://127.0.0.1:1"


def settings_for(**other):
    given = {
        "public_url": ORIGIN, "checkout_url": NOWHERE, "consultation_url": NOWHERE, "notifier_url": NOWHERE,
        "calendar_url": NOWHERE, "oidc_issuer": NOWHERE, "oidc_client_id": "booking-web", "session_secret": "s" * 40,
    }  # fmt: skip
    return Settings(**{**given, **other})


@asynccontextmanager
async def gateway(hub=None, **other):
    """A client of it."""
    transport = httpx2.ASGITransport(app=build(settings_for(**other), hub or Hub()), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        yield client
