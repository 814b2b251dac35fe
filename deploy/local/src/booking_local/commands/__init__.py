"""One module per command; `app` is its Typer."""

from pathlib import Path
from typing import Annotated

import typer

from booking_local import places
from booking_local.stack.layout import Layout

State = Annotated[
    Path | None, typer.Option(help="The stack's folder [default: $BOOKING_STATE, else .booking in the checkout].")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print data as JSON, for programs.")]


def layout_of(state: Path | None) -> Layout:
    """The stack that a command speaks to."""
    return Layout(places.state_folder(state))
