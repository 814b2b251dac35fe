"""`booking erase`."""

import uuid
from typing import Annotated

import typer

from booking_local.commands import State, layout_of
from booking_local.commands.operator import run_job

app = typer.Typer()


@app.command()
def erase(person: Annotated[uuid.UUID, typer.Argument(help="Whose data.")], state: State = None) -> None:
    """Delete a person's contact data and free text everywhere (E4); their events stay, as ids alone."""
    raise typer.Exit(run_job(layout_of(state), "checkout", "erase", str(person)))
