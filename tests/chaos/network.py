"""The lines between the services and their servers, and what a network does to them.

The services reach PostgreSQL and Kafka through toxiproxy: their addresses are settings of the stack, and the broker has
a second listener that advertises the proxy, since a client goes where the metadata sends it. The rig, the supervisor
and `booking-ops audit` go straight. Where there is no toxiproxy the services go straight too, its faults are skipped.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos import packets
from tests.chaos.faults import SOAK_SECONDS, Fault
from tests.chaos.toxiproxy import Toxic, Toxiproxy, Unavailable, running

from booking_local.layout import Layout
from booking_local.servers.ports import choose, free_port
from booking_local.stack import programs
from booking_local.stack.secrets import DATABASES, load_or_make

SERVERS = {"database": "postgres", "broker": "kafka"}
_LONG_SILENCE = (42.0, 60.0)
"""Longer than the 40 s after which aiokafka gives a request up (K1); only in a soak."""

Recipe = Callable[[random.Random], list[Toxic]]


def _slow(chance: random.Random) -> list[Toxic]:
    late = {"latency": chance.randrange(30, 400), "jitter": chance.randrange(0, 200)}
    narrow = {"rate": chance.randrange(20, 200)}  # kB/s
    return [Toxic("latency", "downstream", late), Toxic("bandwidth", "downstream", narrow)]


def _silent(_chance: random.Random) -> list[Toxic]:
    return [Toxic("timeout", "upstream", {"timeout": 0}), Toxic("timeout", "downstream", {"timeout": 0})]


def _unanswered(_chance: random.Random) -> list[Toxic]:
    return [Toxic("timeout", "downstream", {"timeout": 0})]


def _torn(chance: random.Random) -> list[Toxic]:
    return [Toxic("limit_data", "downstream", {"bytes": chance.choice((1, 7, 60, 500, 5000))})]


def _reset(chance: random.Random) -> list[Toxic]:
    return [Toxic("reset_peer", "downstream", {"timeout": chance.choice((0, 20, 300))})]


_TOXICS: dict[str, Recipe] = {
    "slow": _slow,  # late and narrow
    "silent": _silent,  # bytes vanish both ways, no FIN; the connections end when it is over
    "unanswered": _unanswered,  # requests arrive and are done, their answers vanish: a COMMIT's too (F9)
    "torn": _torn,  # every connection ends within a reply
    "reset": _reset,  # what answers is cut off, new connections by RST
}
_PACKETS: dict[str, Callable[[int], list[packets.Rule]]] = {
    "dropped": packets.dropped,
    "lossy": lambda port: packets.lossy(port, 0.2),
    "refused": packets.refused,
}
KINDS = tuple(f"{how}_{server}" for how in (*_TOXICS, *_PACKETS) for server in SERVERS)


def network_plan(seed: int, seconds: float) -> list[Fault]:
    """A run's faults of the network, a pure function of the seed; they go on beside those of `plan`, one at a time."""
    chance = random.Random(f"network {seed}")
    turns = list(KINDS)
    chance.shuffle(turns)
    faults: list[Fault] = []
    at = chance.uniform(1.0, 4.0)
    while at < seconds - 2:
        # In turn rather than at random, so that no kind is spared for long.
        turns.append(turns.pop(0))
        kind, lasts = turns[-1], chance.uniform(2.0, 8.0)
        if seconds >= SOAK_SECONDS and kind == "silent_broker" and chance.random() < 0.5:
            lasts = chance.uniform(*_LONG_SILENCE)
        target = SERVERS[kind.rpartition("_")[2]]
        faults.append(Fault(round(at, 2), kind, target, round(lasts, 2), chance.randrange(2**31)))
        # In between commands get through: a system that is never whole acknowledges nothing, and proves nothing.
        at += lasts + (chance.uniform(15.0, 40.0) if seconds >= SOAK_SECONDS else chance.uniform(5.0, 14.0))
    return faults


@dataclass
class Network:
    """What of it can be hurt here. `ports` are those on which the services reach the servers."""

    ports: Mapping[str, int]
    proxies: Toxiproxy | None
    skipped: dict[str, str] = field(default_factory=dict)
    """Kinds that this machine can't do, and why."""
    _laid: list[packets.Laid] = field(default_factory=list)

    async def hurt(self, fault: Fault) -> bool:
        """One fault from its beginning to its end. Raises OSError or httpx2.HTTPError when it can't begin."""
        how = fault.kind.rpartition("_")[0]
        try:
            if how in _PACKETS:
                self._laid.append(packets.Laid(_PACKETS[how](self.ports[fault.target])))
            else:
                await self._poison(fault.target, _TOXICS[how](random.Random(fault.seed)))
            await asyncio.sleep(fault.seconds)
        finally:
            await self.heal()
        return True

    async def heal(self) -> None:
        """Every packet arrives, every byte passes."""
        self.lift()
        if self.proxies is not None:
            await self.proxies.cure()

    def lift(self) -> None:
        """The rules of iptables are gone."""
        while self._laid:
            self._laid.pop().lift()

    async def _poison(self, target: str, toxics: Sequence[Toxic]) -> None:
        assert self.proxies is not None, "a kind that is skipped here"
        await self.proxies.poison(target, {f"{one.type}-{one.stream}": one for one in toxics})


@contextmanager
def laid(state: Path) -> Iterator[Network]:
    """The lines of a stack that is going to be started in this folder, and taken away when it is down."""
    with ExitStack() as until_the_end:
        network = _lay(Layout(state), until_the_end)
        until_the_end.callback(network.lift)
        if reason := packets.unavailable():
            network.skipped |= {kind: reason for kind in KINDS if kind.rpartition("_")[0] in _PACKETS}
        yield network


def _lay(layout: Layout, until_the_end: ExitStack) -> Network:
    layout.make()
    chosen = choose(layout, None)
    straight = {server: chosen[server] for server in SERVERS.values()}
    second, *ours = _free_ports(3, set(chosen.values()))
    lines = dict(zip(SERVERS.values(), ours, strict=True))
    try:
        _refuse_given_servers()
        leads_to = {"postgres": (lines["postgres"], chosen["postgres"]), "kafka": (lines["kafka"], second)}
        proxies = until_the_end.enter_context(running(leads_to, layout.log_of("toxiproxy")))
    except Unavailable as why:
        return Network(straight, None, {kind: str(why) for kind in KINDS if kind.rpartition("_")[0] in _TOXICS})
    _lead(layout, chosen, lines, second)
    return Network(lines, proxies)


def _lead(layout: Layout, chosen: Mapping[str, int], lines: Mapping[str, int], second: int) -> None:
    """Tell the services the proxies' addresses, and the broker whom to advertise to those who come that way."""
    layout.kafka_properties.parent.mkdir(exist_ok=True)
    host = "127.0.0.1"
    layout.kafka_properties.write_text(
        f"listeners=PLAINTEXT://{host}:{chosen['kafka']},PROXIED://{host}:{second},"
        f"CONTROLLER://{host}:{chosen['kafka-controller']}\n"
        f"advertised.listeners=PLAINTEXT://{host}:{chosen['kafka']},PROXIED://{host}:{lines['kafka']}\n"
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
    )
    secrets = load_or_make(layout)
    proxied = programs.Stack(layout, secrets, chosen, f"{host}:{lines['postgres']}", f"{host}:{lines['kafka']}")
    for name in DATABASES:
        path = layout.settings_of(name)
        path.write_text(f"DATABASE_URL={proxied.database_url(name, 'app')}\nKAFKA_BOOTSTRAP={proxied.kafka}\n")
        path.chmod(0o600)


def _refuse_given_servers() -> None:
    if os.environ.get("BOOKING_POSTGRES_URL") or os.environ.get("BOOKING_KAFKA_BOOTSTRAP"):
        raise Unavailable("toxiproxy: the servers are given ones, which the rig can't lead through a proxy")


def _free_ports(count: int, taken: set[int]) -> list[int]:
    found: list[int] = []
    for _ in range(count):
        found.append(free_port(but_not=taken | set(found)))
    return found
