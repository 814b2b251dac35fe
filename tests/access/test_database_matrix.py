"""What each database lets each of its roles do is what is told: every cell, let through and refused."""

import asyncio
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql
from tests.access.databases import BESIDE, PRIVILEGES, ROLES, cells, columns, expected, tried

from booking_ops.access import databases as access
from booking_ops.access.privileges import TABLES
from booking_ops.deployment import SERVICES

pytestmark = pytest.mark.servers
NEVER_FEWER, SURELY_LET_THROUGH = 2_779, 1_203
"""What the matrix had when it was made: with each table there are more."""
WORD = "of-the-matrix-alone-and-of-this-run"


class Installation:
    """The four databases, each with its three roles, as migrations and `booking-ops access apply` leave them."""

    def __init__(self, postgres, made):
        self.postgres, self.databases = postgres, made
        self.stems = {name: one.app_url.split("//")[1].split("_app:")[0] for name, one in made.items()}
        self.there = {}

    def admin(self, service):
        """The superuser, in this database."""
        return psycopg.connect(self._at(self.postgres.admin_url, service), autocommit=True)

    def role(self, service, role):
        return f"{self.stems[service]}_{role}"

    def url(self, service, role, database=None):
        """The role's address, of its own database or another."""
        made = self.databases[service]
        if role == "analytics":
            server = self.postgres.server
            found = server.url(made.name, self.role(service, role), WORD)
        else:
            found = made.owner_url if role == "owner" else made.app_url
        return self._at(found, database or service)

    def _at(self, url, service):
        return url.rsplit("/", 1)[0] + f"/{self.databases[service].name}"

    async def apply(self):
        """As the command does it."""
        for service in SERVICES:
            url = self._at(self.postgres.admin_url, service)
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
                names = await access.names_of(conn)
                await access.set_password(conn, names.analytics, names.analytics, WORD)
                drift = await access.privilege_drift(conn, service, names)
                await access.set_right(conn, add=drift.missing, remove=drift.extra)
                left = await access.privilege_drift(conn, service, names)
                assert left == access.PrivilegeDrift((), (), ()), left

    def tried(self, service, role):
        """The cells of one role in its own database."""
        there, owner = self.there[service], self.role(service, "owner")
        with psycopg.connect(self.url(service, role), autocommit=True) as conn:
            return tried(conn, cells(service, role, there), there, owner)

    def differing(self, service, role):
        return {cell: said for cell, said in self.tried(service, role).items() if said != expected(cell)}


@pytest.fixture(scope="module")
def installation(postgres, fresh_database):
    made = Installation(postgres, {service: fresh_database(service) for service in SERVICES})
    asyncio.run(made.apply())
    for service in SERVICES:
        with made.admin(service) as admin:
            made.there[service] = columns(admin)
    yield made
    for service in SERVICES:
        with made.admin(service) as admin:
            name = sql.Identifier(made.role(service, "analytics"))
            admin.execute(sql.SQL("DROP OWNED BY {}").format(name))
            admin.execute(sql.SQL("DROP ROLE {}").format(name))


def test_every_cell__is_as_told(installation):
    found = {
        cell: said for service in SERVICES for role in ROLES for cell, said in installation.tried(service, role).items()
    }
    assert {cell: said for cell, said in found.items() if said != expected(cell)} == {}
    there = installation.there
    assert {service: set(of) for service, of in there.items()} == {one: set(told.app) for one, told in TABLES.items()}
    whole = sum(len(of) for of in there.values()) * len(ROLES) * len(PRIVILEGES)
    by_column = sum(len(names) for of in there.values() for names in of.values())
    assert len(found) == whole + by_column + len(SERVICES) * len(ROLES) * len(BESIDE) >= NEVER_FEWER
    assert sum(found.values()) >= SURELY_LET_THROUGH
    print(f"{len(found)} cells in the databases, {sum(found.values())} let through")


def test_every_role__enters_its_own_database_and_no_other(installation):
    entered = set()
    for service in SERVICES:
        for role in ROLES:
            for database in SERVICES:
                try:
                    psycopg.connect(installation.url(service, role, database)).close()
                except psycopg.OperationalError as refused:
                    assert "permission denied for database" in str(refused), refused  # noqa: PT017
                else:
                    entered.add((service, role, database))
    assert entered == {(service, role, service) for service in SERVICES for role in ROLES}


@contextmanager
def granted(installation, service, give, take):
    with installation.admin(service) as admin:
        admin.execute(give)
        try:
            yield
        finally:
            admin.execute(take)


def test_one_privilege_too_many__is_found(installation):
    app = installation.role("consultation", "app")
    with granted(
        installation, "consultation", f"GRANT DELETE ON events TO {app}", f"REVOKE DELETE ON events FROM {app}"
    ):
        ((cell, said),) = installation.differing("consultation", "app").items()
    assert (cell.table, cell.privilege, said) == ("events", "DELETE", True)


def test_one_column_too_many__is_found(installation):
    who = installation.role("checkout", "analytics")
    with granted(
        installation,
        "checkout",
        f"GRANT SELECT (email) ON person TO {who}",
        f"REVOKE SELECT (email) ON person FROM {who}",
    ):
        ((cell, said),) = installation.differing("checkout", "analytics").items()
    assert (cell.table, cell.column, said) == ("person", "email", True)


def test_one_privilege_too_few__is_found(installation):
    app = installation.role("notifier", "app")
    with granted(installation, "notifier", f"REVOKE UPDATE ON lane FROM {app}", f"GRANT UPDATE ON lane TO {app}"):
        ((cell, said),) = installation.differing("notifier", "app").items()
    assert (cell.table, cell.privilege, said) == ("lane", "UPDATE", False)
