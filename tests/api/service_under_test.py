"""A service's own application on a real database and a real socket, and an issuer that it trusts."""

import importlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

import httpx2
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from booking_web.application import create_app
from booking_web.testing import Issuer

MODULES = {
    "checkout": "checkout",
    "consultation": "consultation",
    "notifier": "notifier",
    "calendar": "calendar_projector",
}
ROLES = ("member", "practitioner", "admin", "service")
ANONYMOUS = "anonymous"
PEOPLE = {role: UUID(int=0x0199_0000_0000_7000_8000_0000_0000_0000 + number) for number, role in enumerate(ROLES, 1)}
STRANGER = UUID(int=0x0199_0000_0000_7000_8000_0000_0000_0099)
MANUAL_SECRET = "a secret of these tests"

_OWN_SETTINGS: dict[str, dict[str, Any]] = {
    "checkout": {"payment_provider": "manual", "manual_secret": SecretStr(MANUAL_SECRET)},
}


@dataclass
class ServiceUnderTest:
    """A running service and what exists in it.

    `known` holds ids by the name of the path parameter that takes them, `wanted` those that bodies and queries name,
    `fitting` by operation and role those that exactly that operation can treat, each kept for it.
    """

    name: str
    url: str
    document: dict[str, Any]
    issuer: Issuer
    database_url: str
    client: httpx2.Client
    known: dict[str, list[str]] = field(default_factory=dict)
    wanted: dict[str, list[str]] = field(default_factory=dict)
    fitting: dict[str, list[str]] = field(default_factory=dict)

    def headers(self, role: str, sub: UUID | None = None) -> dict[str, str]:
        """The token of a role's person; nothing for the anonymous."""
        if role == ANONYMOUS:
            return {}
        return self.issuer.bearer(role, sub=sub or PEOPLE[role], name=f"A {role}", email=f"{role}@example.com")


def application(name: str, database_url: str = "") -> FastAPI:
    """The service's application as its composition root builds it."""
    build = importlib.import_module(f"{MODULES[name]}.app").build
    return create_app(build(settings_of(name, database_url)), mode="api")


@cache
def offline(name: str) -> FastAPI:
    """The service's application without a database, one for all tests that only read its document or its refusals."""
    return application(name)


def settings_of(name: str, database_url: str = "") -> Any:
    """The service's settings on the tests' servers."""
    settings = importlib.import_module(f"{MODULES[name]}.settings").Settings.documented()
    updates: dict[str, Any] = {
        "rate_limit_per_minute": 0,
        "database_allow_unsafe": True,
        "jwt_jwks_url": "https://127.0.0.1:1/jwks.json",
        "kafka_bootstrap": "127.0.0.1:1",
        "shutdown_grace_seconds": 3.0,
        **_OWN_SETTINGS.get(name, {}),
    }
    if database_url:
        updates["database_url"] = database_url
    return settings.model_copy(update=updates)


@contextmanager
def serving(name: str, database_url: str) -> Iterator[ServiceUnderTest]:
    """The service in a thread of this process, until the block ends."""
    app = application(name, database_url)
    issuer = Issuer.install(app)
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name=name, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{_port(server, thread)}"
        _wait_ready(url)
        with httpx2.Client(timeout=30) as client:
            yield ServiceUnderTest(name, url, app.openapi(), issuer, database_url, client)
    finally:
        server.should_exit = True
        thread.join(20)


def _port(server: uvicorn.Server, thread: threading.Thread) -> int:
    until = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        assert time.monotonic() < until
        time.sleep(0.01)
    return server.servers[0].sockets[0].getsockname()[1]


def _wait_ready(url: str) -> None:
    until = time.monotonic() + 30
    while (answer := httpx2.get(f"{url}/readyz", timeout=30)).json().get("database") != "ok":  # there is no Kafka here
        assert time.monotonic() < until, answer.text
        time.sleep(0.02)
