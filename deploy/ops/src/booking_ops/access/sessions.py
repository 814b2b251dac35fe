"""The settings that a role's sessions need where its programs come through a pooler, which takes none of theirs.

They are those that a program gives its sessions itself where no pooler is between, and asks for where one is. They are
kept for the role in its database, so nothing else that the role or the database has set comes before them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from booking_ops.access.databases import Names
from booking_process.database import session_settings


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """What `role` has set for its sessions in this database, or should have."""

    role: str
    name: str
    value: str

    @property
    def sentence(self) -> str:
        """What to tell people."""
        return f"{self.role} has {self.name} = {self.value}"


# The last of a name counts: everybody's, the database's, the role's, the role's in this database.
_THERE = """
SELECT split_part(one, '=', 1), substr(one, strpos(one, '=') + 1)
FROM pg_db_role_setting CROSS JOIN LATERAL unnest(setconfig) one
WHERE setrole IN (0, %(role)s::regrole)
  AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
ORDER BY setrole <> 0, setdatabase <> 0
"""
_READ = "SELECT setting FROM pg_settings WHERE lower(name) = lower(%s)"
_LOGINS = "SELECT rolname::text FROM pg_roles WHERE rolname = ANY(%s) ORDER BY 1"


async def settings_drift(
    conn: psycopg.AsyncConnection[Any], names: Names, *, statement_timeout: float
) -> tuple[Setting, ...]:
    """What the programs' logins, the second one too where there is one, should have set and have not."""
    wanted = session_settings(statement_timeout)
    missing: list[Setting] = []
    for (login,) in await (await conn.execute(_LOGINS, [list(names.logins)])).fetchall():
        quoted = sql.Identifier(login).as_string(conn)
        told = await (await conn.execute(_THERE, {"role": quoted})).fetchall()
        there = {str(name).lower(): str(value) for name, value in told}
        missing += [
            Setting(login, name, value)
            for name, value in sorted(wanted.items())
            if name not in there or await _as_read(conn, name, there[name]) != value
        ]
    return tuple(missing)


async def set_for_roles(conn: psycopg.AsyncConnection[Any], database: str, settings: Iterable[Setting]) -> None:
    """Sets these, in one transaction. New sessions have them."""
    async with conn.transaction():
        for one in settings:
            words = sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} = {}")
            where = (sql.Identifier(name) for name in (one.role, database, one.name))
            await conn.execute(words.format(*where, sql.Literal(one.value)))


async def _as_read(conn: psycopg.AsyncConnection[Any], name: str, value: str) -> str | None:
    """As PostgreSQL shows it: `10s` is 10000 of its milliseconds. None: it takes no such value."""
    try:
        async with conn.transaction(force_rollback=True):
            await conn.execute("SELECT set_config(%s, %s, true)", [name, value])
            row = await (await conn.execute(_READ, [name])).fetchone()
    except psycopg.DataError:
        return None
    return None if row is None else str(row[0])
