"""`booking down`."""

import typer

from booking_local.commands import State, layout_of
from booking_local.stack import control

app = typer.Typer()


@app.command()
def down(state: State = None) -> None:
    """Stop all processes of this stack and no others; what it stored stays in its folder."""
    layout = layout_of(state)
    if control.stop(layout):
        print(f"The stack in {layout.folder} is down.")
    else:
        print(f"No stack is up in {layout.folder}.")
