"""A service as a program (`<service> api|worker|all|migrate|openapi|republish|counts`), and the ASGI application.

Everything of api.md's conventions is put together here, in one place for all services.
"""

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

from fastapi import Depends, FastAPI
from sqlalchemy.exc import OperationalError
from starlette.middleware.cors import CORSMiddleware

from booking_process import jobs, logs
from booking_process.health import Health, health_router
from booking_process.lifespan import lifespan
from booking_process.server import serve
from booking_process.service import Mode, Service
from booking_process.settings import ServiceSettings, SettingsError, load_settings
from booking_web import problem_handlers
from booking_web.auth import Authenticator, RateLimit, TokenVerifier
from booking_web.edge import Edge
from booking_web.idempotency import IdempotencyPurge
from booking_web.keys import KeySet
from booking_web.openapi import document, enumerations, operation_id, printed
from booking_web.reference import reference
from booking_web.strict import KnownParameters

S = TypeVar("S", bound=ServiceSettings)
_USAGE = (
    "usage: {name} api|worker|all|migrate|openapi, or {name} republish [--stream ID] [--since T] [--until T], "
    "or {name} counts [--until T]"
)
_NO_OWNER = "DATABASE_OWNER_URL is not set; set it to the PostgreSQL address of the role that migrates."
_MISUSE = 2
_JOBS = {"republish": jobs.republish, "counts": jobs.counts}
_COMMANDS = frozenset({"api", "worker", "all", "migrate", "openapi"})

EXPOSED = (
    "Accept-Encoding",
    "Allow",
    "Consistency-Token",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
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
        openapi_tags=[{"name": name, "description": told} for name, told in service.tags.items()] or None,
        docs_url=None,  # its pages load scripts from elsewhere; ours does not (reference.py)
        redoc_url=None,
        openapi_url="/openapi.json" if mode != "worker" else None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
        lifespan=lifespan(
            service,
            mode,
            health,
            workers=[IdempotencyPurge(service.database)],
            background=[] if mode == "worker" else [keys.keep_fresh],
            on_stop=[keys.close],
        ),
        dependencies=[Depends(KnownParameters())],
        telemetry={"tracing": False, "metrics": False, "logs": False},  # the edge's (spans.py)
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
        app.include_router(reference(service.title))
    app.openapi = lambda: document(app, enumerations(service.enumerations, service.open_enumerations))
    deadline = settings.database_statement_timeout_seconds + 2
    app.add_middleware(
        Edge,
        max_body=settings.max_body_bytes,
        body_seconds=settings.body_timeout_seconds,
        slow_seconds=settings.slow_request_seconds,
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


def main(build: Callable[[S], Service], settings_class: type[S], argv: Sequence[str] | None = None) -> None:
    """Runs one command and exits: 0 done, 1 could not (with a sentence), 2 misused."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not set(arguments[:1]) & _JOBS.keys() and (len(arguments) != 1 or arguments[0] not in _COMMANDS):
        sys.exit(_complaint(_USAGE.format(name=settings_class.__module__.partition(".")[0]), _MISUSE))
    try:
        sys.exit(_run(build, settings_class, arguments[0], arguments[1:]))
    except SettingsError as error:
        sys.exit(_complaint(str(error), 1))


def _run(build: Callable[[S], Service], settings_class: type[S], command: str, options: Sequence[str]) -> int:
    if command == "openapi":
        sys.stdout.write(printed(create_app(build(settings_class.documented()), mode="api")))
        return 0
    settings = load_settings(settings_class)
    logs.configure(settings.log_level)
    service = build(settings)
    logs.configure(settings.log_level, service=f"{service.name}-{command}")
    if command == "migrate":
        return _migrate(service)
    if job := _JOBS.get(command):
        return jobs.told(lambda: job(service, options))
    mode = cast("Mode", command)
    return serve(create_app(service, mode=mode), settings, mode=mode)


def _migrate(service: Service) -> int:
    from booking_process.migrations import app_role, upgrade  # noqa: PLC0415 - Alembic takes as long as all the rest

    owner = service.settings.database_owner_url
    if owner is None or service.migrations is None:
        return _complaint(_NO_OWNER, 1)
    try:
        app_role(owner)
        upgrade(owner, service.migrations)
    except ValueError as wrong:
        return _complaint(f"DATABASE_OWNER_URL is wrong: {wrong}.", 1)
    except OperationalError as error:
        told = " ".join(str(error.orig or error).split())
        return _complaint(f"The database can't be migrated: {told}", 1)
    return 0


def _complaint(sentence: str, code: int) -> int:
    sys.stderr.write(sentence + "\n")
    return code
