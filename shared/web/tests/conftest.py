"""A database of the sample service, its application, and people who call it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache

import httpx2
import pytest
from fastapi import FastAPI
from shared.web.tests.sample.app import build

from booking_process.migrations import upgrade
from booking_process.settings import ServiceSettings
from booking_web.application import create_app
from booking_web.testing import Issuer

SAMPLE = "shared.web.tests.sample:migrations"


def settings_for(database_url: str, **more: object) -> ServiceSettings:
    """Settings of a test: no limit of calls, PostgreSQL with fsync off, nobody to fetch keys from."""
    usual = {"rate_limit_per_minute": 0, "database_allow_unsafe": True, "jwt_jwks_url": "https://127.0.0.1:1/"}
    return ServiceSettings.documented().model_copy(update={"database_url": database_url, **usual, **more})


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Waits for a condition, with a deadline."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - what a server answers has no event
            await asyncio.sleep(0.02)


@pytest.fixture
def sample_database(postgres):
    """A migrated database of its own."""
    databases = postgres.clone("template_web_sample", lambda made: upgrade(made.owner_url, SAMPLE))
    yield databases
    postgres.drop_database(databases)


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application, started and stopped around it, without sockets."""
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://sample") as client,
    ):
        yield client


@pytest.fixture
async def sample(sample_database) -> AsyncIterator[tuple[httpx2.AsyncClient, Issuer]]:
    """The sample service on a database of its own: `(client, issuer)`."""
    app = create_app(build(settings_for(sample_database.app_url)))
    issuer = Issuer.install(app)
    async with running(app) as client:
        yield client, issuer


Offline = Callable[..., AbstractAsyncContextManager[tuple[httpx2.AsyncClient, Issuer]]]


def _offline(**more: object) -> tuple[FastAPI, Issuer]:
    app = create_app(build(settings_for("postgresql://nobody@127.0.0.1:1/none", **more)))
    return app, Issuer.install(app)


_usual = cache(_offline)
"""To build one takes longer than to call it."""


@pytest.fixture
def offline() -> Offline:
    """The sample service with nothing behind it: `async with offline(max_body_bytes=2000) as (client, issuer)`."""

    @asynccontextmanager
    async def made(**more: object) -> AsyncIterator[tuple[httpx2.AsyncClient, Issuer]]:
        app, issuer = _offline(**more) if more else _usual()
        # Nobody starts this one, so nothing else says that its loop turns; the usual one is older than a test.
        beating = asyncio.create_task(app.state.health.beat())
        await asyncio.sleep(0)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://sample") as client:
            try:
                yield client, issuer
            finally:
                beating.cancel()

    return made
