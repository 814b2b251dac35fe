"""`booking up --secure`: the whole flow with TLS, passwords and permissions; all else is refused."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from pydantic import SecretStr
from tests.e2e.conftest import system_of
from tests.e2e.stories import purchase_to_result
from tests.e2e.system import booking, cast, local_stack, until

from booking_contracts.access import ANALYTICS
from booking_contracts.brokers import Brokers, Security, client_options
from booking_contracts.deadlines import connected
from booking_contracts.topics import CONTACTS, SESSIONS
from booking_local.layout import Layout
from booking_local.servers.certificates import Certificates
from booking_local.servers.postgres import TERMINATOR
from booking_local.stack import control, secrets
from booking_local.stack.secrets import DATABASES

pytestmark = [pytest.mark.servers, pytest.mark.e2e, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("secured")
    with local_stack(folder, "--secure"):
        yield folder


def _known(state: Path) -> dict[str, Any]:
    return json.loads(Layout(state).endpoints.read_text())


def _database(state: Path, role: str = "app") -> str:
    """Checkout's, as a program of its own comes to it."""
    address = _known(state)["postgres"]["checkout"].rpartition("@")[2]
    return secrets.load(Layout(state)).database_url(address.replace("/checkout", ""), "checkout", role)


def test_programs__come_to_postgresql_by_tls_and_in_no_other_way(secured: Path):
    """Its one way in is the socket that TLS ends before, so all who are there came by it."""
    password = secrets.load(Layout(secured)).postgres_superuser
    server = _known(secured)["postgres"]["checkout"].rpartition("@")[2]
    with psycopg.connect(f"postgresql://postgres:{password}@{server}") as conn:
        assert conn.execute("SHOW listen_addresses").fetchone() == ("",)
        came = "SELECT usename, client_port FROM pg_stat_activity WHERE backend_type = 'client backend'"
        who = conn.execute(came).fetchall()
    assert {port for _, port in who} == {-1}
    assert {f"{name}_app" for name in DATABASES} <= {user for user, _ in who}
    with psycopg.connect(_database(secured)) as conn:
        assert conn.pgconn.ssl_in_use


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"sslmode": "disable"}, r'no pg_hba\.conf entry for .*user "checkout_app", .*no encryption'),
        ({"sslrootcert": "another"}, "certificate verify failed"),
        ({"password": "guessed"}, "password authentication failed"),
    ],
)
def test_nobody_else__is_let_in_to_postgresql(secured: Path, how: dict[str, Any], said: str, tmp_path: Path):
    another = Certificates(tmp_path)
    another.make()
    how = {name: str(another.ca) if value == "another" else value for name, value in how.items()}
    with pytest.raises(psycopg.OperationalError, match=said):
        psycopg.connect(_database(secured), **how)


@pytest.mark.parametrize("name", ["postgres", TERMINATOR])
def test_either_half_of_postgresql_that_is_killed__is_found_again(secured: Path, name: str):
    def pid() -> int | None:
        return next((one["pid"] for one in _known(secured)["processes"] if one["name"] == name), None)

    before = pid()
    assert before is not None
    os.kill(before, signal.SIGKILL)
    until(f"another {name}", lambda: pid() not in (None, before))
    until("all programs ready", lambda: booking("status", state=secured).returncode == 0)


def test_the_whole_flow__is_played_and_proven(secured: Path):
    with system_of(secured) as system:
        purchase_to_result(cast(system))
    audit = booking("audit", state=secured)
    assert audit.returncode == 0, audit.stdout + audit.stderr
    compared = booking("access", "compare", state=secured)
    assert (compared.returncode, compared.stderr) == (0, ""), compared.stdout
    assert booking("status", state=secured).returncode == 0


def test_every_command_that_speaks_to_the_broker__is_let_in(secured: Path):
    for words in (
        ["topics", "compare"],
        ["counts"],
        ["events", "tail", "--from", "beginning", "--no-follow", "--topic", "sessions"],
        ["republish", "--service", "consultation"],
        ["projections"],
        ["held", "list"],
    ):
        done = booking(*words, state=secured)
        assert done.returncode == 0, (words, done.stdout, done.stderr)


def _analytics(state: Path, password: str | None = None) -> Brokers:
    """Somebody from outside, by the address that everybody gets."""
    known = _known(state)
    kept = secrets.load(Layout(state)).kafka_users[ANALYTICS]
    ca = control.brokers(known).security.ca_file
    return Brokers(known["kafka"], Security("SASL_SSL", "SCRAM-SHA-512", ANALYTICS, SecretStr(password or kept), ca))


async def _read(address: str, topic: str) -> int:
    async with connected(AIOKafkaConsumer(topic, **client_options(address), auto_offset_reset="earliest")) as consumer:
        return len(await consumer.getmany(timeout_ms=20_000, max_records=1))


def test_analytics__reads_what_it_may_and_writes_nothing(secured: Path):
    async def sends() -> None:
        async with connected(AIOKafkaProducer(**client_options(_analytics(secured)))) as producer:
            await producer.send_and_wait(SESSIONS.name, b"{}", key=b"k")

    assert asyncio.run(_read(_analytics(secured), SESSIONS.name)) > 0
    with pytest.raises(TopicAuthorizationFailedError):
        asyncio.run(_read(_analytics(secured), CONTACTS.name))
    with pytest.raises(TopicAuthorizationFailedError):
        asyncio.run(sends())


@pytest.mark.parametrize("how", ["in plain text", "by a wrong password"])
def test_nobody_else__is_let_in(secured: Path, how: str):
    address = _analytics(secured, "guessed") if how == "by a wrong password" else str(_analytics(secured))
    with pytest.raises((KafkaError, OSError)):
        asyncio.run(_read(address, SESSIONS.name))
