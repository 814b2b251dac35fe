"""`booking republish`."""

import uuid
from datetime import datetime
from typing import Annotated

import typer

from booking_local.commands import State, layout_of
from booking_local.commands.operator import SERVICES, run_job
from booking_local.failure import Failure

app = typer.Typer()


@app.command()
def republish(  # noqa: PLR0917  (one option each)
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
