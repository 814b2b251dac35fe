"""The commands `demo`, `env` and `bench`; `audit` and `seed` have modules of their own."""

import asyncio
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from booking_local.commands import AsJson, State, layout_of
from booking_local.commands.stack import ensure_up
from booking_local.failure import Failure
from booking_local.layout import checkout
from booking_local.stack import control, secrets
from booking_local.stack.people import offer

ADDRESSES = (
    "checkout",
    "consultation",
    "notifier",
    "calendar",
    "gateway",
    "identity",
    "payments",
    "mailbox",
    "whatsapp",
)
BENCHMARKS = ("append", "relay", "projector", "http", "latency", "startup", "growth", "sizes", "pages")


def demo(state: State = None) -> None:
    """Play the whole flow through the public interface, and show each call, event, message and calendar change.

    Starts the stack when it isn't up, and leaves it up. Exits with a sentence when something doesn't arrive.
    """
    layout = layout_of(state)
    ensure_up(layout, detach=True)
    from booking_proof.demo.flow import play  # noqa: PLC0415  (the stack starts while nothing else is imported)
    from booking_proof.demo.people import gather  # noqa: PLC0415

    cast = gather(secrets.load(layout))
    offer(layout, cast.offered)
    asyncio.run(play(control.endpoints(layout), cast))


def env(state: State = None, as_json: AsJson = False) -> None:
    """Print addresses, clients and example ids of the running stack for a shell: eval "$(./booking env)"."""
    layout = layout_of(state)
    known, keys = control.endpoints(layout), secrets.load(layout)
    from booking_proof.demo.people import EXAMPLES  # noqa: PLC0415  (slow to import)

    said = {f"BOOKING_{name.upper()}": known[name] for name in ADDRESSES}
    said |= {"BOOKING_CLIENT_ID": "booking-service", "BOOKING_CLIENT_SECRET": keys.client_secret}
    said |= {f"BOOKING_{name.upper()}_ID": str(one) for name, one in EXAMPLES.items()}
    if as_json:
        print(json.dumps(said, indent=1))
        return
    for name, value in said.items():
        print(f"export {name}={shlex.quote(value)}")


def bench(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(BENCHMARKS)} [default: all].")] = None,
    *,
    full: Annotated[bool, typer.Option("--full", help="The sizes of the published figures; half an hour.")] = False,
    rounds: Annotated[int | None, typer.Option(min=1, help="How often each runs [default: 5].")] = None,
    write: Annotated[bool, typer.Option("--write", help="Put the tables into docs/benchmarks.md.")] = False,
    compare: Annotated[
        Path | None, typer.Option(metavar="OLD.json", help="Show an earlier result beside this one, line by line.")
    ] = None,
    no_run: Annotated[
        bool, typer.Option("--no-run", help="With --compare: measure nothing, take the last result.")
    ] = False,
) -> None:
    """Measure against the floors of docs/benchmarks.md, on servers of its own; keep the machine quiet meanwhile.

    The figures go to .booking-bench.json in the checkout. Keep a copy of it and give it to --compare after a change.
    """
    unknown = [name for name in names or () if name not in BENCHMARKS]
    if unknown:
        raise Failure(f"There is no benchmark {unknown[0]}: it is one of {', '.join(BENCHMARKS)}.")
    home = checkout()
    if home is None:
        raise Failure("The benchmarks are in the checkout: run ./booking bench there.")
    words = [*(names or ()), *(["--full"] if full else []), *(["--write"] if write else [])]
    words += [] if rounds is None else ["--rounds", str(rounds)]
    words += [] if compare is None else ["--compare", str(compare.resolve())]
    words += ["--no-run"] if no_run else []
    os.chdir(home)
    os.execv(sys.executable, [sys.executable, "-m", "benchmarks", *words])  # noqa: S606  (our own program, no shell)
