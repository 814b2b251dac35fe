"""Two outages under load, measured: Kafka away for minutes, PostgreSQL killed again and again (F1, F7, I12).

python -m tests.chaos.outages kafka 150        # the broker kept dead for 150 s
python -m tests.chaos.outages postgres 20      # PostgreSQL killed twenty times
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx2
from tests.chaos.client import Client
from tests.chaos.history import Attempt, Recorder
from tests.chaos.load import Story, bring_cast
from tests.chaos.settle import caught_up
from tests.chaos.stack import SERVICES, Stack, own_stack

_LOOK_SECONDS = 0.1
_PATIENCE_SECONDS = 150.0


@dataclass
class Figures:
    """What was counted. `answers`: attempts by status, or by the client's error; `recoveries`: seconds, one a kill."""

    seconds: float = 0.0
    answers: dict[str, int] = field(default_factory=dict)
    commands: int = 0
    unknown_at_last: int = 0
    without_retry_after: int = 0
    recoveries: list[float] = field(default_factory=list)
    until_rest: float | None = None
    still_moving: str = ""


Outage = Callable[[Stack, Figures], Awaitable[None]]


class Steady(Story):
    """Somebody whose commands need nobody else's events: sales, their payments, and moves of one scheduled session.

    The rig's other stories wait for Kafka within themselves, so that in an outage of it they would give no command.
    """

    pause = (0.1, 0.5)
    """Seconds, at least and at most, between one sale and the next."""

    def take(self, number: int) -> None:
        """People of one's own, so that times never collide."""
        self.member, self.practitioner = self.cast.members[number], self.cast.practitioners[number]

    async def prepare(self) -> None:
        """A scheduled session, while everything is well."""
        sale = await self._buy()
        assert sale is not None
        await self._pay(sale)
        session = await self._request(sale)
        assert session is not None
        await self._schedule(session)
        assert self.held

    async def go_on(self) -> None:
        """Until the load stops."""
        while not self.stop.is_set():
            if sale := await self._buy():
                await self._pay(sale)
            await self._move(self.held[0], self._slot())
            await asyncio.sleep(self.chance.uniform(*self.pause))


def kafka_dead(seconds: float) -> Outage:
    """The broker, and each that the supervisor starts in its place, is killed until the outage ends."""

    async def happen(stack: Stack, figures: Figures) -> None:
        ends, last = time.monotonic() + seconds, None
        while time.monotonic() < ends:
            now = stack.processes().get("kafka")
            if now is not None and now != last:
                stack.kill("kafka")
                last = now
            await asyncio.sleep(_LOOK_SECONDS)

    return happen


def postgres_killed(times: int) -> Outage:
    """Killed as soon as all services are ready again; each recovery is timed from the kill."""

    async def happen(stack: Stack, figures: Figures) -> None:
        for _ in range(times):
            await asyncio.sleep(random.uniform(1.0, 3.0))
            killed = time.monotonic()
            assert stack.kill("postgres", signal.SIGKILL)
            await _away(stack)
            await all_ready(stack)
            figures.recoveries.append(round(time.monotonic() - killed, 2))
            print(f"all ready {figures.recoveries[-1]} s after a kill", file=sys.stderr, flush=True)

    return happen


def measure(outage: Outage, *, parallel: int = 4) -> Figures:
    """Load, the outage, the end of the load, and the wait until everything is at rest."""
    state = Path(tempfile.mkdtemp(prefix="bko-"))
    state.chmod(0o755)
    try:
        with own_stack(state) as stack:
            return asyncio.run(_measured(stack, outage, parallel, state / "history.jsonl"))
    finally:
        shutil.rmtree(state, ignore_errors=True)


async def _measured(stack: Stack, outage: Outage, parallel: int, history: Path) -> Figures:
    figures, chance = Figures(), random.Random(1)
    async with _client(stack, history) as (client, recorder):
        cast, stop = await bring_cast(client, chance, members=parallel, practitioners=parallel), asyncio.Event()
        steady = [Steady(client, cast, random.Random(number), stop, []) for number in range(parallel)]
        for number, one in enumerate(steady):
            one.take(number)
            await one.prepare()
        prepared = len(recorder.operations)
        people = [asyncio.create_task(one.go_on()) for one in steady]
        began = time.monotonic()
        await outage(stack, figures)
        figures.seconds = round(time.monotonic() - began, 1)
        stop.set()
        ended = time.monotonic()
        await asyncio.gather(*people)
        calm, figures.still_moving = await caught_up(stack, _PATIENCE_SECONDS, _said)
        figures.until_rest = None if calm is None else round(time.monotonic() - ended, 1)
        _count(figures, recorder, prepared)
    return figures


def _said(event: str, *, still: str, after: float) -> None:
    print(f"{event} {after} s: {still or 'nothing'}", file=sys.stderr, flush=True)


def _count(figures: Figures, recorder: Recorder, prepared: int) -> None:
    commands = list(recorder.operations.values())[prepared:]
    attempts = [attempt for command in commands for attempt in command.attempts]
    figures.commands = len(commands)
    figures.answers = dict(sorted(Counter(map(_answer, attempts)).items()))
    figures.unknown_at_last = sum(command.outcome == "unknown" for command in commands)
    figures.without_retry_after = sum(one.status == 503 and not one.retry_after for one in attempts)


def _answer(attempt: Attempt) -> str:
    if attempt.status is None:
        return attempt.code or "cut"
    return f"{attempt.status} {attempt.code}" if attempt.status >= 400 else str(attempt.status)


@asynccontextmanager
async def _client(stack: Stack, history: Path) -> AsyncIterator[tuple[Client, Recorder]]:
    recorder = Recorder(history)
    client = Client(stack, recorder)
    try:
        yield client, recorder
    finally:
        await client.close()
        recorder.close()


async def _away(stack: Stack) -> None:
    """Until somebody has noticed: else the readiness of before would pass for the recovery."""
    async with asyncio.timeout(30), httpx2.AsyncClient(timeout=5.0, trust_env=False) as http:
        while all([await _ready(http, stack, name) for name in SERVICES]):  # noqa: ASYNC110 - a process tells nobody
            await asyncio.sleep(0.02)


async def all_ready(stack: Stack) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS), httpx2.AsyncClient(timeout=5.0, trust_env=False) as http:
        while not all([await _ready(http, stack, name) for name in SERVICES]):  # noqa: ASYNC110 - likewise
            await asyncio.sleep(_LOOK_SECONDS)


async def _ready(http: httpx2.AsyncClient, stack: Stack, name: str) -> bool:
    try:
        return (await http.get(f"{stack.endpoints[name]}/readyz")).status_code == 200
    except httpx2.HTTPError:
        return False


def main(words: Sequence[str]) -> int:
    """Measure one outage and print what was counted."""
    outage = kafka_dead(float(words[1])) if words[0] == "kafka" else postgres_killed(int(words[1]))
    print(json.dumps(asdict(measure(outage)), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
