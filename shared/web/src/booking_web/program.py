"""`<service> api|worker|all|migrate|openapi|republish`: the command line of every service."""

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

from booking_process import logs
from booking_process.service import Mode, Service
from booking_process.settings import ServiceSettings, SettingsError, load_settings
from booking_web.application import create_app
from booking_web.openapi import printed

S = TypeVar("S", bound=ServiceSettings)
_USAGE = "usage: {name} api|worker|all|migrate|openapi, or {name} republish [--stream ID] [--since T] [--until T]"
_NO_OWNER = "DATABASE_OWNER_URL is not set; set it to the PostgreSQL address of the role that migrates."
_MISUSE = 2
_COMMANDS = frozenset({"api", "worker", "all", "migrate", "openapi"})


def main(build: Callable[[S], Service], settings_class: type[S], argv: Sequence[str] | None = None) -> None:
    """Runs one command and exits: 0 done, 1 could not (with a sentence), 2 misused."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] != ["republish"] and (len(arguments) != 1 or arguments[0] not in _COMMANDS):
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
    if command == "republish":
        from booking_process import jobs, republishing  # noqa: PLC0415 - a serving process needs none of it

        return jobs.told(lambda: republishing.run(service, options))
    from booking_process.server import serve  # noqa: PLC0415 - `migrate` and `openapi` need no server

    mode = cast("Mode", command)
    return serve(create_app(service, mode=mode), settings, mode=mode)


def _migrate(service: Service) -> int:
    from sqlalchemy.exc import OperationalError  # noqa: PLC0415 - as below

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
