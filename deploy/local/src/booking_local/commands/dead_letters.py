"""`booking dead-letters`: records that a consumer could not apply, and what an operator does with them."""

import json
from typing import Annotated, Any

import typer

from booking_local.commands import AsJson, State, layout_of
from booking_local.commands.operator import SERVICES, ask
from booking_local.failure import Failure
from booking_local.stack.layout import Layout

app = typer.Typer(no_args_is_help=True, help="Held records: list, show, replay, discard.")
Id = Annotated[str, typer.Argument(help="The held record's id, as `list` shows it.")]


@app.callback()
def group() -> None:
    """Held records: list, show, replay, discard."""


@app.command("list")
def list_held(state: State = None, as_json: AsJson = False) -> None:
    """All held records of all services, newest first."""
    layout = layout_of(state)
    items = [{"service": service, **item} for service in SERVICES for item in _all(layout, service)]
    if as_json:
        print(json.dumps(items, indent=1))
        return
    for item in items:
        place = f"{item['topic']}[{item['partition']}]@{item['offset']}"
        print(f"{item['id']}  {place}  key {item['key']}  {item['consumer']}  {item['reason']} x{item['attempts']}")
        if item.get("error"):
            print(f"    {item['error']}")
    print(f"{len(items)} held")


@app.command()
def show(held_id: Id, state: State = None) -> None:
    """One held record with its headers and value."""
    print(json.dumps(_find(layout_of(state), held_id)[1], indent=1))


@app.command()
def replay(held_id: Id, state: State = None) -> None:
    """Apply it again, and in order what waits behind it."""
    _settle(layout_of(state), held_id, "replay")


@app.command()
def discard(held_id: Id, state: State = None) -> None:
    """Give it up: its version counts as taken, what waits behind it follows; the audit shows it for ever."""
    _settle(layout_of(state), held_id, "discard")


def _settle(layout: Layout, held_id: str, what: str) -> None:
    service, _ = _find(layout, held_id)
    done = ask(layout, service, "POST", f"/v1/held-records/{held_id}/{what}", patient=True)
    print(f"{held_id} {done.get('outcome') or what}")


def _all(layout: Layout, service: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = ask(layout, service, "GET", f"/v1/held-records?limit=200{'&cursor=' + cursor if cursor else ''}")
        found += page["items"]
        cursor = page["next_cursor"]
    return found


def _find(layout: Layout, held_id: str) -> tuple[str, dict[str, Any]]:
    for service in SERVICES:
        try:
            return service, ask(layout, service, "GET", f"/v1/held-records/{held_id}")
        except LookupError:
            continue
    raise Failure(f"No service holds a record {held_id}: see `booking dead-letters list`.")
