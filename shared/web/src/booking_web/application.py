"""A process's ASGI application: everything of api.md's conventions, in one place for all services."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import structlog
from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware

from booking_outbox import Relay
from booking_process import memory, telemetry
from booking_process.database import DatabaseDownError, UnsafeDatabaseError
from booking_process.health import Health, health_router
from booking_process.metrics import HttpMetrics
from booking_process.service import Mode, Service
from booking_process.supervision import Supervisor
from booking_process.topic_check import wrong_topics
from booking_web import problem_handlers
from booking_web.auth import Authenticator
from booking_web.edge import Edge
from booking_web.idempotency_purge import IdempotencyPurge
from booking_web.keys import KeySet
from booking_web.openapi import document, operation_id
from booking_web.parameters import KnownParameters
from booking_web.rate_limit import RateLimit
from booking_web.tokens import TokenVerifier

log = structlog.get_logger(__name__)

_WORKERS_SHARE = 0.8
_FLUSH_SECONDS = 2.0
_LEAST_SECONDS = 0.2
"""A stop's parts, in seconds or of what is left of SHUTDOWN_GRACE_SECONDS when they begin."""

EXPOSED = (
    "Accept-Encoding",
    "Allow",
    "Consistency-Token",
    "ETag",
    "Location",
    "Retry-After",
    "Trace-Id",
    "WWW-Authenticate",
    "X-Request-Id",
)
"""What pages of `CORS_ORIGINS` may read of an answer beside the seven that they always may (Fetch §2.2.2)."""


def create_app(service: Service, *, mode: Mode = "api") -> FastAPI:
    """The application of one process: routes in `api` and `all`, workers in `worker` and `all`, health in each."""
    settings = service.settings
    keys = KeySet(
        settings.jwt_jwks_url,
        algorithms=settings.jwt_algorithms,
        ttl=settings.jwt_jwks_ttl_seconds,
        max_age=settings.jwt_jwks_max_age_seconds,
    )
    health = Health(service, mode)
    app = FastAPI(
        title=service.title,
        description=service.description,
        version=service.version,
        docs_url=None,  # their pages load scripts from elsewhere (libraries.md, Traps)
        redoc_url=None,
        openapi_url="/openapi.json" if mode != "worker" else None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
        lifespan=_lifespan(service, mode, health, keys),
        dependencies=[Depends(KnownParameters())],
        telemetry={"operation_spans": False, "exclude": telemetry.is_probe},
    )
    app.state.health = health
    app.state.keys = keys
    app.state.settings = settings
    app.state.authenticator = Authenticator(
        TokenVerifier(
            keys,
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            algorithms=settings.jwt_algorithms,
            leeway=settings.jwt_leeway_seconds,
        ),
        RateLimit(settings.rate_limit_per_minute),
    )
    problem_handlers.install(app, service.problems)
    app.include_router(health_router(health))
    if mode != "worker":
        for router in service.routers:
            app.include_router(router)
    app.openapi = lambda: document(app)
    deadline = settings.database_statement_timeout_seconds + 2
    app.add_middleware(
        Edge,
        metrics=HttpMetrics(),
        max_body=settings.max_body_bytes,
        body_seconds=settings.body_timeout_seconds,
        deadline=deadline,
        health=health,
    )
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
        )
    return app


def _lifespan(
    service: Service, mode: Mode, health: Health, keys: KeySet
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        flush = telemetry.start(f"{service.name}-{mode}", service.settings.otel_exporter_otlp_endpoint)
        background = [
            asyncio.create_task(health.beat(), name="beat"),
            asyncio.create_task(_check_database(service, health), name="database"),
            asyncio.create_task(health.reach_kafka(), name="kafka"),
        ]
        if mode != "api":
            background.append(asyncio.create_task(_check_topics(service, health), name="topics"))
        else:  # counts what waits for a relay, which runs elsewhere, or does not
            relays = [worker for worker in service.workers if isinstance(worker, Relay)]
            background += [asyncio.create_task(relay.watch(), name="relay lag") for relay in relays]
        supervisor = Supervisor([] if mode == "api" else [*service.workers, IdempotencyPurge(service.database)])
        if mode != "worker":
            background.append(asyncio.create_task(keys.keep_fresh(), name="keys"))
        if service.waker is not None:
            await service.waker.start()
        for hook in service.on_start:
            await hook()
        supervisor.start()
        ending = asyncio.create_task(_end_workers(supervisor, health), name="end workers")
        memory.settle()
        background.append(asyncio.create_task(memory.tidy_now_and_then(), name="tidy"))
        log.info("started", mode=mode)
        try:
            yield
        finally:
            health.stop()
            health.closing.set()
            await ending
            await _stop(service, health, keys, background)
            await telemetry.ended(flush, min(_FLUSH_SECONDS, health.left()))
            log.info("stopped", mode=mode)

    return lifespan


async def _end_workers(supervisor: Supervisor, health: Health) -> None:
    """As soon as the stop begins, beside the last requests: what they commit is published by whoever leads next."""
    await health.stopping.wait()
    await supervisor.stop(health.left() * _WORKERS_SHARE)


async def _stop(service: Service, health: Health, keys: KeySet, background: list[asyncio.Task[None]]) -> None:
    for hook in reversed(service.on_stop):
        await _ended(hook(), health)
    if service.waker is not None:
        await _ended(service.waker.close(), health)
    await _ended(keys.close(), health)
    for task in background:
        task.cancel()
    await asyncio.wait(background, timeout=1.0)
    await _ended(service.database.close(), health)


async def _ended(closing: Awaitable[None], health: Health) -> None:
    """One that fails or hangs must not keep the others from their turn, nor the process from its end."""
    with suppress(Exception):
        async with asyncio.timeout(max(_LEAST_SECONDS, health.left() / 2)):
            await closing


async def _check_database(service: Service, health: Health) -> None:
    """Waits for the database and tells why it has to; refuses to serve with settings that it will never let in, or on
    one that may lose what it acknowledges (K37)."""
    told = ""
    while True:
        try:
            if service.settings.database_allow_unsafe:
                await service.database.ping()
            else:
                await service.database.assert_durable()
        except DatabaseDownError as error:
            if error.refuses_us:
                health.unsafe = f"The database doesn't let us in; set DATABASE_URL right. It says: {error.reason}"
                log.critical("database_refuses", why=health.unsafe)
                return
            if error.reason != told:
                told = error.reason
                log.warning("database_not_reached", why=told or error.why)
            await asyncio.sleep(0.5)
            continue
        except UnsafeDatabaseError as error:
            log.critical("unsafe_database", why=str(error))
            health.unsafe = str(error)
            return
        health.durable = True
        return


async def _check_topics(service: Service, health: Health) -> None:
    """Refuse to relay into, or read from, topics that lose events."""
    wrong = await wrong_topics(service.settings.kafka_bootstrap, service.settings.topic_prefix)
    if wrong is not None:
        log.critical("unsafe_topics", why=wrong)
        health.unsafe = wrong
