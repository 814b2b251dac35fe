"""`python -m calendar_projector api|worker|all|migrate|openapi`, and `rebuild [--back | --abandon] [--wait]`.

`rebuild` is the same as `POST /v1/projections/user_schedule/rebuild`, for an operator: it asks, the workers do it.
Exit codes: 0 begun (with `--wait` switched), 1 refused, 2 misused.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from psycopg.errors import LockNotAvailable

from booking_process import jobs
from booking_process.database import Database
from booking_process.settings import SettingsError, load_settings
from booking_web import application
from calendar_projector.app import build
from calendar_projector.projection import generations
from calendar_projector.projection.generations import NothingToGoBackTo, RebuildRunning
from calendar_projector.projection.state import State, state
from calendar_projector.settings import Settings

_BY = "operator"


def main() -> None:
    """The console script."""
    if sys.argv[1:2] == ["rebuild"]:
        sys.exit(rebuild(sys.argv[2:]))
    application.main(build, Settings)


def rebuild(arguments: Sequence[str]) -> int:
    """Parse and run; returns the exit code."""
    parser = argparse.ArgumentParser(prog="calendar-projector rebuild", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--back", action="store_true", help="show the generation before this one again")
    which.add_argument("--abandon", action="store_true", help="give up the rebuild in hand")
    parser.add_argument("--wait", action="store_true", help="return after the switch, showing progress")
    chosen = parser.parse_args(arguments)
    try:
        settings = load_settings(Settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return jobs.told(lambda: asyncio.run(_run(settings, back=chosen.back, abandon=chosen.abandon, wait=chosen.wait)))


async def _run(settings: Settings, *, back: bool, abandon: bool, wait: bool) -> int:
    database = Database(settings.direct_url, pool_size=1, application_name="calendar-rebuild")
    try:
        async with database.transaction() as conn:
            if abandon:
                return 0 if await generations.abandon(conn) else _refused("no rebuild is in hand")
            generation = await (generations.begin_going_back if back else generations.begin_rebuild)(conn, by=_BY)
        sys.stdout.write(f"generation {generation} is being built\n")
        return await _followed(database, generation) if wait else 0
    except (RebuildRunning, NothingToGoBackTo) as refusal:
        return _refused(str(refusal))
    except LockNotAvailable:
        return _refused("the other slot is being read just now; try again")
    finally:
        await database.close()


async def _followed(database: Database, generation: int) -> int:
    while True:
        async with database.autocommit() as conn:
            found = await state(conn)
        if found.generation == generation:
            comparison = found.last_switch.comparison if found.last_switch else {}
            sys.stdout.write(f"shown now; differences: {comparison.get('differences')}\n")
            return 0
        if found.rebuild is None or found.rebuild.generation != generation:
            return _refused("the rebuild was abandoned")
        sys.stdout.write(_line(found) + "\n")
        await asyncio.sleep(1)


def _line(found: State) -> str:
    rebuild = found.rebuild
    assert rebuild is not None
    eta = "unknown" if rebuild.eta_seconds is None else f"{rebuild.eta_seconds:.0f} s"
    done = f"{rebuild.done} of {rebuild.total} events ({rebuild.percent} %)"
    return f"{done}, {rebuild.events_per_second:.0f}/s, left: {eta}"


def _refused(sentence: str) -> int:
    sys.stderr.write(sentence + "\n")
    return 1


if __name__ == "__main__":
    main()
