"""`booking bench`."""

import os
import sys
from typing import Annotated

import typer

from booking_local import places
from booking_local.failure import Failure

app = typer.Typer()
NAMES = ("append", "relay", "projector", "http", "latency", "startup", "growth")


@app.command()
def bench(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(NAMES)} [default: all].")] = None,
    full: Annotated[bool, typer.Option("--full", help="The sizes of the published figures; half an hour.")] = False,
    rounds: Annotated[int | None, typer.Option(min=1, help="How often each runs [default: 3, with --full 5].")] = None,
    write: Annotated[bool, typer.Option("--write", help="Put the tables into docs/benchmarks.md.")] = False,
) -> None:
    """Measure against the floors of docs/benchmarks.md, on servers of its own; keep the machine quiet meanwhile.

    The figures go to .booking-bench.json in the checkout.
    """
    unknown = [name for name in names or () if name not in NAMES]
    if unknown:
        raise Failure(f"There is no benchmark {unknown[0]}: it is one of {', '.join(NAMES)}.")
    checkout = places.checkout()
    if checkout is None:
        raise Failure("The benchmarks are in the checkout: run ./booking bench there.")
    words = [*(names or ()), *(["--full"] if full else []), *(["--write"] if write else [])]
    words += [] if rounds is None else ["--rounds", str(rounds)]
    os.chdir(checkout)
    os.execv(sys.executable, [sys.executable, "-m", "benchmarks", *words])  # noqa: S606  (our own program, no shell)
