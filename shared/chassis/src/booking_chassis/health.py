"""Alive and ready: alive means that work moves, ready that requests can be served (architecture.md, Processes)."""

import asyncio
import time
from typing import Any

import structlog
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from booking_chassis.broker import broker_answers
from booking_chassis.database import Database, DatabaseDown
from booking_chassis.metrics import LOOP_LAG, WORKER_BACKLOG, WORKER_STALLED
from booking_chassis.relay_figures import RelayFigures
from booking_chassis.revisions import Revisions
from booking_chassis.service import Mode, Service, Worker

_TICK = 0.5
_WORST_LAG = 5.0

log = structlog.get_logger(__name__)


class Health:
    """The state of one process."""

    def __init__(self, service: Service, mode: Mode) -> None:
        self._database: Database = service.database
        self._bootstrap = service.settings.kafka_bootstrap
        self._workers = [] if mode == "api" else list(service.workers)
        self._broker_matters = mode == "worker"
        self._revisions = Revisions(service.migrations) if service.migrations else None
        self._relay_figures = RelayFigures(self._workers)
        self._beat_at = time.monotonic()
        self.stopping = asyncio.Event()
        self.durable = False
        self.unsafe: str | None = None

    async def beat(self) -> None:
        """Measures how late the loop's timers fire, until cancelled."""
        while True:
            self._beat_at = time.monotonic()
            await asyncio.sleep(_TICK)
            LOOP_LAG.set(max(0.0, time.monotonic() - self._beat_at - _TICK))

    def alive(self) -> tuple[bool, dict[str, Any]]:
        """Whether the loop turns and every worker with a backlog moves, while what it waits for answers."""
        lag = time.monotonic() - self._beat_at - _TICK
        workers = {worker.name: _state(worker) for worker in self._workers}
        dead = [name for name, state in workers.items() if not state["alive"]]
        return lag < _WORST_LAG and not dead, {"workers": workers, "loop_lag_seconds": round(max(lag, 0.0), 3)}

    def figures(self) -> bytes:
        """What /metrics shows, as of now."""
        self.alive()  # refreshes the workers' gauges
        return generate_latest() + self._relay_figures.text()

    async def ready(self) -> tuple[bool, dict[str, str]]:
        """Whether the database answers, durably and migrated (and, for a worker, the broker); each with its state."""
        database, kafka = await asyncio.gather(self._database_state(), broker_answers(self._bootstrap))
        states = database | {"kafka": "ok" if kafka else "down"}
        if self.stopping.is_set():
            states["process"] = "stopping"
        needed = [state for name, state in states.items() if name != "kafka" or self._broker_matters]
        return all(state == "ok" for state in needed), states

    async def _database_state(self) -> dict[str, str]:
        if self.unsafe:
            return {"database": "unsafe"}
        try:
            async with self._database.autocommit(deadline=2.0) as connection:
                right = self._revisions is None or await self._revisions.right(connection)
                if self._revisions is None:
                    await connection.execute("SELECT 1")
        except DatabaseDown as error:
            return {"database": error.why if error.why == "pool exhausted" else "down", "migrations": "unknown"}
        return {"database": "ok" if self.durable else "not checked yet", "migrations": "ok" if right else "missing"}


def _state(worker: Worker) -> dict[str, Any]:
    progress = worker.progress()
    still = time.monotonic() - progress.moved_at if progress.backlog else 0.0
    WORKER_BACKLOG.labels(worker.name).set(progress.backlog)
    WORKER_STALLED.labels(worker.name).set(still)
    return {
        "alive": progress.alive(),
        "backlog": progress.backlog,
        "still_seconds": round(still, 1),
        "waiting_for": progress.waiting_for,
    }


def health_router(health: Health) -> APIRouter:
    """`/healthz`, `/readyz` and `/metrics`: without auth, not under /v1, not in the OpenAPI document."""
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz(response: Response) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        alive, details = health.alive()
        response.status_code = 200 if alive else 503
        return {"status": "alive" if alive else "stuck", **details}

    @router.get("/readyz")
    async def readyz(response: Response) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        ready, states = await health.ready()
        response.status_code = 200 if ready else 503
        return {"status": "ready" if ready else "not ready", **states}

    @router.get("/metrics")
    async def metrics() -> Response:  # pyright: ignore[reportUnusedFunction]
        return Response(health.figures(), media_type=CONTENT_TYPE_LATEST)

    return router
