"""The four databases with their roles, and their migrations."""

import asyncio
import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import LiteralString

from booking_local.failure import Failure
from booking_local.layout import Layout, replace
from booking_local.servers.process import Command, last_lines, spawn
from booking_local.stack.child import Launch, gone
from booking_local.stack.programs import MODULES, Stack, service_settings
from booking_local.stack.secrets import DATABASES


def provision(admin_url: str, passwords: dict[str, str], *, shared: bool = False) -> None:
    """Roles and databases that are missing. A role may enter its own database and no other.

    Raises Failure when the server is `shared` with other stacks and the roles there are another's.
    """
    import psycopg  # PostgreSQL starts meanwhile
    from psycopg import sql

    with psycopg.connect(admin_url, autocommit=True) as admin:
        roles = {name for (name,) in admin.execute("SELECT rolname FROM pg_roles")}
        there = {name for (name,) in admin.execute("SELECT datname FROM pg_database")}

        def run(text: LiteralString, *names: str) -> None:
            admin.execute(sql.SQL(text).format(*map(sql.Identifier, names)))

        for role, password in passwords.items():
            if role in roles and shared:
                _check_password(admin_url, role, password)
            elif role not in roles:
                made = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
                admin.execute(made.format(sql.Identifier(role), sql.Literal(password)))
        for name in DATABASES:
            if name not in there:
                run("CREATE DATABASE {} OWNER {}", name, f"{name}_owner")
            run("REVOKE ALL ON DATABASE {} FROM PUBLIC", name)
            run("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}", name, f"{name}_app")


def _check_password(admin_url: str, role: str, password: str) -> None:
    """On a given server the roles may be another stack's: say so before its databases are touched."""
    import psycopg
    from psycopg.conninfo import make_conninfo

    try:
        psycopg.connect(make_conninfo(admin_url, dbname=role.partition("_")[0], user=role, password=password)).close()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise Failure(
                f"The role {role} of this PostgreSQL has another password than this state folder knows: "
                "use the folder that made it (--state), or another server."
            ) from error


async def migrate(stack: Stack, launch: Launch, *, unknown: bool = False) -> list[str]:
    """Each service's own `migrate`, at once, where its migrations changed since the last time. Returns whose."""
    # A given server's state is `unknown`, it may have been emptied: its own tables alone tell what has been migrated.
    names: list[str] = list(DATABASES) if unknown else stale(stack.layout)
    async with asyncio.TaskGroup() as all_at_once:
        for name in names:
            all_at_once.create_task(_migrate_one(stack, name, launch))
    if names:
        wanted = {name: _revisions(MODULES[name]) for name in DATABASES}
        replace(stack.layout.migrated, json.dumps(wanted, indent=1))
    return names


def stale(layout: Layout) -> list[str]:
    """The services whose migrations changed since they were last run here."""
    done = _kept(layout)
    return [name for name in DATABASES if done.get(name) != _revisions(MODULES[name])]


async def _migrate_one(stack: Stack, name: str, launch: Launch) -> None:
    log = stack.layout.log_of(f"{name}-migrate")
    argv = [sys.executable, "-m", MODULES[name], "migrate"]
    command = Command(
        f"{name}-migrate", argv, log, env=service_settings(stack, name, migrating=True), cwd=stack.layout.folder
    )
    process = await launch(command) or spawn(command)
    try:
        await gone(process, None)
    finally:
        if process.poll() is None:  # a start that is given up leaves nothing behind; a migration is a transaction
            process.kill()
            await gone(process, 5)
    if process.returncode != 0:
        raise Failure(f"The migrations of {name} failed: {last_lines(log)} (all of it in {log})")


def _kept(layout: Layout) -> dict[str, str]:
    return json.loads(layout.migrated.read_text("utf-8")) if layout.migrated.exists() else {}


def _revisions(module: str) -> str:
    """A fingerprint of a service's revisions: what has been migrated needs no Alembic, which is slow to start."""
    found = importlib.util.find_spec(module)
    assert found is not None, module
    assert found.origin is not None, module
    folder = Path(found.origin).parent / "migrations" / "versions"
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
