"""A rolling upgrade under load, forwards, back and forwards again, and what it came to.

python -m tests.upgrade.rolling [FOLDER] [COMMIT]      # another release before; everything is kept in FOLDER

The servers and stand-ins are a local stack's; the services' processes are started here, each as it would be by a
deployment: a new copy beside the old one, the old one asked to end once the new one is ready and both had requests.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from tests.chaos import stack as stacks
from tests.chaos.afterwards import rest_and_verdict
from tests.chaos.checker.verdict import Verdict
from tests.chaos.client import Client
from tests.chaos.history import Recorder
from tests.chaos.load import Cast, Load, bring_cast
from tests.chaos.run import PATIENCE_SECONDS
from tests.chaos.settle import caught_up
from tests.chaos.stack import SERVICES, Stack, own_stack
from tests.upgrade.balancer import Balancer
from tests.upgrade.release import UPGRADE_FROM, environment, origins, topics, unpack

from booking_contracts.topics import TOPICS
from booking_local.layout import Layout
from booking_local.servers.ports import free_port
from booking_local.servers.process import Command, spawn
from booking_local.stack import programs

Release = Literal["old", "new"]

ORDER = ("notifier", "calendar", "consultation", "checkout")
"""Readers before writers (docs/releasing.md)."""
BOTH = 8
"""So many requests each of two copies has had beside the other, at least."""
_READY_SECONDS = 90.0
_BESIDE_SECONDS = 60.0
_END_SECONDS = 40.0
_DRAIN_SECONDS = 3.0
"""The services' default. Longer than a request here waits for what it asked for: else it is cut short by a 503."""
_FROM = datetime.now(UTC).date()
_READS = {
    "checkout": "/v1/transactions",
    "consultation": "/v1/sessions",
    "notifier": "/v1/preferences",
    "calendar": f"/v1/calendar/events?start={_FROM}T00:00:00Z&end={_FROM + timedelta(days=14)}T00:00:00Z",
}


class Stuck(Exception):
    """A step of the upgrade that did not come to its end; the message says which, and what its process wrote."""


@dataclass
class Outcome:
    """What came out.

    `answers`: HTTP answers by service and status, of commands, reads and what providers sent, as the balancers counted
    them. `steps`: seconds of each. `ends`: exit codes of the copies that were asked to end. `behind`: what the audit
    missed before the topics that the old release does not know (`new_topics`) were published again.
    """

    commit: str
    verdict: Verdict
    answers: dict[str, int]
    unanswered: int
    attempts: int
    steps: dict[str, float]
    ends: list[int]
    still_moving: str
    new_topics: list[str]
    behind: list[Any]
    audit: dict[str, Any]

    def summary(self) -> dict[str, Any]:
        """For people."""
        known = {key: value for key, value in asdict(self).items() if key not in {"verdict", "audit", "behind"}}
        violations = [str(one) for one in self.verdict.violations[:20]]
        return {
            **known,
            "holds": self.verdict.holds,
            "figures": self.verdict.figures,
            "violations": violations,
            "behind": len(self.behind),
            "audit_proven": self.audit.get("proven"),
            "audit_differences": differences(self.audit)[:20],
        }


@dataclass
class Copy:
    """One running process of a service."""

    release: Release
    port: int
    process: subprocess.Popen[bytes]
    log: Path


class Deployment:
    """The copies of each service and the balancer before them."""

    def __init__(self, stack: Stack, sources: dict[Release, list[Path]]) -> None:
        self._stack, self._sources = stack, sources
        layout = Layout(stack.folder)
        ports = json.loads(layout.ports.read_text("utf-8"))
        postgres = f"127.0.0.1:{ports['postgres']}"
        self._programs = programs.Stack(layout, stack.secrets, ports, postgres, stack.endpoints["kafka"])
        self.balancers = {name: Balancer(ports[name]) for name in SERVICES}
        self.copies: dict[str, list[Copy]] = {name: [] for name in SERVICES}
        self.ends: list[int] = []

    async def migrate(self, release: Release) -> None:
        """Each service's own `migrate`, as that release has it."""
        started: dict[str, subprocess.Popen[bytes]] = {}
        for name in ORDER:
            log = self._log(f"{name}-migrate-{release}")
            settings = programs.service_settings(self._programs, name, migrating=True)
            started[name] = self._run(name, "migrate", release, settings, log)
        for name, process in started.items():
            if await asyncio.to_thread(process.wait) != 0:
                raise Stuck(f"{name}'s migration ({release}): {_end_of(self._log(f'{name}-migrate-{release}'))}")

    async def start(self, name: str, release: Release) -> None:
        """One more copy, until it is ready."""
        port = free_port()
        command = programs.service(self._programs, name, "all")
        settings = {**command.command.env, "HTTP_PORT": str(port), "SHUTDOWN_DRAIN_SECONDS": str(_DRAIN_SECONDS)}
        log = self._log(f"{name}-{release}")
        copy = Copy(release, port, self._run(name, "all", release, settings, log), log)
        self.copies[name].append(copy)
        self.balancers[name].add(port)
        deadline = time.monotonic() + _READY_SECONDS
        while not self.balancers[name].is_ready(port):
            if copy.process.poll() is not None or time.monotonic() > deadline:
                raise Stuck(f"{name} ({release}) does not get ready: {_end_of(log)}")
            await asyncio.sleep(0.05)

    async def replace(self, name: str, release: Release) -> float:
        """A copy of `release` beside the one that is there, then instead of it; the seconds."""
        began = time.monotonic()
        (before,) = self.copies[name]
        await self.start(name, release)
        await self._beside(name)
        before.process.terminate()
        try:
            code = await asyncio.to_thread(before.process.wait, _END_SECONDS)
        except subprocess.TimeoutExpired:
            raise Stuck(f"{name} ({before.release}) does not end: {_end_of(before.log)}") from None
        self.ends.append(code)
        self.balancers[name].remove(before.port)
        self.copies[name].remove(before)
        return round(time.monotonic() - began, 1)

    def counted(self) -> Counter[str]:
        """The answers of all balancers, by service and status; `502` without a copy is the balancer's own."""
        return Counter(
            {
                f"{name} {status}": sum(count for (_, one), count in balancer.answers.items() if one == status)
                for name, balancer in self.balancers.items()
                for _, status in balancer.answers
            }
        )

    def kill(self) -> None:
        """Whatever still runs."""
        for copy in [copy for copies in self.copies.values() for copy in copies]:
            copy.process.kill()
            copy.process.wait()

    async def end(self) -> None:
        """All of them, as a deployment ends them."""
        running = [copy for copies in self.copies.values() for copy in copies]
        for copy in running:
            copy.process.terminate()
        for copy in running:
            with suppress(subprocess.TimeoutExpired):
                self.ends.append(await asyncio.to_thread(copy.process.wait, _END_SECONDS))

    async def _beside(self, name: str) -> None:
        answers, ports = self.balancers[name].answers, {copy.port for copy in self.copies[name]}
        before = {port: _sum(answers, port) for port in ports}
        deadline = time.monotonic() + _BESIDE_SECONDS
        while not all(_sum(answers, port) >= before[port] + BOTH for port in ports):
            if time.monotonic() > deadline:
                raise Stuck(f"{name}: two copies side by side did not get {BOTH} requests each: {dict(answers)}")
            await asyncio.sleep(0.05)

    def _run(
        self, name: str, mode: str, release: Release, settings: dict[str, str], log: Path
    ) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", programs.MODULES[name], mode]
        env = {**settings, **environment(self._sources[release])}
        return spawn(Command(name, argv, log, env=env, cwd=self._stack.folder))

    def _log(self, name: str) -> Path:
        return Layout(self._stack.folder).log_of(name)


class Readers:
    """People who look: every service gets requests all the time, whatever the stories do."""

    def __init__(self, client: Client, cast: Cast) -> None:
        self._client, self._cast = client, cast

    async def run(self) -> None:
        """Until canceled."""
        for number in range(sys.maxsize):
            who = self._cast.members[number % len(self._cast.members)]
            for service, path in _READS.items():
                await self._client.get(who, service, path)
            await asyncio.sleep(0.1)


def run(folder: Path, commit: str = UPGRADE_FROM, *, parallel: int = 3) -> Outcome:
    """The whole of it; histories, logs and evidence are left in `folder`. Raises NoHistory, Stuck."""
    folder.mkdir(parents=True, exist_ok=True)
    state = Path(tempfile.mkdtemp(prefix="bku-"))
    state.chmod(0o755)
    try:
        old = unpack(commit, state / "before")
        modules = [*programs.MODULES.values(), "booking_process", "booking_outbox", "booking_contracts"]
        strays = [path for path in origins(old, modules) if not path.startswith(str(state))]
        assert not strays, f"not of the release before: {strays}"
        with own_stack(state, words=("--no-services",)) as stack:
            return asyncio.run(_play(stack, {"old": old, "new": []}, folder, commit, parallel))
    finally:
        if (state / "logs").exists():
            shutil.copytree(state / "logs", folder / "logs", dirs_exist_ok=True, ignore_dangling_symlinks=True)
        shutil.rmtree(state, ignore_errors=True)


async def _play(stack: Stack, sources: dict[Release, list[Path]], folder: Path, commit: str, parallel: int) -> Outcome:
    deployment, recorder = Deployment(stack, sources), Recorder(folder / "history.jsonl")
    client, chance, steps = Client(stack, recorder), random.Random(1), dict[str, float]()
    reading: asyncio.Task[None] | None = None
    try:
        async with AsyncExitStack() as standing:
            for balancer in deployment.balancers.values():
                await standing.enter_async_context(balancer.standing())
            await deployment.migrate("old")
            await asyncio.gather(*(deployment.start(name, "old") for name in ORDER))
            cast = await bring_cast(client, chance, members=20 * parallel)
            before = deployment.counted()
            load = Load(client, cast, chance)
            people = asyncio.create_task(load.run(parallel))
            reading = asyncio.create_task(Readers(client, cast).run())
            began = time.monotonic()
            await deployment.migrate("new")
            steps["migrate"] = round(time.monotonic() - began, 1)
            for name in ORDER:
                steps[f"forwards: {name}"] = await deployment.replace(name, "new")
            steps["back, all at once"] = max(await _each(deployment, "old"))
            steps["forwards again, all at once"] = max(await _each(deployment, "new"))
            load.stop.set()
            await people
            reading.cancel()
            began = time.monotonic()
            verdict, moving = await rest_and_verdict(client, folder, healed_at=began, allowed=240.0)
            answers = deployment.counted() - before
            new_topics = sorted({topic.name for topic in TOPICS} - set(topics(sources["old"])))
            behind = differences(await asyncio.to_thread(stacks.audit, stack.folder))
            await asyncio.to_thread(stacks.republish, stack.folder, new_topics)
            await caught_up(stack, PATIENCE_SECONDS, recorder.note)
            audit = await asyncio.to_thread(stacks.audit, stack.folder)
            await deployment.end()
    finally:
        if reading is not None:
            reading.cancel()
        deployment.kill()
        await client.close()
        recorder.close()
    attempts = [attempt for one in recorder.operations.values() for attempt in one.attempts]
    unanswered = sum(attempt.outcome == "unknown" for attempt in attempts)
    answered = dict(sorted(answers.items()))
    figures = (answered, unanswered, len(attempts), steps, deployment.ends, moving, new_topics, behind, audit)
    outcome = Outcome(commit, verdict, *figures)
    (folder / "outcome.json").write_text(json.dumps(outcome.summary(), indent=1, default=str), "utf-8")
    return outcome


async def _each(deployment: Deployment, release: Release) -> list[float]:
    return await asyncio.gather(*(deployment.replace(name, release) for name in ORDER))


def differences(audit: dict[str, Any]) -> list[Any]:
    """What the system's own audit did not find as it should be; of each kind the first twenty."""
    return [one for section in audit.get("sections", ()) for one in section["differences"]]


def _sum(answers: Counter[tuple[int, int]], port: int) -> int:
    return sum(count for (copy, _), count in answers.items() if copy == port)


def _end_of(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-1500:] if log.exists() else "it wrote nothing"


def main(words: Sequence[str]) -> int:
    """Run it, print what came out; 0 if everything holds."""
    folder = Path(words[0]) if words else Path(".booking-chaos") / f"upgrade-{time.strftime('%Y%m%d-%H%M%S')}"
    outcome = run(folder, *words[1:2])
    print(json.dumps(outcome.summary(), indent=1, default=str))
    print(f"everything is in {folder}")
    return 0 if outcome.verdict.holds and not outcome.unanswered else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
