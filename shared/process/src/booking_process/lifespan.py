"""A process from its start to its end: what it checks, which tasks and workers run, how it stops, its memory."""

import asyncio
import ctypes
import gc
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import structlog
from fastapi import FastAPI

from booking_process import observed, telemetry
from booking_process.broker import wrong_topics
from booking_process.database import DatabaseDownError, UnsafeDatabaseError
from booking_process.health import Health
from booking_process.service import Hook, Mode, Service, Supervisor, Watched, Worker

log = structlog.get_logger(__name__)

_WORKERS_SHARE = 0.8
_FLUSH_SECONDS = 2.0
_LEAST_SECONDS = 0.2
"""A stop's parts, in seconds or of what is left of SHUTDOWN_GRACE_SECONDS when they begin."""
_COLLECT_AFTER = 50_000
_TIDY_SECONDS = 300.0


def lifespan(
    service: Service,
    mode: Mode,
    health: Health,
    *,
    workers: Sequence[Worker] = (),
    background: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
    on_stop: Sequence[Hook] = (),
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """The application's lifespan: everything of the service, and what the application itself keeps beside it."""

    @asynccontextmanager
    async def run(_app: FastAPI) -> AsyncGenerator[None]:
        observed.built(service.name, mode, service.version, service.settings.build_revision)
        flush = telemetry.start(service.name, mode, service.settings)
        beside = {
            "beat": health.beat(),
            "database": _check_database(service, health),
            "kafka": health.reach_kafka(),
            "dependencies": observed.watch(service.database, service.settings.brokers),
            **{job.__qualname__: job() for job in background},
        }
        if mode != "api":
            beside["topics"] = _check_topics(service, health)
        else:  # counts what waits for workers, which run elsewhere, or do not
            beside |= {f"lag of {one.name}": one.watch() for one in service.workers if isinstance(one, Watched)}
        tasks = [asyncio.create_task(work, name=name) for name, work in beside.items()]
        supervisor = Supervisor([] if mode == "api" else [*service.workers, *workers])
        if service.waker is not None:
            await service.waker.start()
        for hook in service.on_start:
            await hook()
        supervisor.start()
        ending = asyncio.create_task(_end_workers(supervisor, health), name="end workers")
        settle()
        tasks.append(asyncio.create_task(tidy_now_and_then(), name="tidy"))
        log.info("started", mode=mode)
        try:
            yield
        finally:
            health.stop()
            health.closing.set()
            await ending
            waker = [] if service.waker is None else [service.waker.close]
            for hook in [*reversed(service.on_stop), *waker, *on_stop]:
                await _ended(hook(), health)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=1.0)
            await _ended(service.database.close(), health)
            await telemetry.ended(flush, min(_FLUSH_SECONDS, health.left()))
            log.info("stopped", mode=mode)

    return run


async def _end_workers(supervisor: Supervisor, health: Health) -> None:
    """As soon as the stop begins, beside the last requests: what they commit is published by whoever leads next."""
    await health.stopping.wait()
    await supervisor.stop(health.left() * _WORKERS_SHARE)


async def _ended(closing: Awaitable[None], health: Health) -> None:
    """One that fails or hangs must not keep the others from their turn, nor the process from its end."""
    with suppress(Exception):
        async with asyncio.timeout(max(_LEAST_SECONDS, health.left() / 2)):
            await closing


async def _check_database(service: Service, health: Health) -> None:
    """Waits for the database and tells why it has to; refuses to serve with settings that it will never let in, or on
    one that may lose what it acknowledges (K37)."""
    told = ""
    while True:
        try:
            if service.settings.database_allow_unsafe:
                await service.database.assert_session()
            else:
                await service.database.assert_durable()
        except DatabaseDownError as error:
            if error.refuses_us:
                health.unsafe = f"The database doesn't let us in; set DATABASE_URL right. It says: {error.reason}"
                log.critical("database_refuses", why=health.unsafe)
                return
            if error.reason != told:
                told = error.reason
                log.warning("database_not_reached", why=told or error.why)
            await asyncio.sleep(0.5)
            continue
        except UnsafeDatabaseError as error:
            log.critical("unsafe_database", why=str(error))
            health.unsafe = str(error)
            return
        health.durable = True
        return


async def _check_topics(service: Service, health: Health) -> None:
    """Refuse to relay into, or read from, topics that lose events."""
    wrong = await wrong_topics(service.settings.brokers, service.settings.topic_prefix)
    if wrong is not None:
        log.critical("unsafe_topics", why=wrong)
        health.unsafe = wrong
        return
    health.topics_checked = True


def settle() -> None:
    """After start-up: what is loaded by now stays for ever, and scanning it again and again would be most of a busy
    worker's slowest per cent."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 50)


async def tidy_now_and_then(every: float = _TIDY_SECONDS) -> None:
    """Collects garbage of all ages every so many seconds, until cancelled, and gives what is free back to the system.

    Both are rare else: `settle` sees to the first, and glibc keeps what was freed between things in use. After ten
    minutes of outages a quarter of a process was neither used nor given back. It costs some hundredths of a second.
    """
    while True:
        await asyncio.sleep(every)
        await tidy()


async def tidy() -> None:
    """Collect garbage of all ages, and give what is free back to the system where its C library can (glibc)."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        await asyncio.to_thread(trim, 0)  # without the interpreter's lock
