"""`booking-ops serve`: the audit again and again, its figures for Prometheus to fetch."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from prometheus_client import start_http_server

from booking_ops.audit.baseline import Baseline
from booking_ops.audit.command import look
from booking_ops.audit.figures import Figures
from booking_ops.deployment import Deployment, deployment
from booking_ops.failure import said
from booking_ops.manners import Deadline
from booking_process.observed import built

_SOON = 60.0


def serve(
    *,
    host: Annotated[str, typer.Option(envvar="HTTP_HOST", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="HTTP_PORT", min=1, max=65535, help="Where /metrics is.")] = 8000,
    every: Annotated[float, typer.Option(min=1, help="Seconds from the end of one audit to the next.")] = 86_400,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Differences that were accepted; read anew for each audit.")
    ] = None,
    deadline: Deadline = 14_400,
) -> None:
    """Audit again and again, and export the figures at /metrics, until it is told to stop.

    An audit that could not look is tried again after a minute: the age of the last one grows meanwhile.
    """
    where, figures = deployment(), Figures()
    _ = where.databases(), where.kafka  # what is not set will not be: it is said now, once, and by the exit code
    if baseline is not None:
        Baseline.read(baseline)
    built("ops", "serve", version("booking-ops"), where.settings.build_revision, to=figures.registry)
    server, _ = start_http_server(port, host, figures.registry)
    try:
        asyncio.run(_again_and_again(where, figures, every, baseline, deadline))
    finally:
        server.shutdown()


async def _again_and_again(
    where: Deployment, figures: Figures, every: float, baseline: Path | None, deadline: float
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    asked = asyncio.create_task(stop.wait())
    while not stop.is_set():
        once = asyncio.create_task(_once(where, figures, baseline, deadline))
        await asyncio.wait({once, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not once.done():
            once.cancel()
            with suppress(asyncio.CancelledError):
                await once
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every if once.result() else min(every, _SOON))


async def _once(where: Deployment, figures: Figures, baseline: Path | None, deadline: float) -> bool:
    """One audit; False when it could not look."""
    try:
        async with asyncio.timeout(deadline):
            found = await look(where, Baseline.read(baseline) if baseline else Baseline())
    except Exception as broken:
        if os.environ.get("BOOKING_TRACEBACK"):
            raise
        figures.runs.labels("impossible").inc()
        print(said(broken)[0], file=sys.stderr, flush=True)
        return False
    figures.tell(found.sections, at=found.at, seconds=found.seconds, proven=found.proven)
    return True
