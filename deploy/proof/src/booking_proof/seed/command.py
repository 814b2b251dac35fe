"""`booking seed`: people and catalogue, then the purchases, in bulk and with progress; it ends when all is settled."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import psycopg
import typer
from rich import progress

from booking_local.commands import AsJson, State, layout_of
from booking_local.failure import Failure
from booking_local.stack import control
from booking_local.stack.people import offer
from booking_proof.seed import before
from booking_proof.seed.conflict import told_otherwise
from booking_proof.seed.people import HOUSE, Somebody
from booking_proof.seed.share import months_of, write_all
from booking_proof.seed.story import Platform, Size
from booking_proof.seed.times import NoTimeError
from booking_proof.seed.write import PATIENCE, Databases

_OFFERED = 5
_TOLD_OTHERWISE = (
    "Something of seed {number} is here already, told otherwise: take another --seed, "
    "or the options that it was told by."
)
Progress = Callable[[str, int, int], None]


async def fill(
    endpoints: Mapping[str, Any],
    size: Size,
    show: Progress,
    begun: Callable[[], object] = lambda: None,
    *,
    kept: bool = False,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make everything, and wait until it is published and in the calendar; how many, and who. `begun` is called before
    the first of it is written. Failure, and nothing written, where this seed is there already and told otherwise; with
    `kept` it is known to be told alike."""
    platform = Platform(size)
    counts = Counter({"practitioners": size.practitioners, "members": size.members})
    everybody = size.practitioners + size.members

    def done(made: Counter[str]) -> None:
        counts.update(made)
        show("purchases", counts["purchases"], size.purchases)

    databases = await Databases.open(endpoints)
    try:
        if not kept and await told_otherwise(databases["checkout"], size):
            raise Failure(_TOLD_OTHERWISE.format(number=size.seed))
        begun()
        await databases.products(platform.products)
        await databases.practitioners(platform.practitioners, months_of(endpoints))
        show("people", size.practitioners, everybody)
        await databases.members(platform.members, size.seed)
        show("people", everybody, everybody)
        await write_all(endpoints, databases, platform, done)
        await _settled(databases, show)
        shown = await databases.much_to_show()
    finally:
        await databases.close()
    return dict(counts), {
        "products": [{"id": str(one.id), "tier": one.tier} for one in platform.products],
        "practitioners": [
            _named(one.person) | {"name": one.name, "tiers": list(one.tiers)}
            for one in sorted(platform.practitioners, key=lambda one: -shown.get(str(one.person.id), 0))
        ],
        "members": [
            _named(one)
            for one in sorted(platform.members, key=lambda one: -shown.get(str(one.id), 0))
            if one.erased_at is None
        ],
    }


async def _settled(databases: Databases, show: Progress) -> None:
    """Until the relays have sent what is marked and the calendar has taken it; as long as something moves."""
    for what, look in (("published", databases.waiting), ("calendar", databases.uncalendared)):
        most = least = await look()
        moved = time.monotonic()
        while (left := await look()) > 0:
            if left < least:
                least, moved = left, time.monotonic()
            if time.monotonic() - moved > PATIENCE.total_seconds():
                raise Failure(f"{what}: {left:,} have not moved for {PATIENCE}; are the services up (booking status)?")
            most = max(most, left)
            show(what, most - left, most)
            await asyncio.sleep(0.2)
        show(what, most, most)


def _named(one: Somebody) -> dict[str, Any]:
    return {"id": str(one.id), "name": one.name, "email": one.email, "phone": one.phone}


def _offered(people: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Some of each role, for the local identity provider's page."""
    chosen = [("practitioner", one) for one in people["practitioners"][:_OFFERED]]
    chosen += [("member", one) for one in people["members"][:_OFFERED]]
    admin = {"sub": str(HOUSE), "roles": ["admin"], "name": "Admin", "email": "admin@example.com"}
    return [admin] + [
        {"sub": one["id"], "roles": [role], "name": one["name"], "email": one["email"], "phone_number": one["phone"]}
        for role, one in chosen
    ]


def seed(
    *,
    practitioners: Annotated[
        int | None, typer.Option(min=1, help="How many practitioners; by default one for each 200 purchases, least 20.")
    ] = None,
    members: Annotated[
        int | None, typer.Option(min=1, help="How many members; by default one for each 4 purchases, least 100.")
    ] = None,
    purchases: Annotated[int, typer.Option("--sessions", min=0, help="How many purchases, most with a session.")] = 200,
    months: Annotated[int, typer.Option(min=0, max=60, help="How far back they reach; 0: all go on now.")] = 6,
    number: Annotated[int, typer.Option("--seed", help="The same number gives the same, with the same --until.")] = 1,
    until: Annotated[
        datetime | None, typer.Option(help="When the last thing happened, in UTC; by default the last full hour.")
    ] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Fill the running stack with a believable platform: six months of purchases and sessions, and what goes on now."""
    layout = layout_of(state)
    endpoints, began = control.endpoints(layout), time.monotonic()
    ended = until.replace(tzinfo=UTC) if until else datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    size = Size(
        practitioners or max(20, purchases // 200),
        members or max(100, purchases // 4),
        purchases,
        months,
        number,
        ended,
    )
    size = before.alike(layout, size, whenever=until is None)
    kept = before.kept(layout, size)
    bars = progress.Progress(
        progress.TextColumn("{task.description:<14}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        disable=as_json,
    )
    tasks: dict[str, progress.TaskID] = {}

    def show(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total)
        bars.update(tasks[what], completed=done, total=total)

    with bars:
        try:
            made, people = asyncio.run(fill(endpoints, size, show, lambda: before.keep(layout, size), kept=kept))
        except NoTimeError as error:
            raise Failure(str(error)) from error
        except psycopg.errors.UniqueViolation as error:  # by a release that kept nothing, or elsewhere
            before.forget(layout, size)
            raise Failure(_TOLD_OTHERWISE.format(number=number)) from error
    offer(layout, _offered(people))
    seconds = time.monotonic() - began
    if as_json:
        print(json.dumps({**made, "seconds": round(seconds, 1), "until": size.until.isoformat(), "people": people}))
    else:
        told_of = ", ".join(f"{count:,} {what}" for what, count in made.items())
        print(f"Made {told_of} in {seconds:.1f} s, until {size.until:%Y-%m-%dT%H:%M:%S}.")
