"""`booking logs`."""

import time
from typing import IO, Annotated

import typer

from booking_local.commands import State, layout_of
from booking_local.failure import Failure

app = typer.Typer()


@app.command()
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
            _print(name, line, width)
    while follow:
        if not any(_drain(name, file, width) for name, file in files):
            time.sleep(0.2)


def _drain(name: str, file: IO[str], width: int) -> bool:
    news = file.readlines()
    for line in news:
        _print(name, line, width)
    return bool(news)


def _print(name: str, line: str, width: int) -> None:
    print(f"{name:<{width}} | {line.rstrip()}", flush=True)
