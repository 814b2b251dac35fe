"""`booking up --secure`: the whole flow with TLS, passwords and permissions at Kafka; all else is refused."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from pydantic import SecretStr
from tests.e2e.conftest import system_of
from tests.e2e.stories import purchase_to_result
from tests.e2e.system import booking, cast, local_stack

from booking_contracts.access import ANALYTICS
from booking_contracts.brokers import Brokers, Security, client_options
from booking_contracts.deadlines import connected
from booking_contracts.topics import CONTACTS, SESSIONS
from booking_local.layout import Layout
from booking_local.stack import control, secrets

pytestmark = [pytest.mark.servers, pytest.mark.e2e, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("secured")
    with local_stack(folder, "--secure"):
        yield folder


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
    layout = Layout(state)
    known: dict[str, Any] = json.loads(layout.endpoints.read_text())
    kept = secrets.load(layout).kafka_users[ANALYTICS]
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
