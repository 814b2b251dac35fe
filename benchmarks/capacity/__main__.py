"""`python -m benchmarks.capacity [--measure]`: docs/capacity.md and its pictures made anew, from the costs on file.

With `--measure` the costs are measured first, on this machine, which should have nothing else to do; some minutes.
"""

import argparse

from benchmarks.capacity import costs, measure, model, page
from benchmarks.harness import run
from benchmarks.system import system


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="measure the costs anew before")
    if parser.parse_args().measure:
        with system() as on:
            costs.save(run(measure.measure(on)))
    page.write(costs.load(), model.assumptions())


if __name__ == "__main__":
    main()
