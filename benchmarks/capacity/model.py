"""What a deployment carries, by arithmetic: the work of a command and of all that follows it, against what there is.

A command is followed by its events (relayed, projected), its messages, and people's reads. Each resource has a ceiling
in commands a second at which it has nothing left; the lowest one breaks first.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.capacity.costs import COMMAND, LIVE, MESSAGE, PROJECTED, READS, RELAYED, Costs, Operation

FILE = Path(__file__).with_name("assumptions.toml")
MEGA, YEAR = 1e6, 365


@dataclass(frozen=True)
class Life:
    """Of one booked session: how many of each."""

    checkout_commands: float
    consultation_commands: float
    checkout_events: float
    consultation_events: float
    messages: float
    reads: Mapping[str, float]

    @property
    def commands(self) -> float:
        """All of them."""
        return self.checkout_commands + self.consultation_commands

    @property
    def events(self) -> float:
        """All of them."""
        return self.checkout_events + self.consultation_events


@dataclass(frozen=True)
class Use:
    """How the platform is used, and how full a resource may be."""

    peak: float
    full: float
    years: float
    memory_share: float


@dataclass(frozen=True)
class Topics:
    """How topics are cut and copied."""

    partitions: int
    replicas: int
    readers: int


@dataclass(frozen=True)
class Zones:
    """Seconds between two zones, there and back; the sizes, in booked sessions a day, that are looked at."""

    seconds: float
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Deployment:
    """Cores by what runs on them, or `cores` that all share; copies of each api process; megabytes a second."""

    name: str
    memory_gigabytes: float
    copies: int
    wal_megabytes: float
    network_megabytes: float
    cores: int = 0
    postgres: int = 0
    services: int = 0
    kafka: int = 0

    @property
    def shared(self) -> bool:
        """Whether everything runs on one node."""
        return self.cores > 0


@dataclass(frozen=True)
class Assumptions:
    """The file."""

    life: Life
    use: Use
    topics: Topics
    flush: float
    network: float
    zones: Zones
    deployments: tuple[Deployment, ...]


def assumptions(path: Path = FILE) -> Assumptions:
    """Read the file. Raises OSError, tomllib.TOMLDecodeError, KeyError or TypeError for what is not one."""
    found = tomllib.loads(path.read_text())
    disk = found["disk"]
    return Assumptions(
        Life(**found["life"]),
        Use(**found["use"]),
        Topics(**found["topics"]),
        disk["flush_seconds"],
        disk["network_seconds"],
        Zones(found["zones"]["seconds"], tuple(found["zones"]["sizes"])),
        tuple(Deployment(**one) for one in found["deployment"]),
    )


@dataclass(frozen=True)
class Demand:
    """Of one command with all that follows it: seconds of processor by whose, bytes of log and of network."""

    api: float
    workers: float
    postgres: float
    kafka: float
    wal: float
    sent: float

    @property
    def services(self) -> float:
        """All processes of ours."""
        return self.api + self.workers


def demand(costs: Costs, given: Assumptions) -> Demand:
    """What a command asks for, with its share of reads, events and messages."""
    life = given.life
    events, messages = life.events / life.commands, life.messages / life.commands
    shown = life.consultation_events / life.commands  # checkout's events have no row in the calendar
    parts: list[tuple[Operation, float]] = [(costs[COMMAND], 1.0)]
    parts += [(costs[name], life.reads[name] / life.commands) for name in READS]
    api = sum(one.of("service") * times for one, times in parts)
    followers = [(costs[RELAYED], events), (costs[PROJECTED], shown), (costs[MESSAGE], messages)]
    workers = sum(one.of("service") * times for one, times in followers)
    everything = [*parts, *followers]
    wire = costs.bytes["record on the broker's disk"] * events
    return Demand(
        api=api,
        workers=workers,
        postgres=sum(one.of("PostgreSQL") * times for one, times in everything),
        kafka=sum(one.of("Kafka") * times for one, times in everything),
        wal=sum((one.wal + one.pages) * times for one, times in parts) + costs[LIVE].wal * events,
        sent=wire * (given.topics.replicas + given.topics.readers),
    )


def ceilings(costs: Costs, given: Assumptions, one: Deployment) -> dict[str, float]:
    """Commands a second at which each resource is full, by its name."""
    of, life = demand(costs, given), given.life
    busiest = max(life.consultation_events, life.checkout_events) / life.commands
    shown = life.consultation_events / life.commands
    api = one.copies / (of.api * max(life.consultation_commands, life.checkout_commands) / life.commands)
    processors = (
        {"the node's processor": one.cores / (of.services + of.postgres + of.kafka)}
        if one.shared
        else {
            "PostgreSQL's processor": one.postgres / of.postgres,
            "the services' processors": one.services / of.services,
            "Kafka's processors": one.kafka / of.kafka,
        }
    )
    return {
        **processors,
        "api processes": api,
        "the leader of consultation's relay": 1 / (costs[RELAYED].of("service") * busiest),
        f"calendar projectors ({given.topics.partitions} partitions)": given.topics.partitions
        / (costs[PROJECTED].of("service") * shown),
        "notifiers": one.copies / (costs[MESSAGE].of("service") * life.messages / life.commands),
        "the write-ahead log's disk": one.wal_megabytes * MEGA / of.wal,
        "Kafka's network": one.network_megabytes * MEGA / of.sent,
    }


def sessions_a_day(commands: float, given: Assumptions) -> float:
    """Booked sessions of a day whose busiest minute has so many commands a second."""
    return commands / given.use.peak / given.life.commands * 86_400


@dataclass(frozen=True)
class Size:
    """What a load asks for: copies and cores in all zones together, those of PostgreSQL for each server."""

    commands: float
    """A second, in the busiest minute."""
    apis: int
    """Processes of each service."""
    notifiers: int
    service_cores: float
    servers: int
    """Of PostgreSQL, a primary and its replicas; and as many brokers."""
    postgres_cores: float
    terabytes: float
    """A year, of tables and topics, with all copies."""
    between: float
    """Megabytes a second from zone to zone, in the busiest minute."""


def size(costs: Costs, given: Assumptions, sessions: float, zones: int) -> Size:
    """For so many booked sessions a day, such that without any one of several zones no resource is fuller than it
    should be. Each zone has a server of PostgreSQL and a broker; one that is alone keeps one copy of everything."""
    life, of, full = given.life, demand(costs, given), given.use.full
    commands = sessions * life.commands / 86_400 * given.use.peak
    spare = zones / (zones - 1) if zones > 1 else 1.0

    def copies(seconds: float) -> int:
        """Processes of one core each, for so many seconds of work a command; as many in each zone."""
        return zones * max(1, math.ceil(commands * seconds / full * spare / zones))

    day = growth(costs, given, commands, 1.0)
    topics = day.topics / given.topics.replicas
    wire = costs.bytes["record on the broker's disk"] * life.events / life.commands
    # Each replica gets the log. A record goes to the other brokers, and to a reader that is elsewhere, as most are.
    crossing = (zones - 1) * (of.wal + wire) + (zones - 1) / zones * given.topics.readers * wire
    return Size(
        commands=commands,
        apis=copies(of.api * max(life.consultation_commands, life.checkout_commands) / life.commands),
        notifiers=copies(costs[MESSAGE].of("service") * life.messages / life.commands),
        service_cores=commands * of.services / full * spare,
        servers=zones,
        postgres_cores=commands * of.postgres / full,
        terabytes=YEAR * zones * (day.tables + topics) / 1000,
        between=commands * crossing / MEGA,
    )


@dataclass(frozen=True)
class Growing:
    """What a day leaves behind, in gigabytes, and for how many days the events' indexes stay in memory."""

    tables: float
    topics: float
    log: float
    days_in_memory: float


def growth(costs: Costs, given: Assumptions, commands: float, memory_gigabytes: float) -> Growing:
    """At so many commands a second in the busiest minute."""
    sessions, of = sessions_a_day(commands, given), demand(costs, given)
    events = given.life.events * sessions
    size = costs.bytes
    tables = events * size["event stored"] + sessions * (size["session stored"] + size["calendar row"])
    indexes = events * size["event's indexes"]
    return Growing(
        tables=tables / 1e9,
        topics=events * size["record on the broker's disk"] * given.topics.replicas / 1e9,
        log=of.wal * given.life.commands * sessions / 1e9,
        days_in_memory=memory_gigabytes * 1e9 * given.use.memory_share / indexes,
    )


@dataclass(frozen=True)
class Step:
    """A change to the deployment, from how many commands a second it pays, and why."""

    what: str
    commands: float
    why: str


def changes(costs: Costs, given: Assumptions) -> list[Step]:
    """What to change as the load grows, in the order of the loads at which it is asked for."""
    _, three, region = given.deployments
    full, of, life = given.use.full, demand(costs, given), given.life
    single, several, most = (ceilings(costs, given, each) for each in given.deployments)
    reading = sum(costs[name].of("PostgreSQL") * life.reads[name] for name in READS) / life.commands
    kept = three.memory_gigabytes * 1e9 * given.use.memory_share / (costs.bytes["event's indexes"] * life.events)
    postgres, projectors = "PostgreSQL's processor", f"calendar projectors ({given.topics.partitions} partitions)"
    at = f"at {full:.0%}"
    steps = [
        Step("a second api process", full * most["api processes"] / region.copies, f"a service's event loop is {at}"),
        Step("PostgreSQL on a node of its own", full * single["the node's processor"], f"the one node is {at}"),
        Step(
            "read replicas",
            full * several[postgres],
            f"PostgreSQL's {three.postgres} cores are {at}, {reading / of.postgres:.0%} of it for reads",
        ),
        Step("more partitions", full * most[projectors], f"a projector for each of them is {at}"),
        Step("a relay per hash of the key", full * most["the leader of consultation's relay"], f"its core is {at}"),
        Step(
            "partitioned events, older ones archived",
            kept / YEAR * life.commands / 86_400 * given.use.peak,
            f"a year of their indexes fills its share of {three.memory_gigabytes:g} GB",
        ),
        Step(
            "a database per region, or tables spread by practitioner",
            full * min(most[postgres], most["the write-ahead log's disk"]),
            f"PostgreSQL's {region.postgres} cores, or its log's disk, are {at}",
        ),
    ]
    return sorted(steps, key=lambda step: step.commands)
