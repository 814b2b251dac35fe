"""What every command of `booking` has in common: which stack it speaks to, and whether it prints data."""

from pathlib import Path
from typing import Annotated

import typer

from booking_local.layout import Layout, state_folder

State = Annotated[
    Path | None, typer.Option(help="The stack's folder [default: $BOOKING_STATE, else .booking in the checkout].")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print data as JSON, for programs.")]


def layout_of(state: Path | None) -> Layout:
    """The stack that a command speaks to."""
    return Layout(state_folder(state))
