"""Alive and ready: alive means that work moves, ready that requests can be served (architecture.md, Processes)."""

import asyncio
import re
import time
from importlib.resources import files
from typing import Any

import psycopg
import structlog
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from psycopg.errors import InsufficientPrivilege, UndefinedTable

from booking_contracts.topics import TOPICS
from booking_outbox import RelayMetrics
from booking_process.broker import BrokerState, broker_state, why_no_broker
from booking_process.database import Database, DatabaseDownError
from booking_process.service import Mode, Service, Worker

_TICK = 0.5
_REACH_SECONDS, _TELL_SECONDS = 1.0, 30.0
_WORST_LAG = 5.0
_REACHED_BEFORE = "SELECT 1 FROM broker_reached WHERE bootstrap = %s"
_NOTE_REACHED = "INSERT INTO broker_reached (bootstrap) VALUES (%s) ON CONFLICT DO NOTHING"

_REVISION = re.compile(r"^revision(?::\s*str)?\s*=\s*[\"']([^\"']+)[\"']", re.MULTILINE)
_DOWN = re.compile(r"^down_revision[^=\n]*=\s*[\"']([^\"']+)[\"']", re.MULTILINE)
_NOT_CHECKED = "not checked yet"
_WORKER_BACKLOG = Gauge("booking_worker_backlog", "What a worker knows to be waiting for it.", ["worker"])
_WORKER_STALLED = Gauge("booking_worker_stalled_seconds", "How long a backlog has not moved.", ["worker"])
_CONNECTIONS = Gauge("booking_database_connections", "Connections of this process's pool.", ["state"])
_CONNECTIONS_MOST = Gauge("booking_database_connections_most", "How many the pool may have.")
_CONNECTIONS_AWAITED = Gauge("booking_database_connections_awaited", "Callers that wait for a connection.")
_LOOP_LAG = Gauge("booking_loop_lag_seconds", "How late the event loop's timers fire.")

log = structlog.get_logger(__name__)


class Health:
    """The state of one process."""

    def __init__(self, service: Service, mode: Mode) -> None:
        self._database: Database = service.database
        self._bootstrap, self._brokers = service.settings.kafka_bootstrap, service.settings.brokers
        self._topics = [service.settings.topic_prefix + topic.name for topic in TOPICS]
        self._workers = [] if mode == "api" else list(service.workers)
        self._broker_matters = mode == "worker"
        self._revisions = Revisions(service.migrations) if service.migrations else None
        # Of every mode: an api counts what waits, too. In a registry of its own: the default one keeps every test's.
        found = [getattr(worker, "metrics", None) for worker in service.workers]
        self._relays = [metrics for metrics in found if isinstance(metrics, RelayMetrics)]
        self._relay_registry = CollectorRegistry()
        for metrics in self._relays:
            self._relay_registry.register(metrics)
        self._beat_at = time.monotonic()
        self._kafka_reached = False
        self._grace = service.settings.shutdown_grace_seconds
        self._stop_by: float | None = None
        self.stopping = asyncio.Event()
        """Told to stop: streams end, /readyz says 503, requests are still taken for a while."""
        self.closing = asyncio.Event()
        """No more requests are taken; those that only wait for something end."""
        self.durable = False
        self.topics_checked = mode == "api"  # it neither sends nor reads
        self.unsafe: str | None = None

    def stop(self) -> None:
        """The stop begins, and with it the time that all of it shares; told again it changes nothing."""
        if self._stop_by is None:
            self._stop_by = asyncio.get_running_loop().time() + self._grace
        self.stopping.set()

    def left(self) -> float:
        """The seconds that a stop still has; 0 when they are over, all of them before it begins."""
        if self._stop_by is None:
            return self._grace
        return max(0.0, self._stop_by - asyncio.get_running_loop().time())

    async def beat(self) -> None:
        """Measures how late the loop's timers fire, until cancelled."""
        while True:
            self._beat_at = time.monotonic()
            await asyncio.sleep(_TICK)
            _LOOP_LAG.set(max(0.0, time.monotonic() - self._beat_at - _TICK))

    def alive(self) -> tuple[bool, dict[str, Any]]:
        """Whether the loop turns and every worker with a backlog moves, while what it waits for answers."""
        lag = time.monotonic() - self._beat_at - _TICK
        workers = {worker.name: _state(worker) for worker in self._workers}
        dead = [name for name, state in workers.items() if not state["alive"]]
        return lag < _WORST_LAG and not dead, {"workers": workers, "loop_lag_seconds": round(max(lag, 0.0), 3)}

    def figures(self) -> bytes:
        """What /metrics shows, as of now."""
        self.alive()  # refreshes the workers' gauges
        pool = self._database.pool
        _CONNECTIONS.labels("in_use").set(pool.in_use)
        _CONNECTIONS.labels("idle").set(pool.idle)
        _CONNECTIONS_MOST.set(pool.size)
        _CONNECTIONS_AWAITED.set(pool.waiting)
        return generate_latest() + generate_latest(self._relay_registry)

    async def ready(self) -> tuple[bool, dict[str, str]]:
        """Whether the database answers, durably and migrated (and, for a worker, whether the broker answers, has the
        topics, and takes what the relay sends); each with its state."""
        database, broker = await asyncio.gather(self._database_state(), broker_state(self._brokers, self._topics))
        self._kafka_reached = self._kafka_reached or broker.why is None or await self._reached_before()
        kafka = self._kafka_state(broker)
        states = database | {"kafka": kafka}
        if self.stopping.is_set():
            states["process"] = "stopping"
        # A broker that was there and is away never makes the write side unready. One that no process of this service
        # has ever reached may be a wrong address: who starts a release with that must not take the others' place.
        needed = [
            state
            for name, state in states.items()
            if name != "kafka" or self._broker_matters or not self._kafka_reached or kafka == _NOT_CHECKED
        ]
        return all(state == "ok" for state in needed), states

    def _kafka_state(self, broker: BrokerState) -> str:
        if not self._kafka_reached:
            return "never reached"
        # A broker that answers may still refuse to write: too few replicas, a full disk.
        if str(broker) != "ok":
            return str(broker)
        if not self.topics_checked:
            return _NOT_CHECKED
        return "refuses writes" if any(relay.waiting_for == "kafka" for relay in self._relays) else "ok"

    async def reach_kafka(self) -> None:
        """Until the broker has answered once and that is noted: asks, and tells now and then why it isn't reached."""
        told_at = -_TELL_SECONDS
        while True:
            why = await why_no_broker(self._brokers)
            if why is None:
                self._kafka_reached = True
                if await self._note_reached():
                    return
            elif not self._kafka_reached and time.monotonic() - told_at >= _TELL_SECONDS:
                told_at = time.monotonic()
                log.warning("kafka_never_reached", why=why, setting="KAFKA_BOOTSTRAP")
            await asyncio.sleep(_REACH_SECONDS)

    async def _reached_before(self) -> bool:
        """Whether any process of this service has reached a broker at this address."""
        try:
            async with self._database.autocommit(deadline=2.0) as connection:
                found = await connection.execute(_REACHED_BEFORE, [self._bootstrap])
                return await found.fetchone() is not None
        except (DatabaseDownError, UndefinedTable):  # not migrated: the database's own state says so
            return False

    async def _note_reached(self) -> bool:
        try:
            async with self._database.autocommit(deadline=2.0) as connection:
                await connection.execute(_NOTE_REACHED, [self._bootstrap])
        except (DatabaseDownError, UndefinedTable):
            return False
        return True

    async def _database_state(self) -> dict[str, str]:
        if self.unsafe:
            return {"database": "unsafe"}
        try:
            async with self._database.autocommit(deadline=2.0) as connection:
                right = self._revisions is None or await self._revisions.right(connection)
                if self._revisions is None:
                    await connection.execute("SELECT 1")
        except DatabaseDownError as error:
            return {"database": error.why if error.why == "pool exhausted" else "down", "migrations": "unknown"}
        return {"database": "ok" if self.durable else _NOT_CHECKED, "migrations": "ok" if right else "missing"}


def _state(worker: Worker) -> dict[str, Any]:
    progress = worker.progress()
    still = time.monotonic() - progress.moved_at if progress.backlog else 0.0
    _WORKER_BACKLOG.labels(worker.name).set(progress.backlog)
    _WORKER_STALLED.labels(worker.name).set(still)
    return {
        "alive": progress.alive(),
        "backlog": progress.backlog,
        "still_seconds": round(still, 1),
        "waiting_for": progress.waiting_for,
    }


class Revisions:
    """The revisions that this code knows, and the one it wants, read from its files without importing Alembic."""

    def __init__(self, location: str) -> None:
        package, _, folder = location.partition(":")
        versions = (files(package) / folder / "versions").iterdir()
        texts = [one.read_text(encoding="utf-8") for one in versions if one.name.endswith(".py")]
        self.known = {found[1] for text in texts if (found := _REVISION.search(text))}
        heads = self.known - {found[1] for text in texts if (found := _DOWN.search(text))}
        if len(heads) != 1:
            raise LookupError(f"{location} must have one head revision, not {sorted(heads)}")
        (self.head,) = heads

    async def right(self, connection: psycopg.AsyncConnection) -> bool:
        """Whether the database is at our head or beyond: a newer release migrates before it replaces us."""
        try:
            found = await connection.execute("SELECT version_num FROM alembic_version")
        except (UndefinedTable, InsufficientPrivilege):
            return False
        row = await found.fetchone()
        return row is not None and (row[0] == self.head or row[0] not in self.known)


def health_router(health: Health) -> APIRouter:
    """`/healthz`, `/readyz` and `/metrics`: without auth, not under /v1, not in the OpenAPI document."""

    async def healthz(response: Response) -> dict[str, Any]:
        alive, details = health.alive()
        response.status_code = 200 if alive else 503
        return {"status": "alive" if alive else "stuck", **details}

    async def readyz(response: Response) -> dict[str, Any]:
        ready, states = await health.ready()
        response.status_code = 200 if ready else 503
        return {"status": "ready" if ready else "not ready", **states}

    async def metrics() -> Response:
        return Response(health.figures(), media_type=CONTENT_TYPE_LATEST)

    router = APIRouter(include_in_schema=False)
    for route in (healthz, readyz, metrics):
        router.add_api_route(f"/{route.__name__}", route)
    return router
