"""`booking seed`."""

import asyncio
import json
import time
from typing import Annotated

import typer

from booking_local.commands import AsJson, State, layout_of
from booking_local.stack import control, secrets

app = typer.Typer()


@app.command()
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

    from booking_local.seed.platform import Platform, Size  # noqa: PLC0415  (the services' own deciders)

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
