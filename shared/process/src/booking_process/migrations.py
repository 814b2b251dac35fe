"""Migrations of one service's database: Alembic under one lock, with a short lock_timeout.

A service's `migrations/env.py` is five lines:

    from alembic import context
    from booking_process.migrations import run_migrations

    run_migrations(context)

Only `migrate` imports this module: a serving process has no need of Alembic.
"""

import os
from collections.abc import Callable
from importlib.resources import files
from typing import Any, cast

import psycopg
from alembic import command, op
from alembic.config import Config
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import NullPool

_LOCK = 0x626F6F6B696E6731  # "booking1": one migration at a time per database
_DRIVER = "postgresql+psycopg://"
_SESSION = "-c lock_timeout=5s -c statement_timeout=15min -c timezone=UTC"


def app_role(owner_url: str) -> str:
    """The run-time role that belongs to the owner of `owner_url`: `checkout_owner` migrates for `checkout_app`."""
    owner = str(conninfo_to_dict(owner_url).get("user") or "")
    if not owner.endswith("_owner"):
        raise ValueError(f"the migrating role must be named <database>_owner, not {owner!r}")
    return owner.removesuffix("_owner") + "_app"


def alteration(package: str, name: str) -> tuple[Callable[[], None], Callable[[], None]]:
    """A version file's `upgrade, downgrade` for what a shared package changes in its own tables, for every service:
    `sql/<name>.sql` and `sql/<name>_undo.sql`."""

    def _upgrade() -> None:
        op.execute("SET lock_timeout = '5s'")
        op.execute(ddl(package, name))

    return _upgrade, lambda: op.execute(ddl(package, f"{name}_undo"))


def upgrade(owner_url: str, location: str, revision: str = "head") -> None:
    """Brings the database to `revision` of the migrations at `location` (`"checkout:migrations"`)."""
    command.upgrade(config(owner_url, location), revision)


def downgrade(owner_url: str, location: str, revision: str) -> None:
    """Takes the database back to `revision`; "base" empties it."""
    command.downgrade(config(owner_url, location), revision)


def config(owner_url: str, location: str) -> Config:
    """Alembic's configuration without any file."""
    found = Config()
    found.set_main_option("script_location", location)
    found.set_main_option("path_separator", "os")
    found.attributes["owner_url"] = owner_url
    return found


def run_migrations(context: Any, *, target_metadata: Any = None) -> None:
    """What an env.py calls; `context` is `alembic.context`."""
    owner_url = context.config.attributes.get("owner_url") or os.environ["DATABASE_OWNER_URL"]
    if context.is_offline_mode():
        context.configure(url=_DRIVER, target_metadata=target_metadata, literal_binds=True)
        with context.begin_transaction():
            context.run_migrations()
        return
    given = conninfo_to_dict(owner_url)  # libpq's own reading, several hosts and all
    options = f"{given.get('options') or ''} {_SESSION}".strip()
    engine = create_engine(
        _DRIVER, poolclass=NullPool, connect_args={**given, "options": options, "connect_timeout": 5}
    )
    with engine.connect() as connection:
        _fill_in_app_role(connection, app_role(owner_url))
        # A lock of the session, not of a transaction: each migration commits by itself.
        with _raw(connection).cursor() as cursor:
            cursor.execute("SET lock_timeout = '60s'")
            cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
            cursor.execute("SET lock_timeout = '5s'")
        _raw(connection).commit()
        context.configure(connection=connection, target_metadata=target_metadata, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
        _let_app_read_revision(_raw(connection), app_role(owner_url))
    engine.dispose()


def _raw(connection: Connection) -> psycopg.Connection:
    return cast("psycopg.Connection", connection.connection.driver_connection)


def _fill_in_app_role(connection: Connection, role: str) -> None:
    quoted = sql.Identifier(role).as_string(_raw(connection))

    def fill_in(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> Any:
        return statement.replace("{app}", quoted), parameters

    event.listen(connection, "before_cursor_execute", fill_in, retval=True)


def _let_app_read_revision(connection: psycopg.Connection, role: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('alembic_version')")
        if cursor.fetchone() != (None,):
            cursor.execute(sql.SQL("GRANT SELECT ON alembic_version TO {}").format(sql.Identifier(role)))
    connection.commit()


def ddl(package: str, name: str) -> str:
    """`sql/<name>.sql` of a package: `ddl("booking_inbox", "inbox_v1")`; `{app}` in it stands for the run-time role.

    A published text is never changed: an alteration is a new file, so that every migration stays what it was.
    """
    return (files(package) / "sql" / f"{name}.sql").read_text(encoding="utf-8")
