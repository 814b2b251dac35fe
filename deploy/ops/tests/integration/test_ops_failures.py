"""What servers say no to, as real ones say it: a sentence with what to do, never a traceback or an exception's name."""

import asyncio
import re
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest

from booking_ops.cli import main
from booking_ops.deployment import Deployment, Settings, deployment
from booking_outbox import Relay

pytestmark = pytest.mark.servers
RAW = re.compile(r"Traceback|\w(?:Error|Exception)\b|LockBusy|Unpublished|\[Errno|\[Error")
COMMANDS = {
    "counts": ["counts"],
    "republish": ["republish", "--service", "checkout"],
    "ranking": ["rebuild", "ranking"],
    "audit": ["audit"],
}


@pytest.fixture
def databases(fresh_database):
    return {service: fresh_database(service) for service in ("checkout", "consultation", "notifier", "calendar")}


@pytest.fixture
def prefix(databases, kafka, monkeypatch):
    """A deployment where all is well, and its topics' prefix."""
    for name in (*Settings.model_fields, "secrets_dir", "booking_traceback"):
        monkeypatch.delenv(name.upper(), raising=False)
    made = kafka.prefix()
    kafka.create_topics(made)
    monkeypatch.setenv("KAFKA_BOOTSTRAP", kafka.bootstrap)
    monkeypatch.setenv("TOPIC_PREFIX", made)
    for service, one in databases.items():
        monkeypatch.setenv(f"{service.upper()}_DATABASE_URL", one.owner_url)
    return made


async def said(words, capfd):
    """Exit code and the last line of what a command says, which is a sentence."""
    code = await asyncio.to_thread(main, words)
    out, err = capfd.readouterr()
    assert not RAW.search(out + err), err
    lines = err.strip().splitlines()
    assert code == 0 or lines[-1].endswith((".", "?")), err
    return code, lines[-1] if lines else ""


def changed(url, *, user=None, password=None, database=None):
    parts = urlsplit(url)
    who, _, where = parts.netloc.rpartition("@")
    name, _, secret = who.partition(":")
    netloc = f"{user or name}:{password or secret}@{where}"
    return urlunsplit(parts._replace(netloc=netloc, path=f"/{database}" if database else parts.path))


@pytest.fixture
def stranger(postgres):
    """A role that may enter every database and nothing more."""
    name = f"stranger_{uuid4().hex[:12]}"
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")  # pyright: ignore[reportArgumentType, reportCallIssue]
    yield name
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute(f"DROP OWNED BY {name}")  # pyright: ignore[reportArgumentType, reportCallIssue]
        admin.execute(f"DROP ROLE {name}")  # pyright: ignore[reportArgumentType, reportCallIssue]


@pytest.fixture
def addresses(prefix, databases, postgres, stranger):
    """Ways to a database that lead nowhere, and what is said of each."""
    del prefix
    mine = databases["checkout"].owner_url
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        for one in databases.values():
            admin.execute(f'GRANT CONNECT ON DATABASE "{one.name}" TO {stranger}')  # pyright: ignore[reportArgumentType, reportCallIssue]
    return {
        changed(mine, password="wrong"): "password authentication failed",
        changed(mine, database="nowhere"): 'database "nowhere" does not exist',
        changed(mine, user=stranger, password="x"): "PostgreSQL doesn't let this role do that: permission denied",
        changed(postgres.admin_url, database="postgres"): "is it migrated to this release (`<service> migrate`)?",
    }


@pytest.mark.parametrize("command", COMMANDS)
async def test_database_s_no__is_told_with_what_to_do(command, addresses, monkeypatch, capfd):
    for address, words in addresses.items():
        monkeypatch.setenv("CHECKOUT_DATABASE_URL", address)
        code, sentence = await said(COMMANDS[command], capfd)
        assert (code, words in sentence) == (2, True), sentence


async def test_topics_missing__are_told_with_the_commands_that_mend_it(prefix, monkeypatch, capfd):
    monkeypatch.setenv("TOPIC_PREFIX", f"{prefix}other.")
    for command in ("republish", "ranking", "audit"):
        code, sentence = await said(COMMANDS[command], capfd)
        assert code == 2
        assert sentence.startswith(f"Kafka lacks {prefix}other.booking."), sentence
        assert "A topic was lost" in sentence


async def test_relay_that_keeps_its_lock__is_told_with_what_it_may_stand_at(prefix, capfd):
    """One that waits for a topic that is missing hears of nobody who wants the lock."""
    del prefix
    relay = relay_of(deployment(), "checkout")
    async with relay.standing_still():
        code, sentence = await said([*COMMANDS["republish"], "--wait", "0.5"], capfd)
    assert code == 2
    assert sentence.startswith(
        "Nothing was published: the relay did not give its lock (checkout-relay) up within 0.5 s."
    )
    assert "topics compare" in sentence
    code, _ = await said(COMMANDS["republish"], capfd)
    assert code == 0, "once it is given up"


def relay_of(where: Deployment, service: str) -> Relay:
    return next(worker for worker in where.service(service).workers if isinstance(worker, Relay))
