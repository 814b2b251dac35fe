"""Servers as on several machines, on this one: three Kafka brokers, and a PostgreSQL with a replica."""

from __future__ import annotations

import base64
import os
import secrets
import signal
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from aiokafka.admin import AIOKafkaAdminClient
from psycopg import sql

from booking_contracts.admin import create_topics
from booking_contracts.deadlines import connected
from booking_local.failure import Failure
from booking_local.servers.kafka import Kafka
from booking_local.servers.ports import free_port
from booking_local.servers.postgres import Postgres
from booking_local.servers.process import Command, last_lines, spawn

BROKERS = 3
SESSION_SECONDS = 5.0
"""After so long without a sign of life a broker's partitions get other leaders (`broker.session.timeout.ms`; 9 s is
Kafka's default)."""
_REPLICA = "replica"
_PROPERTIES = """\
node.id={node}
controller.quorum.voters={voters}
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
default.replication.factor=3
min.insync.replicas=2
broker.session.timeout.ms={session}
"""


class Broker(Kafka):
    """One of the three: broker and controller. Its folder survives it, as a machine's disk does."""

    def __init__(self, folder: Path, node: int, cluster: str, *, port: int, controllers: dict[int, int]) -> None:
        super().__init__(folder, port=port, controller_port=controllers[node])
        self.node = node
        self.more = folder / "more.properties"
        self._cluster = cluster
        voters = ",".join(f"{number}@127.0.0.1:{at}" for number, at in controllers.items())
        self._text = _PROPERTIES.format(node=node, voters=voters, session=round(SESSION_SECONDS * 1000))

    def prepare(self) -> None:
        """As every broker, and what tells it from the other two."""
        identity = self.data / "meta.properties"
        if not identity.exists():
            self.data.mkdir(parents=True)
            identity.write_text(f"version=1\ncluster.id={self._cluster}\nnode.id={self.node}\n", "ascii")
        assert self.more is not None
        self.more.write_text(self._text, "utf-8")
        super().prepare()

    def lose(self) -> None:
        """kill -9."""
        assert self.pid is not None
        os.kill(self.pid, signal.SIGKILL)
        self.stop()


@dataclass(frozen=True)
class Place:
    """A partition as the brokers have it."""

    topic: str
    partition: int
    leader: int
    in_sync: frozenset[int]


class Brokers:
    """Three brokers that are one cluster, each record on all of them; two must have it before it is acknowledged."""

    def __init__(self, folder: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        ports: set[int] = set()
        while len(ports) < 2 * BROKERS:
            ports.add(free_port(but_not=ports))
        chosen = sorted(ports)
        controllers = {node: chosen[BROKERS + node - 1] for node in range(1, BROKERS + 1)}
        self.all = [
            Broker(folder / f"broker-{node}", node, cluster, port=chosen[node - 1], controllers=controllers)
            for node in controllers
        ]

    @property
    def bootstrap(self) -> str:
        """All of them, as KAFKA_BOOTSTRAP has it."""
        return ",".join(broker.bootstrap for broker in self.all)

    def start(self) -> None:
        """All at once: none is ready before two are there."""
        for broker in self.all:
            broker.launch()
        for broker in self.all:
            broker.await_ready()

    async def create_topics(self) -> None:
        """The catalogue's, with three replicas."""
        await create_topics(self.bootstrap, replication=BROKERS)

    async def places(self) -> list[Place]:
        """Every partition of every topic of the catalogue. Raises KafkaError."""
        client = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        async with connected(client) as admin:
            return [
                Place(topic["topic"], one["partition"], one["leader"], frozenset(one["isr"]))
                for topic in await admin.describe_topics()
                if not topic["topic"].startswith("__")
                for one in topic["partitions"]
            ]

    def stop(self) -> None:
        """Killed: two of three would wait for the third."""
        for broker in self.all:
            if broker.pid is not None:
                broker.lose()


class _Replica(Postgres):
    """A copy of another server's, which goes on following it."""

    def __init__(self, folder: Path, primary: Postgres) -> None:
        super().__init__(folder, password=primary.password)
        self._primary = primary

    def _initdb(self) -> None:
        assert self._programs is not None
        primary = f"{self._primary.admin_url}?application_name={_REPLICA}"
        argv = [str(self._programs / "pg_basebackup"), "-D", str(self.data), "-d", primary]
        argv += ["--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream", "--no-sync"]
        self.data.mkdir(mode=0o700)
        if self._identity.uid >= 0:
            os.chown(self.data, self._identity.uid, self._identity.gid)
        log = self.folder / "basebackup.log"
        if spawn(Command("basebackup", argv, log, cwd=Path("/"), identity=self._identity)).wait() != 0:
            raise Failure(f"The replica could not be made: {last_lines(log)}")


@dataclass
class Pair:
    """A primary, and a replica that is promoted when the primary is lost. `synchronous`: a commit is acknowledged once
    both have it on their disks."""

    folder: Path
    synchronous: bool = True
    primary: Postgres = field(init=False)
    replica: Postgres = field(init=False)

    def __post_init__(self) -> None:
        self.primary = Postgres(self.folder / "one", password=secrets.token_urlsafe(24))
        self.replica = _Replica(self.folder / "two", self.primary)

    @property
    def url(self) -> str:
        """Both, of which libpq takes the one that can be written to."""
        one, two = (f"127.0.0.1:{server.port}" for server in (self.primary, self.replica))
        words = f"postgres:{self.primary.password}@{one},{two}"
        return f"postgresql://{words}/postgres?target_session_attrs=read-write"

    def start(self, *, timeout: float = 30) -> None:
        """Both, the replica caught up."""
        self.primary.start()
        self.replica.start()
        if not self.synchronous:
            return
        with psycopg.connect(self.primary.admin_url, autocommit=True) as admin:
            admin.execute(sql.SQL("ALTER SYSTEM SET synchronous_standby_names = {}").format(sql.Literal(_REPLICA)))
            admin.execute("SELECT pg_reload_conf()")
            deadline = time.monotonic() + timeout
            while (row := admin.execute("SELECT sync_state FROM pg_stat_replication").fetchone()) != ("sync",):
                assert time.monotonic() < deadline, f"the replica does not follow: {row}"
                time.sleep(0.05)

    def cut(self) -> None:
        """The line between the two breaks: the replica gets nothing more, and nobody tells the primary."""
        with psycopg.connect(self.replica.admin_url, autocommit=True) as admin:
            admin.execute("ALTER SYSTEM SET primary_conninfo = ''")
            admin.execute("SELECT pg_reload_conf()")
            deadline = time.monotonic() + 10
            while admin.execute("SELECT 1 FROM pg_stat_wal_receiver").fetchone() is not None:
                assert time.monotonic() < deadline, "the replica goes on following"
                time.sleep(0.02)

    def lose_primary(self) -> None:
        """kill -9 of every process of it, as when its machine is gone."""
        assert self.primary.pid is not None
        os.kill(self.primary.pid, signal.SIGKILL)
        for pid in self.primary.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.primary.stop()

    def promote(self) -> None:
        """Makes the replica the primary, and returns when it takes writes."""
        with psycopg.connect(self.replica.admin_url, autocommit=True) as admin:
            assert admin.execute("SELECT pg_promote(true, 30)").fetchone() == (True,)

    def stop(self) -> None:
        """Both."""
        for server in (self.replica, self.primary):
            server.stop()
