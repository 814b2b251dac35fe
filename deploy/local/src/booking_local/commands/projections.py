"""`booking projections`."""

import json

import typer

from booking_local.commands import AsJson, State, layout_of
from booking_local.commands.operator import ask

app = typer.Typer()


@app.command()
def projections(state: State = None, as_json: AsJson = False) -> None:
    """Show how far each projection is behind, in events and seconds, and the state of its rebuild."""
    items = ask(layout_of(state), "calendar", "GET", "/v1/projections")["items"]
    if as_json:
        print(json.dumps(items, indent=1))
        return
    for item in items:
        print(item.get("name"))
        for name, value in item.items():
            if name != "name":
                print(f"  {name:<16} {json.dumps(value) if isinstance(value, dict | list) else value}")
