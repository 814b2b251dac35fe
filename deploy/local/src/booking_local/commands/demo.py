"""`booking demo`."""

import asyncio
import time

import typer

from booking_local.commands import State, layout_of
from booking_local.stack import control, secrets
from booking_local.stack.layout import Layout

app = typer.Typer()


@app.command()
def demo(state: State = None) -> None:
    """Play the whole flow through the public interface, and show each call, event, message and calendar change.

    Starts the stack when it isn't up, and leaves it up. Exits with a sentence when something doesn't arrive.
    """
    from booking_local.commands.up import ensure_up  # noqa: PLC0415  (the servers start while the rest is imported)

    layout = layout_of(state)
    ensure_up(layout, detach=True, port_base=None, flags=[], began=time.monotonic())
    asyncio.run(_play(layout))


async def _play(layout: Layout) -> None:
    import httpx2  # noqa: PLC0415

    from booking_local.demo import counts, people  # noqa: PLC0415
    from booking_local.demo.play import Play  # noqa: PLC0415
    from booking_local.demo.records import Records  # noqa: PLC0415
    from booking_local.demo.show import Show  # noqa: PLC0415
    from booking_local.demo.stage import Stage  # noqa: PLC0415

    endpoints = control.endpoints(layout)
    cast = people.gather(secrets.load(layout))
    show = Show(cast.everybody)
    async with httpx2.AsyncClient(timeout=20.0, trust_env=False) as http, Records(endpoints["kafka"]) as records:
        stage = Stage(endpoints, http, records)
        await stage.open()
        try:
            await Play(stage, cast, show).all()
            await counts.compare(stage, show)
        finally:
            await stage.close()
    show.console.print("\n[bold green]Everything arrived.[/] The stack stays up: `booking status`, `booking down`.")
