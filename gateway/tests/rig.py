"""A gateway in the test's own process, without any service or provider: what it says by itself."""

from contextlib import asynccontextmanager
from typing import Any

import httpx2
from fastapi import FastAPI

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
    """A client of it, while it is connected to what `other` names."""
    app = build(settings_for(**other), hub or Hub())
    inner: Any = app
    while not isinstance(inner, FastAPI):
        inner = inner.app
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with inner.router.lifespan_context(inner), httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        yield client
