"""`python -m benchmarks`, which `booking bench` runs: the measurements by name, side by side with their floors."""

import argparse
import importlib
import time
from pathlib import Path
from typing import get_args

from benchmarks.harness import Report, Scale, machine, run, save
from benchmarks.page import rewrite
from benchmarks.system import System, system

BENCHMARKS = ("append", "relay", "projector", "http", "latency", "startup", "growth")
ROUNDS: dict[Scale, int] = {"tiny": 0, "default": 3, "full": 5}


async def measure(name: str, on: System, scale: Scale, rounds: int) -> list[Report]:
    """One benchmark's tables."""
    return await importlib.import_module(f"benchmarks.{name}").measure(on, scale, rounds)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="booking bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument("--full", dest="scale", action="store_const", const="full", default="default")
    parser.add_argument("--scale", choices=get_args(Scale), help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, help="how often each runs, after one that doesn't count [3, full: 5]")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    parser.add_argument("--result", type=Path, default=Path(".booking-bench.json"), help="where the figures go")
    chosen = parser.parse_args()
    reports: dict[str, list[Report]] = {}
    here = machine()
    for name in chosen.names or BENCHMARKS:
        began = time.monotonic()
        print(f"## {name}\n", flush=True)
        with system() as on:
            reports[name] = run(
                measure(name, on, chosen.scale, ROUNDS[chosen.scale] if chosen.rounds is None else chosen.rounds)
            )
        print(f"({name}: {time.monotonic() - began:.0f} s)\n", flush=True)
        save(chosen.result, reports, here)
        if chosen.write:
            rewrite({name: reports[name]}, here)


if __name__ == "__main__":
    main()
