"""Looking every few seconds at what a stack takes: memory, descriptors, threads, connections, waiting rows."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
from tests.chaos.flatness import Sample
from tests.chaos.settle import FRESH_SECONDS
from tests.chaos.stack import SERVICES, Stack
from tests.rigs.databases import opened

EVERY_SECONDS = 5.0
_CONNECTIONS = "SELECT datname, count(*) FROM pg_stat_activity WHERE datname = ANY(%s) GROUP BY datname"
_FRESH = f"now() - interval '{FRESH_SECONDS} seconds'"
_OUTBOX = f"SELECT count(*) FROM outbox WHERE created_at < {_FRESH}"
_DUE = f"SELECT count(*) FROM notification WHERE state IN ('pending', 'sending') AND due_at < {_FRESH}"


class Sampler:
    """Keeps all samples, and writes each to `path` as it is taken. What is away just then is left out, not retried."""

    def __init__(self, stack: Stack, path: Path) -> None:
        self._stack, self._path, self._began = stack, path, time.monotonic()
        self.samples: list[Sample] = []

    async def run(self) -> None:
        """Goes on until it is canceled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_SECONDS)

    async def look(self, patience: float = EVERY_SECONDS) -> None:
        """One sample of everything; the databases may take `patience` seconds."""
        at = round(time.monotonic() - self._began, 1)
        seen = [Sample(at, name, who, values) for name, who, values in _processes(self._stack)]
        with suppress(psycopg.Error, OSError, ValueError, TimeoutError):
            async with asyncio.timeout(patience):
                seen += await self._databases(at)
        self.samples += seen
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(sample)) + "\n" for sample in seen)

    async def _databases(self, at: float) -> list[Sample]:
        async with opened(self._stack.admin_url) as conn:
            rows = await (await conn.execute(_CONNECTIONS, [list(SERVICES)])).fetchall()
        found = [Sample(at, f"database {name}", "", {"connections": float(count)}) for name, count in rows]
        return found + [Sample(at, f"queues {name}", "", await self._queues(name)) for name in SERVICES]

    async def _queues(self, service: str) -> dict[str, float]:
        url: Any = self._stack.endpoints["postgres"][service]
        asked = {"outbox": _OUTBOX, "held": "SELECT count(*) FROM held WHERE outcome IS NULL"}
        if service == "notifier":
            asked["due"] = _DUE
        async with opened(url) as conn:
            return {name: await _number(conn, sql) for name, sql in asked.items()}


async def _number(conn: psycopg.AsyncConnection[Any], sql: Any) -> float:
    row = await (await conn.execute(sql)).fetchone()
    return float(row[0]) if row else 0.0


def _processes(stack: Stack) -> list[tuple[str, str, dict[str, float]]]:
    found: list[tuple[str, str, dict[str, float]]] = []
    for name, pid in stack.processes().items():
        with suppress(OSError, KeyError):  # it ended meanwhile
            found.append((name, str(pid), of_process(pid)))
    return found


def of_process(pid: int) -> dict[str, float]:
    """Resident memory in KiB, open descriptors and threads. Raises OSError or KeyError once it has ended."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    status = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return {
        "rss_kib": float(status["VmRSS"][0]),
        "descriptors": float(descriptors),
        "threads": float(status["Threads"][0]),
    }
