"""What a process sees of what it depends on, when it last looked at what it shows, and which build it is.

A gauge that a dead worker set stands still and is believed. So whoever counts something says when it last did.
"""

import asyncio
import platform
import time
from collections.abc import Generator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Gauge

from booking_process.broker import why_no_broker
from booking_process.database import Database, DatabaseDownError

_UP = Gauge("booking_dependency_up", "1 while what we depend on answered the last time, else 0.", ["dependency"])
_SECONDS = Gauge("booking_dependency_seconds", "How long its last answer took, or our wait for none.", ["dependency"])
_REFRESHED = Gauge(
    "booking_figures_timestamp_seconds", "When these figures were last true, in seconds since 1970.", ["figures"]
)
_BUILD = Gauge("booking_build_info", "1; what runs here.", ["service", "mode", "version", "revision", "python"])
_EVERY = 5.0


def built(service: str, mode: str, version: str, revision: str, *, to: CollectorRegistry | None = None) -> None:
    """Says what runs in this process: `version` is the interface's, `revision` the commit that it was built of. `to`: a
    registry of its own, of a program that shows no other series."""
    if to is not None:
        to.register(_BUILD)
    _BUILD.labels(service, mode, version, revision, platform.python_version()).set(1)


def depends(*dependencies: str) -> None:
    """They are shown as answering until one is seen not to."""
    for dependency in dependencies:
        _UP.labels(dependency).set(1)
        _SECONDS.labels(dependency).set(0)


def saw(dependency: str, *, up: bool | None = None, seconds: float | None = None) -> None:
    """It answered, whatever it said, or did not; how long that took."""
    if up is not None:
        _UP.labels(dependency).set(up)
    if seconds is not None:
        _SECONDS.labels(dependency).set(seconds)


@contextmanager
def asking(dependency: str, *down: type[Exception]) -> Generator[None]:
    """A call of it; these exceptions mean that it did not answer, others that it did."""
    began = time.perf_counter()
    up = True
    try:
        yield
    except down:
        up = False
        raise
    finally:
        saw(dependency, up=up, seconds=time.perf_counter() - began)


def refreshed(figures: str) -> None:
    """The figures of this name are true as of now."""
    _REFRESHED.labels(figures).set(time.time())


async def watch(database: Database, bootstrap: str, *, every: float = _EVERY) -> None:
    """Asks PostgreSQL and Kafka every so many seconds, until cancelled: nobody may be asking whether we are ready."""
    while True:
        began = time.perf_counter()
        try:
            await database.ping()
        except DatabaseDownError as error:
            if error.why != "pool exhausted":  # that says nothing of the server
                saw("postgres", up=False, seconds=time.perf_counter() - began)
        else:
            saw("postgres", up=True, seconds=time.perf_counter() - began)
        began = time.perf_counter()
        why = await why_no_broker(bootstrap)
        saw("kafka", up=why is None, seconds=time.perf_counter() - began)
        await asyncio.sleep(every)
