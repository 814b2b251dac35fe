"""Machines are lost one after the other, under load: a broker, a second one, PostgreSQL's primary. What it came to.

python -m tests.machines.failover [FOLDER] [asynchronous]     # everything is kept in FOLDER

Everything runs on this one machine, and a machine is lost by kill -9 of its server: what is shown is what the servers
and ours do then, not what a network between zones does.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from aiokafka.errors import KafkaError
from tests.chaos import stack as stacks
from tests.chaos.afterwards import rest_and_verdict
from tests.chaos.checker.verdict import Verdict
from tests.chaos.client import Client, Person
from tests.chaos.history import Attempt, Recorder
from tests.chaos.load import Load, bring_cast
from tests.chaos.outages import Steady, all_ready
from tests.chaos.stack import Stack, own_stack
from tests.machines.servers import Brokers, Pair
from tests.rigs.databases import opened

from booking_contracts.topics import SESSIONS

WRITERS = ("checkout", "consultation")
"""Whose events are looked at: the notifier's tell of messages, which leave at their providers' pace."""
FRESH_SECONDS = 1.5
"""An event that waits no longer for its topic is on its way."""
_LOOK_SECONDS = 0.1
_STEADY = 2
_PATIENCE_SECONDS = 90.0
_OLDEST = "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float FROM outbox"
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


class Calm(Steady):
    """At a pace that leaves two cores room for nine processes and five servers."""

    pause = (0.4, 1.2)


@dataclass
class Loss:
    """One loss. Seconds count from it; None: not asked."""

    commands: int = 0
    """Answered with 2xx from the loss until it was over."""
    failures: dict[str, int] = field(default_factory=dict[str, int])
    """Attempts by what else was answered than a success or a refusal of the product's rules."""
    until_published: float | None = None
    """Until no event waited longer for its topic than usual."""
    until_commands: float | None = None
    """Until a command was taken again."""
    until_ready: float | None = None
    """Until every service said that it is ready."""
    until_promoted: float | None = None
    """Until the replica took writes; nobody waited before it was told to."""


@dataclass
class Outcome:
    """What came out."""

    synchronous: bool
    broker: Loss
    second_broker: Loss
    brokers_back: float
    """Seconds from the second broker's start until no event waited longer than usual."""
    primary: Loss
    verdict: Verdict
    still_moving: str
    audit: dict[str, Any]

    def summary(self) -> dict[str, Any]:
        """For people."""
        known = {key: value for key, value in asdict(self).items() if key not in {"verdict", "audit"}}
        more = {"holds": self.verdict.holds, "figures": self.verdict.figures, "audit_proven": self.audit.get("proven")}
        return {**known, **more, "violations": [str(one) for one in self.verdict.violations[:30]]}


class Play:
    """The stack on its machines, with people who use it."""

    def __init__(self, stack: Stack, brokers: Brokers, pair: Pair, recorder: Recorder) -> None:
        self._stack, self._brokers, self._pair, self._recorder = stack, brokers, pair, recorder
        self._client = Client(stack, recorder)

    @asynccontextmanager
    async def load(self) -> AsyncIterator[Client]:
        """Stories, and people whose commands need nobody else's events, until the block ends."""
        stop = asyncio.Event()
        people: list[asyncio.Task[None]] = []
        try:
            cast = await bring_cast(self._client, random.Random(1), members=60, practitioners=6)
            steady = [Calm(self._client, cast, random.Random(number), stop, []) for number in range(_STEADY)]
            for number, one in enumerate(steady):
                one.take(number)
                await self._by_mail_alone(one.member)
                await one.prepare()
            stories = Load(self._client, cast, random.Random(2), stop)
            people = [asyncio.create_task(one.go_on()) for one in steady]
            people.append(asyncio.create_task(stories.run(1)))
            yield self._client
        finally:
            stop.set()
            await asyncio.gather(*people)

    async def _by_mail_alone(self, who: Person) -> None:
        """WhatsApp takes a message a person each six seconds: who buys all the time would keep a run from ending."""
        body = {"channels": {"email": True, "whatsapp": False}}
        path = "/v1/preferences"
        operation, answer = await self._client.command(who, "setup", "notifier", path, body, method="PUT")
        assert operation.outcome == "ok", answer

    async def lose_leader(self) -> Loss:
        """The broker that leads the first partition of the sessions: others lead its partitions soon."""
        places = await self._brokers.places()
        first = next(one for one in places if one.topic == SESSIONS.name and one.partition == 0)
        loss, began = Loss(), time.time()
        self._lose_broker(first.leader)
        loss.until_published = await self._published(began)
        await self._until("every partition has another leader", self._led_without(first.leader))
        return self._counted(loss, began)

    async def lose_second(self, *, commands: int = 15) -> Loss:
        """Another broker: one is too few to acknowledge. Lasts until so many commands were taken meanwhile."""
        loss, began = Loss(), time.time()
        self._lose_broker(next(broker.node for broker in self._brokers.all if broker.pid is not None))

        async def enough() -> bool:
            return await self._oldest() > 2 * FRESH_SECONDS and self._taken(began) >= commands

        await self._until("events wait while commands are taken", enough)
        return self._counted(loss, began)

    async def brokers_back(self) -> float:
        """Both again; seconds until events are on their topics, after which every record is on all three."""
        began = time.time()
        for broker in self._brokers.all:
            if broker.pid is None:
                broker.launch()
        seconds = await self._published(began)

        async def whole() -> bool:
            return all(len(place.in_sync) == 3 for place in await self._brokers.places())

        await self._until("every partition is on three brokers", whole)
        return seconds

    async def lose_primary(self) -> Loss:
        """First its line to the replica, then itself; the replica is promoted at once."""
        cut = time.time()
        await asyncio.to_thread(self._pair.cut)

        async def noticed() -> bool:
            return await self._count_waiting() > 0 if self._pair.synchronous else self._taken(cut) >= 10

        await self._until("the cut shows", noticed)
        self._recorder.note("fault", kind="primary")
        loss, began = Loss(), time.time()
        self._pair.lose_primary()
        await asyncio.to_thread(self._pair.promote)
        loss.until_promoted = round(time.time() - began, 2)
        promoted = time.time()

        async def taken() -> bool:
            return self._taken(promoted) > 0

        await self._until("a command is taken", taken)
        loss.until_commands = round(self._first_taken(promoted) - began, 2)
        await all_ready(self._stack)
        loss.until_ready = round(time.time() - began, 2)
        loss.until_published = await self._published(began)
        return self._counted(loss, began)

    def _lose_broker(self, node: int) -> None:
        self._recorder.note("fault", kind="broker", node=node)
        self._brokers.all[node - 1].lose()

    def _led_without(self, node: int) -> Callable[[], Awaitable[bool]]:
        async def led() -> bool:
            places = await self._brokers.places()
            return all(place.leader not in (-1, node) and node not in place.in_sync for place in places)

        return led

    async def _published(self, since: float) -> float:
        """Seconds since then until no event that was told since waits longer than usual, and one was published."""
        seen = False

        async def fresh() -> bool:
            nonlocal seen
            oldest = await self._oldest()
            seen = seen or oldest > FRESH_SECONDS or time.time() - since > 3 * FRESH_SECONDS
            return seen and oldest < FRESH_SECONDS

        await self._until("events are published", fresh)
        return round(time.time() - since, 1)

    async def _oldest(self) -> float:
        """How long the oldest event waits, in any of WRITERS."""
        found: dict[str, float] = {}
        for service in (*WRITERS, "notifier"):
            async with opened(self._stack.endpoints["postgres"][service]) as conn:
                row = await (await conn.execute(_OLDEST)).fetchone()
                found[service] = round(row[0], 1) if row else 0.0
        self._recorder.note("waiting", oldest=found)
        return max(found[service] for service in WRITERS)

    async def _count_waiting(self) -> int:
        async with opened(self._pair.url) as conn:
            row = await (await conn.execute(_WAITING)).fetchone()
            return row[0] if row else 0

    async def _until(self, what: str, condition: Callable[[], Awaitable[bool]]) -> None:
        deadline, last = time.monotonic() + _PATIENCE_SECONDS, ""
        while time.monotonic() < deadline:
            try:
                if await condition():
                    return
            except (psycopg.Error, OSError, TimeoutError, KafkaError) as error:
                last = f" ({type(error).__name__}: {error})"
            await asyncio.sleep(_LOOK_SECONDS)
        raise TimeoutError(f"not within {_PATIENCE_SECONDS:.0f} s: {what}{last}")

    def _attempts(self, since: float) -> list[Attempt]:
        operations = self._recorder.operations.values()
        return [attempt for one in operations for attempt in one.attempts if attempt.invoked_at >= since]

    def _taken(self, since: float) -> int:
        return sum(attempt.outcome == "ok" for attempt in self._attempts(since))

    def _first_taken(self, since: float) -> float:
        return min(one.answered_at or 0.0 for one in self._attempts(since) if one.outcome == "ok")

    def _counted(self, loss: Loss, since: float) -> Loss:
        loss.commands = self._taken(since)
        for attempt in self._attempts(since):
            if attempt.outcome == "unknown" and attempt.answered_at is not None:
                what = f"{attempt.status} {attempt.code}" if attempt.status else str(attempt.code)
                loss.failures[what] = loss.failures.get(what, 0) + 1
        return loss


def run(folder: Path, *, synchronous: bool = True) -> Outcome:
    """All three losses; history, logs and evidence are left in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    state = Path(tempfile.mkdtemp(prefix="bkm-"))
    state.chmod(0o755)
    brokers, pair = Brokers(state / "kafka"), Pair(state / "postgres", synchronous=synchronous)
    try:
        brokers.start()
        pair.start()
        asyncio.run(brokers.create_topics())
        given = {"BOOKING_KAFKA_BOOTSTRAP": brokers.bootstrap, "BOOKING_POSTGRES_URL": pair.url}
        with own_stack(state / "stack", given=given) as stack:
            outcome = asyncio.run(_play(stack, brokers, pair, folder))
    finally:
        pair.stop()
        brokers.stop()
        for log in (*state.glob("stack/logs/*.log"), *state.glob("*/*/*.log")):
            shutil.copyfile(log, folder / f"{log.parent.name}-{log.name}")
        shutil.rmtree(state, ignore_errors=True)
    (folder / "outcome.json").write_text(json.dumps(outcome.summary(), indent=1, default=str), "utf-8")
    return outcome


async def _play(stack: Stack, brokers: Brokers, pair: Pair, folder: Path) -> Outcome:
    recorder = Recorder(folder / "history.jsonl")
    play = Play(stack, brokers, pair, recorder)
    try:
        async with play.load() as client:
            broker = _said("a broker", await play.lose_leader())
            second = _said("a second one", await play.lose_second())
            back = _said("both brokers are back", await play.brokers_back())
            primary = _said("the primary", await play.lose_primary())
        began = time.monotonic()
        verdict, moving = await rest_and_verdict(client, folder, healed_at=began, allowed=240.0)
        audit = await asyncio.to_thread(stacks.audit, stack.folder)
        await client.close()
    finally:
        recorder.close()
    return Outcome(pair.synchronous, broker, second, back, primary, verdict, moving, audit)


def _said(what: str, found: Any) -> Any:
    print(f"{what}: {found}", file=sys.stderr, flush=True)
    return found


def main(words: Sequence[str]) -> int:
    """Run it, print what came out; 0 if everything holds."""
    folder = Path(words[0]) if words else Path(".booking-chaos") / f"machines-{time.strftime('%Y%m%d-%H%M%S')}"
    outcome = run(folder, synchronous="asynchronous" not in words)
    print(json.dumps(outcome.summary(), indent=1, default=str))
    print(f"everything is in {folder}")
    return 0 if outcome.verdict.holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
