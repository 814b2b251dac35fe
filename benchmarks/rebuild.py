"""A rebuild of the calendar while people write and read. `python -m benchmarks.rebuild`

By default 200,000 sessions of five events, a million in all, in real topics. Once the calendar shows them all, a
practitioner a tenth of a second moves a session and somebody reads the calendar every twentieth, and both go on until
the second generation is shown: how long it took, how many events a second, how many rows were compared, what differed,
and how many reads failed or were refused (none may).
"""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psycopg

from benchmarks.http import consultation
from benchmarks.latency import MARK, paced
from benchmarks.system import Database, System, system
from benchmarks.world import World, body_of, numbered
from booking_contracts.topics import SESSIONS

_SHOWN = "SELECT coalesce(sum(next_offset), 0) FROM projection_position"
_EACH = 5


@dataclass
class Load:
    """Writers and readers beside the rebuild, and what they were answered."""

    http: httpx2.AsyncClient
    on: System
    world: World
    write_to: str
    read_from: str
    statuses: dict[str, dict[int, int]] = field(default_factory=lambda: {"reads": {}, "writes": {}, "watching": {}})
    slowest_read: float = 0.0

    async def write(self, number: int) -> None:
        """Move one session by a few minutes."""
        headers = self._as(number) | {"If-Match": '"5"', "Idempotency-Key": str(uuid4())}
        path = f"{self.write_to}/v1/sessions/{numbered(0, number)}/schedule"
        body = body_of(self.world.next_times(number))
        answer = await self.http.put(path, content=body, headers=headers | {"Content-Type": "application/json"})
        self.count("writes", answer.status_code)

    async def read(self, number: int) -> None:
        """A practitioner's next week."""
        begin = datetime.now(UTC)
        period = {"start": begin.isoformat(), "end": (begin + timedelta(days=7)).isoformat()}
        began = time.perf_counter()
        try:
            path = f"{self.read_from}/v1/calendar/events"
            answer = await self.http.get(path, params=period, headers=self._as(number))
            status = answer.status_code
            if status != 200:
                print(f"  a read was answered {status} {answer.text[:300]}", file=sys.stderr, flush=True)
        except httpx2.HTTPError as error:
            print(f"  a read was not answered: {error!r}", file=sys.stderr, flush=True)
            status = 0
        self.slowest_read = max(self.slowest_read, time.perf_counter() - began)
        self.count("reads", status)

    def _as(self, number: int) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.on.token(self.world.practitioner(number), 'practitioner')}"}

    def count(self, what: str, status: int) -> None:
        """One more answer."""
        self.statuses[what][status] = self.statuses[what].get(status, 0) + 1


async def _until_shown(place: Database, events: int, patience: float) -> float:
    """Wait until the first generation has them all; events per second from the first that moved."""
    began, first = 0.0, 0
    async with (
        await psycopg.AsyncConnection.connect(place.admin_url, autocommit=True) as conn,
        asyncio.timeout(patience),
    ):
        shown_at = time.monotonic()
        while True:
            row = await (await conn.execute(_SHOWN)).fetchone()
            now = int(row[0]) if row else 0
            if now and not began:
                began, first = time.monotonic(), now
            if now >= events:
                return (now - first) / max(time.monotonic() - began, 1e-9)
            if time.monotonic() - shown_at > 10:
                shown_at = time.monotonic()
                print(f"  the calendar has {now:,} of {events:,} events", file=sys.stderr, flush=True)
            await asyncio.sleep(0.1)


async def _rebuilt(load: Load, patience: float) -> tuple[float, dict[str, Any]]:
    """Begin a rebuild and watch it; the seconds until its rows are shown, and what the comparison found."""
    admin = {"Authorization": f"Bearer {load.on.token(uuid4(), 'admin')}"}
    path, began, shown_at = f"{load.read_from}/v1/projections", time.monotonic(), time.monotonic()
    begun = await load.http.post(f"{path}/user_schedule/rebuild", headers=admin | {"Idempotency-Key": str(uuid4())})
    begun.raise_for_status()
    wanted = begun.json()["generation"]
    async with asyncio.timeout(patience):
        while True:
            answer = await load.http.get(path, headers=admin)
            load.count("watching", answer.status_code)
            if answer.status_code != 200:
                print(f"  {path}: {answer.status_code} {answer.text[:300]}", file=sys.stderr, flush=True)
                await asyncio.sleep(1)
                continue
            (state,) = answer.json()["items"]
            if state["generation"] == wanted:
                return time.monotonic() - began, state["last_switch"]["comparison"]
            if state["rebuild"] and time.monotonic() - shown_at > 5:
                shown_at, made = time.monotonic(), state["rebuild"]
                eta = made["eta_seconds"] or 0
                text = f"  {made['percent']:.0f} %, {made['events_per_second']:,.0f} events/s, ready in {eta:.0f} s"
                print(text, file=sys.stderr, flush=True)
            await asyncio.sleep(0.2)


async def measure(on: System, sessions: int, patience: float) -> dict[str, Any]:
    """The figures."""
    world, prefix = World(sessions), await on.topics()
    store, calendar = on.database("consultation"), on.database("calendar")
    print(f"  writing {sessions * _EACH:,} events", file=sys.stderr, flush=True)
    await asyncio.to_thread(world.fill, store.admin_url)
    with psycopg.connect(store.admin_url, autocommit=True) as conn:
        conn.execute(MARK, [SESSIONS.name])
    settings = {"DATABASE_URL": calendar.app_url, "TOPIC_PREFIX": prefix, "RATE_LIMIT_PER_MINUTE": "0"}
    async with (
        on.identity(),
        consultation(on, "all", store, prefix) as writing,
        on.service("calendar", "api", **settings) as reading,
        on.service("calendar", "worker", **settings),
        httpx2.AsyncClient(trust_env=False, timeout=30) as http,
    ):
        live = await _until_shown(calendar, sessions * _EACH, patience)
        load = Load(http, on, world, writing.url, reading.url)
        people = [
            asyncio.create_task(paced(range(sessions), 10, load.write)),
            asyncio.create_task(paced(range(10_000_000), 20, load.read)),
        ]
        try:
            seconds, comparison = await _rebuilt(load, patience)
        finally:
            for task in people:
                task.cancel()
            await asyncio.gather(*people, return_exceptions=True)
    return {
        "events": sessions * _EACH,
        "first_projection_events_per_second": round(live),
        "rebuild_seconds": round(seconds, 1),
        "rebuild_events_per_second": round(sessions * _EACH / seconds),
        "rows_compared": comparison["rows"],
        "equal_positions": comparison["equal_positions"],
        "differences": comparison["differences"],
        "answers": load.statuses,
        "slowest_read_ms": round(load.slowest_read * 1000),
    }


def main() -> int:
    """0 when nothing differed and every read was answered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=200_000)
    parser.add_argument("--patience", type=float, default=1800, help="seconds for each of the two projections")
    parser.add_argument("--write", type=Path, help="a file for the figures, as JSON")
    options = parser.parse_args()
    with system() as on:
        figures = asyncio.run(measure(on, options.sessions, options.patience))
    print(json.dumps(figures, indent=1))
    if options.write:
        options.write.write_text(json.dumps(figures, indent=1) + "\n")
    return 0 if not figures["differences"] and set(figures["answers"]["reads"]) == {200} else 1


if __name__ == "__main__":
    sys.exit(main())
