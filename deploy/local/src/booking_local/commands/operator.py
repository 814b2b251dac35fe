"""The operator's commands: rebuilds, held records, republishing, erasure. Each is a service's own job or route."""

import json
import os
import subprocess
import sys
import uuid
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from booking_local.commands import AsJson, State, layout_of
from booking_local.failure import Failure
from booking_local.layout import Layout
from booking_local.stack import control, programs, secrets

SERVICES = ("checkout", "consultation", "notifier", "calendar")


def run_job(layout: Layout, service: str, *words: str) -> int:
    """`<service> <words>` as a process of its own, its output ours; answers its exit code."""
    endpoints = control.endpoints(layout)  # says what to do when the stack isn't up
    ports = json.loads(layout.ports.read_text("utf-8"))
    postgres = urlsplit(endpoints["postgres"][service]).netloc.rpartition("@")[2]
    stack = programs.Stack(layout, secrets.load(layout), ports, postgres, endpoints["kafka"])
    command = [sys.executable, "-m", programs.MODULES[service], *words]
    environment = {**os.environ, **programs.service_settings(stack, service), "LOG_LEVEL": "warning"}
    return subprocess.run(command, env=environment, cwd=layout.folder, check=False).returncode


def ask(
    layout: Layout, service: str, method: str, path: str, *, body: dict[str, Any] | None = None, patient: bool = False
) -> Any:
    """One HTTP call as an admin. Raises Failure with the problem's own words."""
    import httpx2

    endpoints = control.endpoints(layout)
    token = secrets.sign(secrets.load(layout), roles=["admin"], sub=str(uuid.uuid4()), name="booking command")
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with httpx2.Client(trust_env=False, timeout=60 if patient else 10) as http:
            answer = http.request(method, endpoints[service] + path, headers=headers, json=body)
    except httpx2.HTTPError as broken:
        raise Failure(f"{service} doesn't answer ({broken!r}): see `booking status`.") from None
    if answer.status_code == 404:
        raise LookupError(path)
    if answer.status_code >= 300:
        problem = answer.json()
        said = problem.get("detail") or problem.get("title")
        errors = "; ".join(f"{e.get('pointer')}: {e.get('detail')}" for e in problem.get("errors") or ())
        raise Failure(f"{service} refused: {said} ({problem.get('code')})" + (f" {errors}" if errors else ""))
    return answer.json() if answer.content else None


calendar = typer.Typer(no_args_is_help=True, help="The calendar's read model.")


@calendar.callback()
def _calendar() -> None:
    """The calendar's read model."""


@calendar.command("rebuild")
def rebuild_calendar(
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


ranking = typer.Typer(no_args_is_help=True, help="The ranking of practitioners.")


@ranking.callback()
def _ranking() -> None:
    """The ranking of practitioners."""


@ranking.command("rebuild")
def rebuild_ranking(state: State = None) -> None:
    """Count productivity and activity anew from the log, while the list is read as before."""
    raise typer.Exit(run_job(layout_of(state), "checkout", "rebuild-ranking"))


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


dead_letters = typer.Typer(no_args_is_help=True, help="Held records: list, show, replay, discard.")
Id = Annotated[str, typer.Argument(help="The held record's id, as `list` shows it.")]


@dead_letters.command("list")
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


@dead_letters.command()
def show(held_id: Id, state: State = None) -> None:
    """One held record with its headers and value."""
    print(json.dumps(_find(layout_of(state), held_id)[1], indent=1))


@dead_letters.command()
def replay(held_id: Id, state: State = None) -> None:
    """Apply it again, and in order what waits behind it."""
    _settle(layout_of(state), held_id, "replay")


@dead_letters.command()
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


def republish(
    *,
    service: Annotated[list[str] | None, typer.Option(help="Whose topics; may be repeated [default: all].")] = None,
    stream: Annotated[uuid.UUID | None, typer.Option(help="One aggregate's events.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Events recorded from this instant on (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Events recorded before this instant (UTC).")] = None,
    accept_topic: Annotated[
        bool, typer.Option("--accept-topic", help="After a restore: accept what the topics hold beyond the store.")
    ] = False,
    state: State = None,
) -> None:
    """Publish again: a stream, a time range, or everything. Consumers take what they have as duplicates."""
    chosen = service or list(SERVICES)
    unknown = [name for name in chosen if name not in SERVICES]
    if unknown:
        raise Failure(f"There is no service {unknown[0]}: it is one of {', '.join(SERVICES)}.")
    words = ["republish"]
    for flag, value in (("--stream", stream), ("--since", since), ("--until", until)):
        if value is not None:
            words += [flag, value.isoformat() if isinstance(value, datetime) else str(value)]
    words += ["--accept-topic"] if accept_topic else []
    storing = [name for name in chosen if name in ("checkout", "consultation") or words == ["republish"]]
    codes = []
    for name in storing:
        print(f"{name}: ", end="", flush=True)
        codes.append(run_job(layout_of(state), name, *words))
    raise typer.Exit(max(codes, default=0))


def counts(
    *,
    until: Annotated[datetime | None, typer.Option(help="Events recorded before this instant (UTC).")] = None,
    state: State = None,
) -> None:
    """Print what the owners' stores hold of each topic, by the last hex digit of the key: a line of JSON each."""
    words = ["counts"] if until is None else ["counts", "--until", until.isoformat()]
    raise typer.Exit(max(run_job(layout_of(state), name, *words) for name in SERVICES))


def erase(person: Annotated[uuid.UUID, typer.Argument(help="Whose data.")], state: State = None) -> None:
    """Delete a person's contact data and free text everywhere (E4); their events stay, as ids alone."""
    raise typer.Exit(run_job(layout_of(state), "checkout", "erase", str(person)))
