"""`booking ranking`."""

import typer

from booking_local.commands import State, layout_of
from booking_local.commands.operator import run_job

app = typer.Typer(no_args_is_help=True, help="The ranking of practitioners.")


@app.callback()
def group() -> None:
    """The ranking of practitioners."""


@app.command()
def rebuild(state: State = None) -> None:
    """Count productivity and activity anew from the log, while the list is read as before."""
    raise typer.Exit(run_job(layout_of(state), "checkout", "rebuild-ranking"))
