"""The commands `seed`, `demo` and `bench`; `audit` has a module of its own."""

import asyncio
import json
import os
import sys
import time
from typing import Annotated

import typer

from booking_local.commands import AsJson, State, layout_of
from booking_local.commands.stack import ensure_up
from booking_local.failure import Failure
from booking_local.layout import checkout
from booking_local.stack import control, secrets

BENCHMARKS = ("append", "relay", "projector", "http", "latency", "startup", "growth")


def seed(
    *,
    practitioners: Annotated[int, typer.Option(min=1, help="How many practitioners.")] = 20,
    members: Annotated[int, typer.Option(min=1, help="How many members.")] = 100,
    sessions: Annotated[int, typer.Option(min=0, help="How many purchases, most with a session.")] = 200,
    months: Annotated[int, typer.Option(min=0, max=60, help="How far back they reach; 0: all go on now.")] = 6,
    number: Annotated[int, typer.Option("--seed", help="The same number gives the same people.")] = 1,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Fill the running stack with a believable platform: six months of purchases and sessions, and what goes on now."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    from booking_proof.seed.platform import Platform, Size  # noqa: PLC0415  (the services' own deciders)

    layout = layout_of(state)
    endpoints, began = control.endpoints(layout), time.monotonic()
    bars = Progress(
        TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), disable=as_json
    )
    tasks: dict[str, object] = {}

    def show(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total)
        bars.update(tasks[what], completed=done)  # pyright: ignore[reportArgumentType]

    with bars:
        size = Size(practitioners, members, sessions, number, months)
        made = asyncio.run(Platform(endpoints, secrets.load(layout), show).fill(size))
    seconds = time.monotonic() - began
    if as_json:
        print(json.dumps({**made, "seconds": round(seconds, 1)}))
    else:
        print(f"Made {', '.join(f'{count:,} {what}' for what, count in made.items())} in {seconds:.1f} s.")


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
