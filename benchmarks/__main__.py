"""`python -m benchmarks`, which `booking bench` runs: the measurements by name, side by side with their floors."""

import argparse
import importlib
import sys
import time
from pathlib import Path
from typing import get_args

from benchmarks.comparison import NotAResultError, Result, load, side_by_side
from benchmarks.harness import Report, Scale, machine, run, save
from benchmarks.page import rewrite
from benchmarks.system import System, system

BENCHMARKS = ("append", "relay", "projector", "http", "latency", "startup", "growth", "sizes", "pages")
ROUNDS = 5


async def measure(name: str, on: System, scale: Scale, rounds: int) -> list[Report]:
    """One benchmark's tables."""
    return await importlib.import_module(f"benchmarks.{name}").measure(on, scale, rounds)


def main() -> None:
    """The command line."""
    chosen = _arguments()
    try:
        old = None if chosen.compare is None else load(chosen.compare)
        new = load(chosen.result) if chosen.no_run else _measured(chosen)
    except NotAResultError as wrong:
        sys.exit(f"{wrong}.")
    if old is not None:
        print(side_by_side(old, new))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="booking bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument("--full", dest="scale", action="store_const", const="full", default="default")
    parser.add_argument("--scale", choices=get_args(Scale), help=argparse.SUPPRESS)
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help=f"how often, after once that doesn't count [{ROUNDS}]"
    )
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    parser.add_argument("--result", type=Path, default=Path(".booking-bench.json"), help="where the figures go")
    parser.add_argument("--compare", type=Path, metavar="OLD.json", help="show an earlier result beside this one")
    parser.add_argument("--no-run", action="store_true", help="measure nothing: compare with what --result holds")
    chosen = parser.parse_args()
    if chosen.no_run and chosen.compare is None:
        parser.error("--no-run needs --compare")
    return chosen


def _measured(chosen: argparse.Namespace) -> Result:
    reports: dict[str, list[Report]] = {}
    here = machine()
    for name in chosen.names or BENCHMARKS:
        began = time.monotonic()
        print(f"## {name}\n", flush=True)
        with system() as on:
            reports[name] = run(measure(name, on, chosen.scale, chosen.rounds))
        print(f"({name}: {time.monotonic() - began:.0f} s)\n", flush=True)
        save(chosen.result, reports, here)
        if chosen.write:
            rewrite({name: reports[name]}, here)
    return Result(here, reports)


if __name__ == "__main__":
    main()
