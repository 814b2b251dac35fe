"""`booking-ops rebuild` and `projections`: read models built anew from the log, while the old rows are read."""

import asyncio
import dataclasses
import json
from typing import Annotated, Any

import typer

from booking_contracts.topics import SESSIONS
from booking_ops.calls import Calls, calls
from booking_ops.deployment import Deployment, deployment
from booking_ops.failure import Refused
from booking_ops.manners import AsJson, Bar, Deadline, done
from booking_ops.presence import present

rebuild = typer.Typer(no_args_is_help=True, help="Read models, built anew from the log: calendar, ranking.")
_PATH = "/v1/projections/user_schedule/rebuild"
_LOOK_EVERY = 1.0  # seconds


@rebuild.command()
def calendar(
    *,
    back: Annotated[bool, typer.Option("--back", help="Show the generation before this one again.")] = False,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Give up the rebuild in hand; what is shown stays.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Return after the switch, showing progress.")] = True,
    deadline: Deadline = 86_400,
) -> None:
    """Build user_schedule beside the rows that are shown, and switch when caught up. The calendar's workers do it."""
    done(_calendar(deployment(), back=back, abandon=abandon, wait=wait), deadline)


async def _calendar(where: Deployment, *, back: bool, abandon: bool, wait: bool) -> None:
    async with calls(where) as ask:
        if abandon:
            await ask.ask("calendar", "DELETE", _PATH)
            print("abandoned; what is shown was never touched by it")
            return
        begun = await ask.ask("calendar", "POST", _PATH, params={"back": "true"} if back else None)
        print(f"generation {begun['generation']} is being built", flush=True)
        if wait:
            await _followed(ask, begun["generation"])


async def _followed(ask: Calls, generation: int) -> None:
    bar = Bar()
    while True:
        (now,) = (await ask.ask("calendar", "GET", "/v1/projections"))["items"]
        if now["generation"] == generation:
            bar.clear()
            comparison = (now["last_switch"] or {}).get("comparison") or {}
            print(f"shown now; differences: {comparison.get('differences')}")
            return
        running = now["rebuild"]
        if running is None or running["generation"] != generation:
            raise Refused("The rebuild was abandoned.")
        bar.show("events", running["done"], running["total"])
        await asyncio.sleep(_LOOK_EVERY)


@rebuild.command()
def ranking(*, deadline: Deadline = 86_400) -> None:
    """Count productivity and activity anew, while the list is read as before."""
    print(json.dumps(done(_ranking(deployment()), deadline)))


async def _ranking(where: Deployment) -> dict[str, Any]:
    from checkout.ranking.listing import Months  # noqa: PLC0415 - the service, for this command alone
    from checkout.ranking.rebuild import RebuildRunningError  # noqa: PLC0415
    from checkout.ranking.rebuild import rebuild as count_anew  # noqa: PLC0415

    await present(where, [SESSIONS])
    database, bar = where.service("checkout").database, Bar()
    months = Months(where.zone)
    try:
        counted = await count_anew(
            database, where.kafka, where.prefix, months, lambda read, total: bar.show("records", read, total)
        )
    except RebuildRunningError as running:
        raise Refused(f"{running}.") from None
    finally:
        bar.clear()
        await asyncio.shield(database.close())
    return dataclasses.asdict(counted)


def projections(*, as_json: AsJson = False, deadline: Deadline = 60) -> None:
    """Show how far each projection is behind, in events and seconds, and the state of its rebuild."""

    async def run() -> list[dict[str, Any]]:
        async with calls(deployment()) as ask:
            return [item async for item in ask.everything("calendar", "/v1/projections")]

    items = done(run(), deadline)
    if as_json:
        print(json.dumps(items, indent=1))
        return
    for item in items:
        print(item.get("name"))
        for name, value in item.items():
            if name != "name":
                print(f"  {name:<16} {json.dumps(value) if isinstance(value, dict | list) else value}")
