"""`booking calendar`."""

from typing import Annotated

import typer

from booking_local.commands import State, layout_of
from booking_local.commands.operator import run_job

app = typer.Typer(no_args_is_help=True, help="The calendar's read model.")


@app.callback()
def group() -> None:
    """The calendar's read model."""


@app.command()
def rebuild(
    state: State = None,
    back: Annotated[bool, typer.Option("--back", help="Show the generation before this one again.")] = False,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Give up the rebuild in hand; what is shown stays.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Return after the switch, showing progress.")] = True,
) -> None:
    """Build user_schedule anew from the log alone, beside the rows that are shown, and switch when caught up."""
    chosen = {"--back": back, "--abandon": abandon, "--wait": wait}
    words = ["rebuild", *(word for word, wanted in chosen.items() if wanted)]
    raise typer.Exit(run_job(layout_of(state), "calendar", *words))
