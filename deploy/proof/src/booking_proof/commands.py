"""The commands `demo` and `bench`; `audit` and `seed` have modules of their own."""

import asyncio
import os
import sys
from typing import Annotated

import typer

from booking_local.commands import State, layout_of
from booking_local.commands.stack import ensure_up
from booking_local.failure import Failure
from booking_local.layout import checkout
from booking_local.stack import control, secrets

BENCHMARKS = ("append", "relay", "projector", "http", "latency", "startup", "growth")


def demo(state: State = None) -> None:
    """Play the whole flow through the public interface, and show each call, event, message and calendar change.

    Starts the stack when it isn't up, and leaves it up. Exits with a sentence when something doesn't arrive.
    """
    layout = layout_of(state)
    ensure_up(layout, detach=True)
    from booking_proof.demo.flow import play  # noqa: PLC0415  (the stack starts while nothing else is imported)

    asyncio.run(play(control.endpoints(layout), secrets.load(layout)))


def bench(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(BENCHMARKS)} [default: all].")] = None,
    full: Annotated[bool, typer.Option("--full", help="The sizes of the published figures; half an hour.")] = False,
    rounds: Annotated[int | None, typer.Option(min=1, help="How often each runs [default: 3, with --full 5].")] = None,
    write: Annotated[bool, typer.Option("--write", help="Put the tables into docs/benchmarks.md.")] = False,
) -> None:
    """Measure against the floors of docs/benchmarks.md, on servers of its own; keep the machine quiet meanwhile.

    The figures go to .booking-bench.json in the checkout.
    """
    unknown = [name for name in names or () if name not in BENCHMARKS]
    if unknown:
        raise Failure(f"There is no benchmark {unknown[0]}: it is one of {', '.join(BENCHMARKS)}.")
    home = checkout()
    if home is None:
        raise Failure("The benchmarks are in the checkout: run ./booking bench there.")
    words = [*(names or ()), *(["--full"] if full else []), *(["--write"] if write else [])]
    words += [] if rounds is None else ["--rounds", str(rounds)]
    os.chdir(home)
    os.execv(sys.executable, [sys.executable, "-m", "benchmarks", *words])  # noqa: S606  (our own program, no shell)
