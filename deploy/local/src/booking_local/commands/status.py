"""`booking status`."""

import asyncio
import json
from typing import Any

import typer

from booking_local.commands import AsJson, State, layout_of
from booking_local.stack import control, pids, progress
from booking_local.stack.health import ask
from booking_local.stack.layout import Layout
from booking_process.broker import broker_answers

app = typer.Typer()
SERVERS = ("postgres", "kafka")


@app.command()
def status(state: State = None, as_json: AsJson = False) -> None:
    """Show what runs and whether it is ready. Exit code 0: all of it; 1: not."""
    layout = layout_of(state)
    found = look(layout)
    print(json.dumps(found, indent=1) if as_json else _text(layout, found))
    raise typer.Exit(0 if found["ready"] else 1)


def look(layout: Layout) -> dict[str, Any]:
    """The stack's phase and a row for each program that should run: its `pid` (None: there is none), whether it is
    `alive`, and whether it is `ready`, which is asked of itself, within some three seconds. A stack that was ready
    once is in the phase `ready` only while each of its rows is."""
    if not layout.endpoints.exists():
        return {"phase": progress.read(layout).get("phase", "down"), "ready": False, "processes": []}
    processes = asyncio.run(_rows(layout, control.endpoints(layout)))
    phase = progress.read(layout).get("phase", "unknown") if control.supervisor_pid(layout) else "without supervisor"
    ready = phase == "ready" and all(one["alive"] and one["ready"] for one in processes)
    if phase == "ready" and not ready:
        phase = "not ready"
    return {"phase": phase, "ready": ready, "processes": processes}


async def _rows(layout: Layout, known: dict[str, Any]) -> list[dict[str, Any]]:
    ports = json.loads(layout.ports.read_text("utf-8"))
    running = {one["name"]: one["pid"] for one in known["processes"]}
    # A program that died is out of `processes` until it is started again; its row stays.
    names = list(dict.fromkeys([*SERVERS, *known.get("programs", ()), *running]))
    ready = await asyncio.gather(*(_ready(known, ports, name) for name in names))
    rows: list[dict[str, Any]] = []
    for name, answers in zip(names, ready, strict=True):
        pid = running.get(name)
        ours = name in running or name in known.get("programs", ())
        alive = (
            pid is not None and pids.birth(pid) is not None if ours else answers
        )  # a given server is no process of ours
        rows.append({"name": name, "pid": pid, "alive": alive, "ready": answers})
    return rows


async def _ready(known: dict[str, Any], ports: dict[str, int], process: str) -> bool:
    if process == "postgres":
        return await _logs_in(known["postgres"]["checkout"])
    if process == "kafka":
        return await broker_answers(known["kafka"])
    return await ask(ports[process.removesuffix("-api").removesuffix("-all")], "/readyz", seconds=3) == 200


async def _logs_in(url: str) -> bool:
    import psycopg  # noqa: PLC0415  (slow to import)

    try:
        async with asyncio.timeout(3):
            async with await psycopg.AsyncConnection.connect(url, connect_timeout=2) as connection:
                await connection.execute("SELECT 1")
    except (psycopg.Error, OSError, TimeoutError):
        return False
    return True


def _text(layout: Layout, found: dict[str, Any]) -> str:
    lines = [
        f"  {one['name']:<20} {one['pid'] or '-':>8}  "
        f"{('ready' if one['ready'] else 'not ready') if one['alive'] else 'dead'}"
        for one in found["processes"]
    ]
    return "\n".join([f"The stack in {layout.folder}: {found['phase']}", *lines])
