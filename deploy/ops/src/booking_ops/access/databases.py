"""What the roles of one database may do there, compared with `privileges.TABLES` and set right.

The database's owner may do nearly all of it. What only somebody may who makes roles (the analytics role, passwords,
a role's attributes) PostgreSQL refuses to the owner, in its own words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import sql

from booking_ops.access.privileges import TABLES
from booking_ops.failure import Failure

Kind = Literal["table", "column", "schema", "database", "role"]
PUBLIC = "PUBLIC"
"""Everybody, as PostgreSQL names them."""
_SECOND = "_b"
"""What the name of a role's second login ends with, by which its password is replaced in an overlap."""

_SCHEMA = "public"
_THERE = """
WITH there (kind, name, col, grantee, privilege, grantable) AS (
SELECT 'table', c.relname::text, NULL, x.grantee, x.privilege_type, x.is_grantable
FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) x
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND x.grantee <> c.relowner
UNION ALL
SELECT 'column', c.relname::text, a.attname::text, x.grantee, x.privilege_type, x.is_grantable
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid CROSS JOIN LATERAL aclexplode(a.attacl) x
WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped AND x.grantee <> c.relowner
UNION ALL
SELECT 'schema', nspname::text, NULL, x.grantee, x.privilege_type, x.is_grantable
FROM pg_namespace CROSS JOIN LATERAL aclexplode(coalesce(nspacl, acldefault('n', nspowner))) x
WHERE nspname = 'public' AND x.grantee <> nspowner
UNION ALL
SELECT 'database', datname::text, NULL, x.grantee, x.privilege_type, x.is_grantable
FROM pg_database CROSS JOIN LATERAL aclexplode(coalesce(datacl, acldefault('d', datdba))) x
WHERE datname = current_database() AND x.grantee <> datdba
)
SELECT kind, name, col, coalesce(r.rolname::text, 'PUBLIC'), privilege, grantable
FROM there LEFT JOIN pg_roles r ON r.oid = there.grantee
"""
_ATTRIBUTES = ("SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS")
_ROLES = """
SELECT rolname::text, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles
WHERE rolname = ANY(%s)
"""
_MEMBERS = """
SELECT m.rolname::text, g.rolname::text FROM pg_auth_members a
JOIN pg_roles m ON m.oid = a.member JOIN pg_roles g ON g.oid = a.roleid WHERE m.rolname = ANY(%s)
"""
_COLUMNS = """
SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0
  AND NOT a.attisdropped
"""


@dataclass(frozen=True, slots=True, order=True)
class Privilege:
    """One permission: `role` has `privilege` of a table, one column of it, the schema or the database. Of the kind
    `role` it is an attribute such as CREATEDB, or membership in the role that `name` names."""

    role: str
    kind: Kind
    name: str
    privilege: str
    column: str = ""
    grantable: bool = False

    @property
    def sentence(self) -> str:
        """What to tell people."""
        if self.kind == "role":
            return f"{self.role} is {self.privilege}" + (f" of {self.name}" if self.name else "")
        what = f"{self.name}.{self.column}" if self.column else self.name
        return f"{self.role} has {self.privilege} on {self.kind} {what}" + (", to hand on" if self.grantable else "")


@dataclass(frozen=True, slots=True)
class PrivilegeDrift:
    """How a database differs: `missing`, `extra` of our roles and of everybody, `foreign`, of somebody else;
    `absent` are tables that are not there, `unknown` those that nothing is told of."""

    missing: tuple[Privilege, ...]
    extra: tuple[Privilege, ...]
    foreign: tuple[Privilege, ...]
    absent: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


async def privilege_drift(conn: psycopg.AsyncConnection[Any], service: str, names: "Names") -> PrivilegeDrift:
    """How the database that this connection is of differs from what is told of the service's."""
    roles = {row[0]: row[1:] for row in await _rows(conn, _ROLES, [[names.app, names.analytics]])}
    if names.app not in roles:
        raise Failure(f"{service}: there is no role {names.app}; make it, then migrate.")
    columns: dict[str, set[str]] = {}
    for table, column in await _rows(conn, _COLUMNS):
        columns.setdefault(table, set()).add(column)
    wanted = _wanted(service, names, columns, analytics=names.analytics in roles)
    there = {
        Privilege(role, kind, name, privilege, column or "", grantable)
        for kind, name, column, role, privilege, grantable in await _rows(conn, _THERE)
    }
    extra, foreign = set[Privilege](), set[Privilege]()
    for one in there - wanted:
        (extra if one.role in (names.app, names.analytics, PUBLIC) else foreign).add(one)
    for role, has in roles.items():
        extra |= {Privilege(role, "role", "", word) for word, set_ in zip(_ATTRIBUTES, has, strict=True) if set_}
    for member, of in await _rows(conn, _MEMBERS, [list(roles)]):
        extra.add(Privilege(member, "role", of, "MEMBER"))
    told = {*TABLES[service].app, *TABLES[service].analytics}
    return PrivilegeDrift(
        tuple(sorted(wanted - there)),
        tuple(sorted(extra)),
        tuple(sorted(foreign)),
        tuple(sorted(told - columns.keys())),
        tuple(sorted(columns.keys() - told)),
    )


async def set_right(
    conn: psycopg.AsyncConnection[Any], *, add: Iterable[Privilege] = (), remove: Iterable[Privilege] = ()
) -> None:
    """Takes these away, then gives those, in one transaction."""
    async with conn.transaction():
        for one in sorted(remove):
            await conn.execute(_taking(one))
        for one in sorted(add):
            await conn.execute(_giving(one))


@dataclass(frozen=True, slots=True)
class Names:
    """A database and its roles by their names: the owner's, `<stem>_owner`, gives the others'."""

    database: str
    stem: str

    @property
    def app(self) -> str:
        """Who the programs are."""
        return f"{self.stem}_app"

    @property
    def analytics(self) -> str:
        """Who reads beside them."""
        return f"{self.stem}_analytics"

    @property
    def logins(self) -> tuple[str, str]:
        """The programs' first login and their second one."""
        return (self.app, self.app + _SECOND)

    def login(self, name: str) -> str | None:
        """The role whose login this name is, first or second; None if it is none of this database's."""
        for role in (self.app, self.analytics):
            if name in (role, role + _SECOND):
                return role
        return None


async def names_of(conn: psycopg.AsyncConnection[Any]) -> Names:
    """Those of the database that this connection is of. Failure for an owner whose name says nothing."""
    asked = "SELECT datname::text, pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = current_database()"
    ((database, owner),) = await _rows(conn, asked)
    if not owner.endswith("_owner"):
        raise Failure(
            f"The database {database} belongs to {owner}: it must be a role named <name>_owner, which migrates."
        )
    return Names(database, owner.removesuffix("_owner"))


async def make_role(conn: psycopg.AsyncConnection[Any], role: str) -> bool:
    """The role if it is missing: it may log in once it has a password, and do nothing. Whether it was missing."""
    if await _rows(conn, "SELECT 1 FROM pg_roles WHERE rolname = %s", [role]):
        return False
    await conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
    return True


async def set_password(conn: psycopg.AsyncConnection[Any], login: str, role: str, password: str) -> None:
    """Let `login` come in by this password, with what `role` may. A second login is made if it is missing. PostgreSQL
    gets the password's salted form alone, so that no log has it."""
    async with conn.transaction():
        if await make_role(conn, login) and login != role:
            await conn.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(login)))
        salted = conn.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
        await conn.execute(
            sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(login), sql.Literal(salted))
        )


async def forget(conn: psycopg.AsyncConnection[Any], login: str) -> None:
    """No password lets `login` in any more; who is connected stays."""
    await conn.execute(sql.SQL("ALTER ROLE {} PASSWORD NULL").format(sql.Identifier(login)))


def _wanted(service: str, names: Names, columns: dict[str, set[str]], *, analytics: bool) -> set[Privilege]:
    told = TABLES[service]
    wanted = {Privilege(PUBLIC, "schema", _SCHEMA, "USAGE")}
    wanted |= {Privilege(names.app, "database", names.database, word) for word in ("CONNECT", "TEMPORARY")}
    for table, words in told.app.items():
        if table in columns:
            wanted |= {Privilege(names.app, "table", table, word) for word in words}
    if not analytics:
        return wanted
    wanted.add(Privilege(names.analytics, "database", names.database, "CONNECT"))
    for table, withheld in told.analytics.items():
        if not withheld and table in columns:
            wanted.add(Privilege(names.analytics, "table", table, "SELECT"))
        elif withheld:
            read = columns.get(table, set()) - withheld
            wanted |= {Privilege(names.analytics, "column", table, "SELECT", column) for column in read}
    return wanted


def _taking(one: Privilege) -> sql.Composed:
    role = _role(one.role)
    if one.kind == "role" and one.name:
        return sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(one.name), role)
    if one.kind == "role":
        return sql.SQL("ALTER ROLE {} {}").format(role, sql.SQL(_words(f"NO{one.privilege}")))
    return sql.SQL("REVOKE {} ON {} FROM {} CASCADE").format(_privilege(one), _thing(one), role)


def _giving(one: Privilege) -> sql.Composed:
    return sql.SQL("GRANT {} ON {} TO {}").format(_privilege(one), _thing(one), _role(one.role))


def _role(name: str) -> sql.Composable:
    return sql.SQL("PUBLIC") if name == PUBLIC else sql.Identifier(name)


def _privilege(one: Privilege) -> sql.Composable:
    word = sql.SQL(_words(one.privilege))
    return sql.SQL("{} ({})").format(word, sql.Identifier(one.column)) if one.column else word


def _thing(one: Privilege) -> sql.Composable:
    if one.kind in ("table", "column"):
        return sql.SQL("TABLE {}").format(sql.Identifier(_SCHEMA, one.name))
    return sql.SQL("{} {}").format(sql.SQL(_words(one.kind.upper())), sql.Identifier(one.name))


def _words(text: str) -> Any:
    """One of PostgreSQL's own words, as it told them."""
    if not text.isalpha():
        raise Failure(f"{text!r} is no privilege.")
    return text


async def _rows(conn: psycopg.AsyncConnection[Any], query: Any, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    return await (await conn.execute(query, values or None)).fetchall()
