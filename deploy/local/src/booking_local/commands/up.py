"""`booking up`."""

import contextlib
import signal
import sys
import time
from types import FrameType
from typing import Annotated, Any

import typer

from booking_local.commands import State, layout_of
from booking_local.failure import Failure
from booking_local.stack import control, progress
from booking_local.stack.layout import Layout

app = typer.Typer()


@app.command()
def up(
    state: State = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when every service is ready.")] = False,
    port_base: Annotated[int | None, typer.Option(help="Use the ports from this one on.")] = None,
    split: Annotated[bool, typer.Option("--split", help="Run api and worker of each service apart.")] = False,
    services: Annotated[bool, typer.Option(help="Start the services, not only servers and stand-ins.")] = True,
) -> None:
    """Start the whole system here: PostgreSQL, Kafka, the services, and stand-ins for the outside. No Docker.

    Ctrl-C or `booking down` stops everything and loses nothing.
    """
    layout = layout_of(state)
    began = time.monotonic()
    ensure_up(layout, detach=detach, port_base=port_base, flags=_flags(split=split, services=services), began=began)


def ensure_up(layout: Layout, *, detach: bool, port_base: int | None, flags: list[str], began: float) -> None:
    """Starts the stack if it isn't up, prints its addresses; not detached, it stays until Ctrl-C."""
    if control.supervisor_pid(layout) is not None:
        _wait_for_another(layout)
        _print_addresses(layout, "is up already")
        return
    started = _start(layout, detach=detach, port_base=port_base, flags=flags)
    _print_addresses(layout, f"is ready after {time.monotonic() - began:.1f} s")
    if not detach:
        _stay(started)


def _start(layout: Layout, *, detach: bool, port_base: int | None, flags: list[str]) -> control.Started:
    try:
        layout.make()
    except OSError as refused:
        raise Failure(
            f"The stack's folder {layout.folder} can't be made ({refused.strerror}): name another one with --state."
        ) from None
    started = control.start(layout, port_base=port_base, attached=not detach, flags=flags)
    try:
        control.wait_ready(layout, started, _show if sys.stderr.isatty() else lambda _what, _after: None)
    except KeyboardInterrupt:
        control.stop(layout)
        raise
    return started


def _stay(started: control.Started) -> None:
    """Until Ctrl-C, a closed terminal, or `booking down` from elsewhere."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            started.process.terminate()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    print("Ctrl-C stops everything.", flush=True)
    raise typer.Exit(started.process.wait())


def _wait_for_another(layout: Layout) -> None:
    deadline = time.monotonic() + 120
    while progress.read(layout).get("phase") != "ready":
        if control.supervisor_pid(layout) is None or time.monotonic() > deadline:
            raise Failure(
                f"Another booking up in {layout.folder} didn't get ready; run `booking down`, then try again."
            )
        time.sleep(0.05)


def _flags(*, split: bool, services: bool) -> list[str]:
    return [*(["--split"] if split else []), *([] if services else ["--without-services"])]


def _show(what: str, after: float) -> None:
    print(f"  {after:5.1f} s  {what}", file=sys.stderr, flush=True)


def _print_addresses(layout: Layout, how: str) -> None:
    known: dict[str, Any] = control.endpoints(layout)
    print(f"The stack in {layout.folder} {how}.")
    for name in (
        "checkout",
        "consultation",
        "notifier",
        "calendar",
        "mailbox",
        "whatsapp",
        "payments",
        "smtp",
        "kafka",
    ):
        print(f"  {name:<13} {known[name]}")
    print(f"  everything    {layout.endpoints}", flush=True)
