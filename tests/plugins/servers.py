"""The real PostgreSQL and Kafka for tests: started once per run, on the first test that asks for them.

Everything here is synchronous, so that plain and async tests use it alike. This PostgreSQL runs with fsync off: it is
`FAST_AND_UNSAFE` and no test may kill it. Tests that crash things use the whole stack (`tests/e2e`, `tests/chaos`).
"""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from booking_local.layout import Layout
from booking_local.servers.kafka import Kafka
from booking_local.servers.ports import NAMES as PORT_NAMES
from booking_local.servers.postgres import Postgres
from booking_local.stack import programs
from booking_local.stack.secrets import Secrets

FAST_AND_UNSAFE = False
_DATABASE_OF = {
    "checkout": "checkout",
    "consultation": "consultation",
    "notifier": "notifier",
    "calendar": "calendar_projector",
}


@dataclass(frozen=True, slots=True)
class Databases:
    """One database's two addresses: the owner migrates, the app role is what services run as."""

    name: str
    owner_url: str
    app_url: str


Migrate = Callable[[Databases], None]


@dataclass
class PostgresServer:
    """The run's PostgreSQL."""

    server: Postgres
    _templates: dict[str, Databases] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def admin_url(self) -> str:
        """The superuser's address."""
        return self.server.admin_url

    def create_database(
        self, name: str | None = None, migrate: Migrate | None = None, template: Databases | None = None
    ) -> Databases:
        """A new database with roles `<name>_owner` and `<name>_app` of its own, migrated by `migrate(databases)`.

        From a template it comes with its tables; they keep the template's roles, which the answer then names.
        """
        name = name or f"t{secrets.token_hex(6)}"
        made = template or self._make_roles(name)
        owner = made.owner_url.split("://")[1].split(":")[0]
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            admin.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY FILE_COPY").format(
                    sql.Identifier(name),
                    sql.Identifier(owner),
                    sql.Identifier(template.name if template else "template0"),
                )
            )
        databases = Databases(name, _at(made.owner_url, name), _at(made.app_url, name))
        if migrate is not None:
            migrate(databases)
        return databases

    def drop_database(self, databases: Databases) -> None:
        """Ends its connections and drops it."""
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(databases.name)))

    def clone(self, template: str, migrate: Migrate) -> Databases:
        """A fresh copy of the database `template`, which `migrate` fills the first time in this run."""
        with self._guard:
            if template not in self._templates:
                self._templates[template] = self.create_database(template, migrate)
        return self.create_database(f"{template}_{secrets.token_hex(5)}", template=self._templates[template])

    def _make_roles(self, name: str) -> Databases:
        urls: list[str] = []
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            for role in (f"{name}_owner", f"{name}_app"):
                password = secrets.token_urlsafe(12)
                admin.execute(
                    sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
                )
                urls.append(self.server.url(name, role, password))
        return Databases(name, *urls)


@dataclass
class KafkaServer:
    """The run's broker. A test takes a prefix for its topics and never deletes one."""

    server: Kafka

    @property
    def bootstrap(self) -> str:
        """host:port."""
        return self.server.bootstrap

    def prefix(self) -> str:
        """A prefix that no other test has, such as `t3f9a1c2.`."""
        return f"t{secrets.token_hex(4)}."

    def create_topics(self, prefix: str, names: list[str] | None = None) -> None:
        """The topics of events.md (or some, by logical name) under this prefix, with their real configuration."""
        from tests.plugins.topics import create_all

        create_all(self.bootstrap, prefix, names)


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's unprivileged user may enter, gone soon after the run."""
    folder = Path(tempfile.mkdtemp(prefix="booking-tests-"))
    folder.chmod(0o711)
    yield folder
    # A hundred thousand small files: to delete them takes longer than to end the run.
    subprocess.run(["sh", "-c", 'rm -rf "$0" &', folder], stdin=subprocess.DEVNULL, start_new_session=True, check=False)


@pytest.fixture(scope="session")
def postgres(server_folder: Path) -> Iterator[PostgresServer]:
    """The run's PostgreSQL, fast and unsafe."""
    server = Postgres(server_folder / "postgres", durable=FAST_AND_UNSAFE).start()
    yield PostgresServer(server)
    _kill(server, signal.SIGQUIT)


@pytest.fixture(scope="session")
def kafka(server_folder: Path) -> Iterator[KafkaServer]:
    """The run's Kafka."""
    server = Kafka(server_folder / "kafka").start()
    yield KafkaServer(server)
    _kill(server, signal.SIGKILL)


@pytest.fixture(scope="session")
def secured_kafka(server_folder: Path) -> Iterator[Kafka]:
    """Another Kafka, which lets in by TLS and who it knows alone: `admin`, `as_user`, `as_certified` are its addresses.
    Its permissions are of the whole run: a test begins by taking them all away."""
    server = Kafka(server_folder / "secured-kafka", secured=True).start()
    yield server
    _kill(server, signal.SIGKILL)


def _kill(server: Postgres | Kafka, how: signal.Signals) -> None:
    """End a server whose data nobody will read: Kafka would say farewell for each of some thousand partitions."""
    if server.pid is not None:
        os.kill(server.pid, how)
    server.stop()


@pytest.fixture(scope="session")
def fresh_database(postgres: PostgresServer) -> Callable[[str], Databases]:
    """`fresh_database("checkout")`: a migrated database of that service, cloned from a template made once per run."""

    def fresh(service_name: str) -> Databases:
        module = service_name.replace("-", "_")
        module = _DATABASE_OF.get(module, module)
        return postgres.clone(f"template_{module}", lambda databases: _run_migrate(module, databases))

    return fresh


def _run_migrate(module: str, databases: Databases) -> None:
    """The service's own `migrate`, as a deployment runs it."""
    done = subprocess.run(
        [sys.executable, "-m", module, "migrate"],
        env={**os.environ, **_settings_of(module), **_addresses(databases)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, f"{module} migrate failed:\n{done.stdout}\n{done.stderr}"


def _settings_of(module: str) -> dict[str, str]:
    """What the local stack would give this service, with addresses where nobody listens."""
    (name,) = [name for name, its_module in programs.MODULES.items() if its_module == module]
    nowhere: dict[str, int] = dict.fromkeys(PORT_NAMES, 9)  # pyright: ignore[reportAssignmentType]
    stack = programs.Stack(Layout(Path("/nonexistent")), Secrets(""), nowhere, "127.0.0.1:9", "127.0.0.1:9")
    return programs.service_settings(stack, name)


def _addresses(databases: Databases) -> dict[str, str]:
    return {
        "DATABASE_URL": databases.app_url,
        "DATABASE_OWNER_URL": databases.owner_url,
        "DATABASE_ALLOW_UNSAFE": "true",
    }


def _at(url: str, database: str) -> str:
    return url.rsplit("/", 1)[0] + f"/{database}"
