"""A service whose clock is wrong (F60, F61): two hours ahead, set back by four, set right again, while it runs.

libfaketime answers for the wall clock of the services alone, one at a time. Nobody's monotonic clock moves, as when a
machine's clock is set; PostgreSQL, Kafka and the stand-ins keep the right time.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
from tests.chaos.afterwards import rest_and_verdict
from tests.chaos.checker.verdict import Verdict
from tests.chaos.client import Client, Person
from tests.chaos.history import Recorder
from tests.chaos.load import PRICE, PRODUCT, Cast, Load, bring_cast
from tests.chaos.stack import SERVICES, Stack, own_stack

from booking_contracts.zones import zone
from booking_local.layout import Layout

SHIFTS = (2, -2, 0)
"""Hours, one after the other: ahead, a jump back over four, and right again."""
ENOUGH = 12
"""So many commands must be acknowledged under each clock: without load nothing is shown."""
ALLOWED_SECONDS = 120.0
_PHASE_SECONDS = 60.0
_DAY = 24 * 3600


@dataclass(frozen=True)
class Clocks:
    """The services' clocks, each an offset in a file that libfaketime reads again every second."""

    state: Path

    def prepare(self, library: Path) -> None:
        """Before the stack is up: every service gets the library, and the right time."""
        layout = Layout(self.state)
        for service in SERVICES:
            self.put(service, 0)
            layout.settings_of(service).parent.mkdir(exist_ok=True)
            layout.settings_of(service).write_text(
                f"LD_PRELOAD={library}\nFAKETIME_TIMESTAMP_FILE={self._file(service)}\nFAKETIME_CACHE_DURATION=1\n"
                "FAKETIME_DONT_FAKE_MONOTONIC=1\nNO_FAKE_STAT=1\n",
                "utf-8",
            )

    def put(self, service: str, hours: int) -> None:
        """From now on its wall clock is wrong by so much."""
        half = self._file(service).with_suffix(".new")
        half.write_text(f"{hours:+d}h\n" if hours else "+0\n", "ascii")
        half.replace(self._file(service))

    def _file(self, service: str) -> Path:
        return self.state / f"{service}.clock"


@dataclass
class LongTokens(Stack):
    """A stack whose people have tokens that are good under every clock of this run; else there were no load."""

    def token(self, role: str, sub: UUID, **claims: Any) -> str:
        now = int(time.time())
        return super().token(role, sub, **{"iat": now - _DAY, "exp": now + _DAY, **claims})


@dataclass
class Outcome:
    """What came of it. `acknowledged` and `fresh_token` by service and hours."""

    verdict: Verdict | None = None
    still_moving: str = ""
    acknowledged: dict[tuple[str, int], int] = field(default_factory=dict)
    fresh_token: dict[int, int] = field(default_factory=dict)
    """The status that a token of this very hour gets from checkout."""
    negative: list[str] = field(default_factory=list)
    """Metrics of durations below zero."""
    appointment: str = ""
    """What has become of a session that starts by itself, in an hour."""


def library() -> Path | None:
    """libfaketime for programs with threads, where a package or a build by hand puts it."""
    for pattern in ("usr/lib/*/faketime", "usr/lib/faketime", "usr/local/lib/faketime", "usr/lib64/faketime"):
        for name in ("libfaketimeMT.so.1", "libfaketime.so.1"):
            for found in sorted(Path("/").glob(f"{pattern}/{name}")):
                return found
    return None


def unavailable() -> str:
    """Why no clock can be moved here; empty when one can."""
    if not sys.platform.startswith("linux"):
        return "clocks are moved by LD_PRELOAD, which is Linux's"
    return "" if library() else "libfaketime is not installed (Debian: libfaketime)"


def run(folder: Path) -> Outcome:
    """Load while each service's clock is moved in turn; then rest and verdict."""
    faketime = library()
    assert faketime is not None
    state = Path(tempfile.mkdtemp(prefix="booking-clock-"))  # short: a socket's path has its limits
    state.chmod(0o755)
    clocks = Clocks(state)
    clocks.prepare(faketime)
    try:
        with own_stack(state) as stack:
            return asyncio.run(_play(LongTokens(stack.folder), clocks, folder))
    finally:
        shutil.copytree(state / "logs", folder / "logs", dirs_exist_ok=True, ignore_dangling_symlinks=True)
        shutil.rmtree(state, ignore_errors=True)


async def _play(stack: Stack, clocks: Clocks, folder: Path) -> Outcome:
    recorder, chance, outcome = Recorder(folder / "history.jsonl"), random.Random(60), Outcome()
    client = Client(stack, recorder)
    try:
        cast = await bring_cast(client, chance, members=60)
        session = await _appointment(client, cast)
        load = Load(client, cast, chance)
        people = asyncio.create_task(load.run(4))
        for service in SERVICES:
            for hours in SHIFTS:
                clocks.put(service, hours)
                await _under(client, service, hours, outcome)
        healed_at = time.monotonic()
        recorder.note("healed")
        load.stop.set()
        await people
        _, shown = await client.get(cast.admin, "consultation", f"/v1/sessions/{session}")
        outcome.appointment = shown.get("status", "not shown")
        outcome.verdict, outcome.still_moving = await rest_and_verdict(
            client, folder, healed_at=healed_at, allowed=ALLOWED_SECONDS
        )
        return outcome
    finally:
        await client.close()
        recorder.close()


async def _under(client: Client, service: str, hours: int, outcome: Outcome) -> None:
    """Until the service lives by its new clock and enough has happened since."""
    async with asyncio.timeout(_PHASE_SECONDS), httpx2.AsyncClient(timeout=10.0, trust_env=False) as http:
        while round(await _ahead(http, client.endpoints[service])) != hours:  # noqa: ASYNC110  (a process tells nobody)
            await asyncio.sleep(0.2)
        began = time.time()
        client.recorder.note("clock", service=service, hours=hours)
        while (done := _acknowledged(client.recorder, began)) < ENOUGH:  # noqa: ASYNC110  (the load goes on beside it)
            await asyncio.sleep(0.2)
        text = (await http.get(f"{client.endpoints[service]}/metrics")).text
    outcome.acknowledged[service, hours] = done
    outcome.negative += [f"{service} {hours:+d} h: {line}" for line in text.splitlines() if _below_zero(line)]
    if service == "checkout":
        sub = uuid4()
        fresh = client.stack.token("admin", sub, iat=int(time.time()), exp=int(time.time()) + 3600)
        outcome.fresh_token[hours], _ = await client.get(Person(sub, "admin", fresh), "checkout", "/v1/me")


async def _ahead(http: httpx2.AsyncClient, address: str) -> float:
    """By how many hours the service's clock is ahead of ours, as its answers' Date says."""
    date = parsedate_to_datetime((await http.get(f"{address}/healthz")).headers["Date"])
    return (date - datetime.now(UTC)).total_seconds() / 3600


def _acknowledged(recorder: Recorder, began: float) -> int:
    attempts = (attempt for operation in recorder.operations.values() for attempt in operation.attempts)
    return sum(attempt.outcome == "ok" and attempt.invoked_at >= began for attempt in attempts)


def _below_zero(line: str) -> bool:
    name, _, value = line.rpartition(" ")
    return not line.startswith("#") and "seconds" in name and float(value) < 0


async def _appointment(client: Client, cast: Cast) -> str:
    """A session that starts by itself, in little more than an hour: by the right clock not within this run."""
    member, practitioner, product = cast.members[0], cast.practitioners[0], str(uuid4())
    await client.command(
        cast.admin, "setup", "checkout", f"/v1/products/{product}", {**PRODUCT, "auto_start": True}, method="PUT"
    )
    wish = {"product_id": product, "practitioner_id": str(practitioner.sub)}
    sale, _ = await client.command(member, "buy", "checkout", "/v1/transactions", wish)
    assert sale.answer is not None
    await client.pay(str(sale.answer.object_id), PRICE)
    async with asyncio.timeout(_PHASE_SECONDS):
        while True:
            body = {"transaction_id": sale.answer.object_id}
            asked, _ = await client.command(member, "request", "consultation", "/v1/sessions", body)
            if asked.answer is not None:
                break
            await asyncio.sleep(0.3)
    path = f"/v1/sessions/{asked.answer.object_id}/schedule"
    scheduled, answer = await client.command(practitioner, "schedule", "consultation", path, _soon())
    assert scheduled.outcome == "ok", answer
    return str(asked.answer.object_id)


def _soon() -> dict[str, Any]:
    """A time in seventy minutes, in a zone where it ends before midnight."""
    moment = datetime.now(UTC) + timedelta(minutes=70)
    name = next(name for name in ("Asia/Jakarta", "Europe/London") if moment.astimezone(zone(name)).hour < 22)
    starts = moment.astimezone(zone(name))
    return {
        "scheduled_date": starts.date().isoformat(),
        "time_start": starts.strftime("%H:%M"),
        "time_end": (starts + timedelta(hours=1)).strftime("%H:%M"),
        "timezone": name,
        "meeting_link": "https://meet.google.com/abc-defg-hij",
    }
