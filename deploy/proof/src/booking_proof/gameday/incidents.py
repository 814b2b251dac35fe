"""The incidents of a game day. Each is a block: entered it is inflicted, left it is healed as its runbook says."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from booking_contracts.brokers import client_options
from booking_contracts.deadlines import connected
from booking_contracts.topics import SESSIONS, TRANSACTIONS
from booking_local.failure import Failure
from booking_proof.gameday.mailwall import MailWall
from booking_proof.gameday.stage import SERVICES, Customers, Stage

_SETTLE_SECONDS = 90.0


@dataclass(frozen=True)
class Game:
    """What incidents are inflicted on."""

    stage: Stage
    customers: Customers
    mail: MailWall
    no_volume: str
    """Why PostgreSQL's folder is no volume that can be filled; empty when it is."""

    @property
    def volume(self) -> Path:
        """PostgreSQL's folder."""
        return self.stage.layout.folder / "postgres"


Inflict = Callable[[Game], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Incident:
    """`alarm` is the rule that must become true, for series with these `labels`; `least`: seconds that it lasts in a
    full game; `impossible` says why it can't be played here, or is empty."""

    name: str
    what: str
    alarm: str
    healed: str
    inflict: Inflict
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    least: float = 0.0
    within: float = 120.0
    impossible: Callable[[Game], str] = lambda _: ""
    quick: bool = False
    """Whether it belongs to the short game."""


@asynccontextmanager
async def kafka_down(game: Game) -> AsyncIterator[None]:
    async with game.stage.kept_down("kafka"):
        yield


@asynccontextmanager
async def postgres_down(game: Game) -> AsyncIterator[None]:
    async with game.stage.kept_down("postgres"):
        yield


@asynccontextmanager
async def poison(game: Game) -> AsyncIterator[None]:
    async with _producer(game) as producer:
        await producer.send_and_wait(
            TRANSACTIONS.name, b"not json", key=b"stranger", partition=0, headers=[("ce_id", b"\xff")]
        )
    yield
    await game.stage.must("held", "discard", "--reason", "undecodable", "--yes")


@asynccontextmanager
async def mail_down(game: Game) -> AsyncIterator[None]:
    await game.stage.behave("mailbox", mode="down")
    yield
    await game.stage.behave("mailbox", mode="ok")


@asynccontextmanager
async def recipient_refused(game: Game) -> AsyncIterator[None]:
    await game.stage.behave("mailbox", mode="reject", times=1)
    yield
    admin, customers = game.customers.admin, game.customers
    failed = await customers.call(admin, "notifier", "GET", "/v1/notifications?status=failed&limit=200")
    for one in failed["items"]:
        await customers.call(admin, "notifier", "POST", f"/v1/notifications/{one['id']}/resend")


@asynccontextmanager
async def payments_down(game: Game) -> AsyncIterator[None]:
    await game.stage.behave("payments", mode="down")
    yield
    await game.stage.behave("payments", mode="ok")


@asynccontextmanager
async def worker_frozen(game: Game) -> AsyncIterator[None]:
    game.stage.freeze("notifier-worker")
    yield
    game.stage.kill("notifier-worker")


@asynccontextmanager
async def kafka_disk_gone(game: Game) -> AsyncIterator[None]:
    async with game.stage.kept_down("kafka"):
        data = game.stage.layout.folder / "kafka" / "data"
        await asyncio.to_thread(data.rename, data.with_name("lost"))  # at once: the next broker may be about to begin
        await asyncio.to_thread(shutil.rmtree, data.with_name("lost"))
    await game.stage.until("a new Kafka answers", lambda: game.stage.pids("kafka"), 30)
    yield
    await _topics_again(game, *SERVICES)


@asynccontextmanager
async def topic_deleted(game: Game) -> AsyncIterator[None]:
    async with connected(AIOKafkaAdminClient(**client_options(game.stage.endpoints["kafka"]))) as admin:
        await admin.delete_topics([SESSIONS.name])
    yield
    await _topics_again(game, "consultation")


@asynccontextmanager
async def restored(game: Game) -> AsyncIterator[None]:
    """checkout's database is replaced by a copy from before the last purchases, while its processes stand still."""
    stage, names = game.stage, ("checkout-api", "checkout-worker")
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'checkout'"
    report = stage.layout.folder / "recovered.jsonl"
    async with game.customers.resting():
        stage.freeze(*names)
        await stage.sql(cut, "CREATE DATABASE checkout_backup TEMPLATE checkout OWNER checkout_owner")
        stage.thaw()
    before = len(game.customers.bought)
    await stage.until("purchases after the backup", lambda: len(game.customers.bought) >= before + 3, 60)
    async with game.customers.resting():
        await _published(game)
        stage.freeze(*names)
        await stage.sql(
            cut,
            "DROP DATABASE checkout WITH (FORCE)",
            "ALTER DATABASE checkout_backup RENAME TO checkout",
            "REVOKE ALL ON DATABASE checkout FROM PUBLIC",
            "GRANT CONNECT, TEMPORARY ON DATABASE checkout TO checkout_app",
        )
        stage.kill(*names)
        yield
        stage.freeze(*names)
        await stage.sql(cut)
        await stage.must("restore", "recover", "checkout", "--report", str(report), "--yes")
        stage.kill(*names)
        stage.thaw()
        await stage.ready()
    # checkout's readers keep their place in Kafka, which is ahead of the restored database: others' records once more.
    await stage.must("republish", "--yes")


@asynccontextmanager
async def certificate_expired(game: Game) -> AsyncIterator[None]:
    game.mail.expire()
    yield
    game.mail.renew()


@asynccontextmanager
async def receiver_gone(game: Game) -> AsyncIterator[None]:
    """A receiver of webhooks answers 410, and later 204."""
    answers = {"status": b"410 Gone"}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line.partition(b":")[2]) for line in head.splitlines() if line.lower().startswith(b"content-length:")),
            0,
        )
        await reader.readexactly(length)
        writer.write(b"HTTP/1.1 " + answers["status"] + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    admin, customers = game.customers.admin, game.customers
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        wanted = {
            "url": url,
            "event_types": [TRANSACTIONS.events[0].full_type()],
            "description": "a game day's receiver",
        }
        made = await customers.call(admin, "notifier", "POST", "/v1/webhook-endpoints", wanted)
        path = f"/v1/webhook-endpoints/{made['id']}"
        yield
        answers["status"] = b"204 No Content"
        now = await customers.call(admin, "notifier", "GET", path)
        await customers.call(
            admin, "notifier", "PUT", path, {**wanted, "status": "enabled"}, If_Match=f'"{now["version"]}"'
        )
        await asyncio.sleep(0)
        await _delivered(game, made["id"])
        await customers.call(admin, "notifier", "DELETE", path)


@asynccontextmanager
async def disk_full(game: Game) -> AsyncIterator[None]:
    """The rest of the volume is taken, to the last page."""
    ballast = game.volume / "ballast"
    await asyncio.to_thread(_fill, ballast)
    yield
    ballast.unlink()


def _fill(file: Path) -> None:
    with file.open("ab", buffering=0) as ballast:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    os.write(ballast.fileno(), bytes(size))
            except OSError:
                continue


def _producer(game: Game) -> AIOKafkaProducer:
    return AIOKafkaProducer(**client_options(game.stage.endpoints["kafka"]))


async def _topics_again(game: Game, *owners: str) -> None:
    """The runbook's way: while the owners' workers are stopped the topics are made and everything is published again,
    so that what waits in an outbox comes after what was sent before."""
    async with AsyncExitStack() as stopped:
        for owner in owners:
            await stopped.enter_async_context(game.stage.kept_down(f"{owner}-worker"))
        await game.stage.must("topics", "create", "--replication", "1")
        for owner in owners:
            await game.stage.must("republish", "--service", owner, "--yes")


async def _published(game: Game) -> None:
    """Until nothing of checkout waits: what the topics must have beyond the backup."""
    deadline = asyncio.get_running_loop().time() + _SETTLE_SECONDS
    while True:
        code, said = await game.stage.booking("counts")
        if code == 0 and all('"waiting": 0' in line for line in said.splitlines() if "checkout" in line):
            return
        if asyncio.get_running_loop().time() > deadline:
            raise Failure(f"checkout does not publish what waits: {said}")


async def _delivered(game: Game, endpoint: str) -> None:
    """Until nothing waits for the endpoint."""
    deadline = asyncio.get_running_loop().time() + _SETTLE_SECONDS
    path = f"/v1/webhook-deliveries?endpoint_id={endpoint}&status=pending"
    while (await game.customers.call(game.customers.admin, "notifier", "GET", path))["items"]:
        if asyncio.get_running_loop().time() > deadline:
            raise Failure("Webhooks still wait for the receiver that is back.")
        await asyncio.sleep(0.5)


INCIDENTS = (
    Incident("kafka-down", "Kafka is dead for two minutes", "KafkaTakesNothing", "its start", kafka_down, least=120.0),
    Incident(
        "postgres-down",
        "PostgreSQL is killed and kept dead for half a minute",
        "DependencyDown",
        "its start",
        postgres_down,
        labels={"dependency": "postgres"},
        least=30.0,
    ),
    Incident(
        "poison",
        "a stranger writes what nobody can read",
        "RecordsHeld",
        "`booking-ops held discard`",
        poison,
        labels={"reason": "undecodable"},
        quick=True,
    ),
    Incident(
        "mail-down",
        "the mail server says 421 and hangs up",
        "ProviderDown",
        "the mail server is back",
        mail_down,
        labels={"channel": "email"},
        quick=True,
    ),
    Incident(
        "recipient-refused",
        "the mail server refuses a recipient for good",
        "MessagesUnresolved",
        "an admin sends it again",
        recipient_refused,
        labels={"channel": "email", "state": "failed"},
    ),
    Incident(
        "payments-down",
        "the payment provider answers nobody",
        "DependencyDown",
        "the provider is back",
        payments_down,
        labels={"dependency": "payments"},
    ),
    Incident(
        "worker-frozen",
        "the notifier's worker stands still",
        "NobodyLeads",
        "it is killed, and started again",
        worker_frozen,
        labels={"job": "notifier"},
    ),
    Incident(
        "topic-deleted",
        "the topic of sessions is deleted",
        "KafkaTakesNothing",
        "`booking-ops topics create`, `republish`",
        topic_deleted,
        labels={"job": "consultation"},
    ),
    Incident(
        "kafka-disk-gone",
        "Kafka comes back with an empty disk",
        "KafkaTakesNothing",
        "`booking-ops topics create`, `republish` of all",
        kafka_disk_gone,
    ),
    Incident(
        "restored",
        "checkout's database is restored from before its last purchases",
        "PublishingRefused",
        "`booking-ops restore recover checkout --report FILE`, `republish`",
        restored,
        labels={"job": "checkout"},
    ),
    Incident(
        "certificate-expired",
        "the mail server's certificate has expired",
        "ProviderRefusesUs",
        "a new certificate",
        certificate_expired,
        labels={"channel": "email"},
    ),
    Incident(
        "receiver-gone",
        "a receiver of webhooks answers 410",
        "WebhookEndpointDisabled",
        "an admin enables it again",
        receiver_gone,
        quick=True,
    ),
    Incident(
        "disk-full",
        "PostgreSQL's volume is full",
        "DiskNearlyFull",
        "there is room again",
        disk_full,
        impossible=lambda game: game.no_volume,
    ),
)
