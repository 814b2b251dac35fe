"""The stack's own commands: `up`, `down`, `status`, `logs`, `token`."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from types import FrameType
from typing import IO, Annotated, Any

import typer

from booking_local.commands import AsJson, State, layout_of
from booking_local.failure import Failure
from booking_local.layout import Layout
from booking_local.servers import kafka, process
from booking_local.servers.postgres import TERMINATOR
from booking_local.stack import control, secrets
from booking_local.stack.programs import ask

ROLES = ("member", "practitioner", "admin", "service")
_SERVERS = ("postgres", "kafka")
_ADDRESSES = (
    "gateway",
    "checkout",
    "consultation",
    "notifier",
    "calendar",
    "mailbox",
    "whatsapp",
    "payments",
    "smtp",
    "kafka",
)


def up(
    *,
    state: State = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when every service is ready.")] = False,
    port_base: Annotated[int | None, typer.Option(help="Use the ports from this one on.")] = None,
    split: Annotated[bool, typer.Option("--split", help="Run api and worker of each service apart.")] = False,
    secure: Annotated[
        bool,
        typer.Option(
            "--secure",
            help="Kafka and PostgreSQL with TLS, a password for each program, and the catalogue's permissions.",
        ),
    ] = False,
    observe: Annotated[
        bool, typer.Option("--observe", help="A page of the alarms and dashboards of deploy/observability, too.")
    ] = False,
    services: Annotated[bool, typer.Option(help="Start the services, not only servers and stand-ins.")] = True,
) -> None:
    """Start the whole system here: PostgreSQL, Kafka, the services, and stand-ins for the outside. No Docker.

    Ctrl-C or `booking down` stops everything and loses nothing.
    """
    flags = [
        *(["--split"] if split else []),
        *(["--secure"] if secure else []),
        *(["--observe"] if observe else []),
        *([] if services else ["--without-services"]),
    ]
    ensure_up(layout_of(state), detach=detach, port_base=port_base, flags=flags)


def ensure_up(layout: Layout, *, detach: bool, port_base: int | None = None, flags: Sequence[str] = ()) -> None:
    """Starts the stack if it isn't up, prints its addresses; not detached, it stays until Ctrl-C."""
    began = time.monotonic()
    if control.supervisor_pid(layout) is not None:
        _wait_for_another(layout)
        if "--secure" in flags and "kafka_operator" not in control.endpoints(layout):
            raise Failure(f"The stack in {layout.folder} is up without --secure: run `booking down` first.")
        if "--observe" in flags and "observe" not in control.endpoints(layout):
            raise Failure(f"The stack in {layout.folder} is up without --observe: run `booking down` first.")
        _print_addresses(layout, "is up already")
        return
    started = _start(layout, detach=detach, port_base=port_base, flags=flags)
    _print_addresses(layout, f"is ready after {time.monotonic() - began:.1f} s")
    if not detach:
        _stay(started)


def _start(layout: Layout, *, detach: bool, port_base: int | None, flags: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        layout.make()
    except OSError as refused:
        raise Failure(
            f"The stack's folder {layout.folder} can't be made ({refused.strerror}): name another one with --state."
        ) from None
    started = control.start(layout, port_base=port_base, attached=not detach, flags=flags)
    try:
        control.wait_ready(layout, started, _show if sys.stderr.isatty() else lambda _what, _after: None)
    except KeyboardInterrupt:
        control.stop(layout)
        raise
    return started


def _stay(started: subprocess.Popen[bytes]) -> None:
    """Until Ctrl-C, a closed terminal, or `booking down` from elsewhere."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            started.terminate()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    print("Ctrl-C stops everything.", flush=True)
    raise typer.Exit(started.wait())


def _wait_for_another(layout: Layout) -> None:
    deadline = time.monotonic() + 120
    while control.progress(layout).get("phase") != "ready":
        if control.supervisor_pid(layout) is None or time.monotonic() > deadline:
            raise Failure(
                f"Another booking up in {layout.folder} didn't get ready; run `booking down`, then try again."
            )
        time.sleep(0.05)


def _show(what: str, after: float) -> None:
    print(f"  {after:5.1f} s  {what}", file=sys.stderr, flush=True)


def _print_addresses(layout: Layout, how: str) -> None:
    known: dict[str, Any] = control.endpoints(layout)
    print(f"The stack in {layout.folder} {how}.")
    for name in (*_ADDRESSES, *(["observe"] if "observe" in known else [])):
        print(f"  {name:<13} {known[name]}")
    print(f"  everything    {layout.endpoints}", flush=True)


def down(state: State = None) -> None:
    """Stop all processes of this stack and no others; what it stored stays in its folder."""
    layout = layout_of(state)
    if control.stop(layout):
        print(f"The stack in {layout.folder} is down.")
    else:
        print(f"No stack is up in {layout.folder}.")


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
        return {"phase": control.progress(layout).get("phase", "down"), "ready": False, "processes": []}
    processes = asyncio.run(_rows(layout, control.endpoints(layout)))
    phase = control.progress(layout).get("phase", "unknown") if control.supervisor_pid(layout) else "without supervisor"
    ready = phase == "ready" and all(one["alive"] and one["ready"] for one in processes)
    if phase == "ready" and not ready:
        phase = "not ready"
    return {"phase": phase, "ready": ready, "processes": processes}


async def _rows(layout: Layout, known: dict[str, Any]) -> list[dict[str, Any]]:
    ports = json.loads(layout.ports.read_text("utf-8"))
    running = {one["name"]: one["pid"] for one in known["processes"]}
    # A program that died is out of `processes` until it is started again; its row stays.
    names = list(dict.fromkeys([*_SERVERS, *known.get("programs", ()), *running]))
    ready = await asyncio.gather(*(_ready(known, ports, name) for name in names))
    rows: list[dict[str, Any]] = []
    for name, answers in zip(names, ready, strict=True):
        pid = running.get(name)
        ours = name in running or name in known.get("programs", ())
        alive = (
            pid is not None and process.birth(pid) is not None if ours else answers
        )  # a given server is no process of ours
        rows.append({"name": name, "pid": pid, "alive": alive, "ready": answers})
    return rows


async def _ready(known: dict[str, Any], ports: dict[str, int], program: str) -> bool:
    if program in ("postgres", TERMINATOR):
        return await _logs_in(known["postgres"]["checkout"])
    if program == "kafka":
        return await asyncio.to_thread(kafka.answers, control.brokers(known))
    return await ask(ports[program.removesuffix("-api").removesuffix("-all")], "/readyz", seconds=3) == 200


async def _logs_in(url: str) -> bool:
    import psycopg  # slow to import

    try:
        async with asyncio.timeout(3):
            connection = await psycopg.AsyncConnection.connect(url, connect_timeout=2, autocommit=True)
            try:
                await connection.execute("SELECT 1")
            finally:  # `async with` leaves it open when it is cancelled while it commits
                await connection.close()
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


def logs(
    service: Annotated[
        str, typer.Argument(help="A process or a service, such as checkout or kafka; default: all.")
    ] = "",
    state: State = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing what comes.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines of each.")] = 20,
) -> None:
    """Print the last lines of the processes' logs."""
    folder = layout_of(state).logs
    found = sorted(path for path in folder.glob("*.log") if path.stem == service or path.stem.startswith(f"{service}-"))
    found = found if service else sorted(folder.glob("*.log"))
    if not found:
        raise Failure(f"There is no log of {service or 'anything'} in {folder}: is the stack's folder right (--state)?")
    width = max(len(path.stem) for path in found)
    files = [(path.stem, path.open("r", encoding="utf-8", errors="replace")) for path in found]
    for name, file in files:
        for line in file.readlines()[-lines:]:
            _print_line(name, line, width)
    while follow:
        if not any(_drain(name, file, width) for name, file in files):
            time.sleep(0.2)


def _drain(name: str, file: IO[str], width: int) -> bool:
    news = file.readlines()
    for line in news:
        _print_line(name, line, width)
    return bool(news)


def _print_line(name: str, line: str, width: int) -> None:
    print(f"{name:<{width}} | {line.rstrip()}", flush=True)


def token(
    *,
    role: Annotated[list[str], typer.Option(help="member, practitioner, admin or service; may be repeated.")],
    sub: Annotated[uuid.UUID | None, typer.Option(help="Whose token [default: somebody new].")] = None,
    name: Annotated[str | None, typer.Option(help="The person's name.")] = None,
    email: Annotated[str | None, typer.Option(help="Their email address.")] = None,
    phone: Annotated[str | None, typer.Option(help="Their phone number, as +62...")] = None,
    locale: Annotated[str | None, typer.Option(help="Their language, such as id or en.")] = None,
    zoneinfo: Annotated[str | None, typer.Option(help="Their time zone, such as Asia/Jakarta.")] = None,
    expires_in: Annotated[int, typer.Option(help="Seconds it is good for; negative: expired already.")] = 12 * 3600,
    state: State = None,
) -> None:
    """Print a token for development, signed by this stack's own key: the token and nothing else."""
    unknown = [one for one in role if one not in ROLES]
    if unknown:
        raise Failure(f"There is no role {unknown[0]}: it is one of {', '.join(ROLES)}.")
    claims = {"name": name, "email": email, "phone_number": phone, "locale": locale, "zoneinfo": zoneinfo}
    made = secrets.load(layout_of(state))
    print(secrets.sign(made, roles=role, sub=str(sub or uuid.uuid4()), seconds=expires_in, **claims))
