"""`booking status`."""

import asyncio
import json
from typing import Any

import typer

from booking_local.commands import AsJson, State, layout_of
from booking_local.stack import control, pids, progress
from booking_local.stack.health import ask
from booking_local.stack.layout import Layout

app = typer.Typer()


@app.command()
def status(state: State = None, as_json: AsJson = False) -> None:
    """Show what runs and whether it is ready. Exit code 0: all of it; 1: not."""
    layout = layout_of(state)
    found = look(layout)
    print(json.dumps(found, indent=1) if as_json else _text(layout, found))
    raise typer.Exit(0 if found["ready"] else 1)


def look(layout: Layout) -> dict[str, Any]:
    """The stack's phase and its processes, each with `alive` and, where it can say so, `ready`."""
    if not layout.endpoints.exists():
        return {"phase": progress.read(layout).get("phase", "down"), "ready": False, "processes": []}
    known = control.endpoints(layout)
    ports = json.loads(layout.ports.read_text("utf-8"))
    processes = [
        {**one, "alive": pids.birth(one["pid"]) is not None, "ready": _ready(ports, one["name"])}
        for one in known["processes"]
    ]
    phase = progress.read(layout).get("phase", "unknown") if control.supervisor_pid(layout) else "without supervisor"
    ready = phase == "ready" and all(one["alive"] and one["ready"] is not False for one in processes)
    return {"phase": phase, "ready": ready, "processes": processes}


def _ready(ports: dict[str, int], process: str) -> bool | None:
    """None for the servers, which have no such page."""
    if process in ("postgres", "kafka"):
        return None
    port = ports[process.removesuffix("-api").removesuffix("-all")]
    return asyncio.run(ask(port, "/readyz")) == 200


def _text(layout: Layout, found: dict[str, Any]) -> str:
    words = {True: "ready", False: "not ready", None: "runs"}
    lines = [
        f"  {one['name']:<20} {one['pid']:>8}  {words[one['ready']] if one['alive'] else 'dead'}"
        for one in found["processes"]
    ]
    return "\n".join([f"The stack in {layout.folder}: {found['phase']}", *lines])
