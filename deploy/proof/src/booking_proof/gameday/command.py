"""`booking gameday`: plays the incidents and writes the table of docs/runbooks/gameday.md."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from booking_local.commands import AsJson
from booking_local.failure import Failure
from booking_local.layout import checkout
from booking_proof.gameday.alarms import SCRAPE_SECONDS, alarms
from booking_proof.gameday.incidents import INCIDENTS, Incident
from booking_proof.gameday.play import HOLD_MOST_SECONDS, Told, play

_PAGE, _FIGURES = "docs/runbooks/gameday.md", "docs/runbooks/gameday.json"
_PROMISES = "promises.md"


def gameday(
    names: Annotated[list[str] | None, typer.Argument(help="Incidents to play [default: all].")] = None,
    *,
    short: Annotated[bool, typer.Option("--short", help="The quick ones alone, none longer than it must be.")] = False,
    hold: Annotated[
        float, typer.Option(min=0, max=1, help="The share of a rule's `for` during which it must stay true.")
    ] = 0.1,
    write: Annotated[bool, typer.Option("--write", help=f"Put the table into {_PAGE}.")] = False,
    as_json: AsJson = False,
) -> None:
    """Play incidents on a stack of its own, see each alarm come and go, and prove after each that nothing is lost.

    Each is seen by the alarm's own expression of deploy/observability/rules and healed as its runbook says. Exits with
    a sentence at the first that does not go so. The whole game takes about half an hour.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the stack and its volume are taken away
    try:
        home = _home()
        chosen = _chosen(names or [], short=short)
        known = dict(alarms(home / "deploy/observability/rules"))
        told = asyncio.run(play(known, chosen, hold=hold, full=not short, say=_said()))
    except Failure as failure:  # said here, since `booking-ops` knows nothing of this Failure
        typer.echo(failure, err=True)
        raise typer.Exit(1) from None
    print(json.dumps([asdict(one) for one in told], indent=1) if as_json else _table(told))
    if write:
        _write(home, told, hold)


def _home() -> Path:
    home = checkout()
    if home is None:
        raise Failure("The rules and runbooks are in the checkout: run ./booking gameday there.")
    return home


def _said() -> Callable[[str], None]:
    """Shows how far the game is, with the seconds since now."""
    began = time.monotonic()
    return lambda what: typer.echo(f"{time.monotonic() - began:6.1f} s  {what}", err=True)


def _chosen(names: Sequence[str], *, short: bool) -> list[Incident]:
    unknown = [name for name in names if name not in {one.name for one in INCIDENTS}]
    if unknown:
        raise Failure(f"There is no incident {unknown[0]}: it is one of {', '.join(one.name for one in INCIDENTS)}.")
    return [one for one in INCIDENTS if (one.name in names if names else one.quick or not short)]


def _write(home: Path, told: Sequence[Told], hold: float) -> None:
    """Of incidents that were not played the figures of before stay."""
    file = home / _FIGURES
    known: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    where = {"on": f"{datetime.now(UTC):%Y-%m-%d}", "machine": f"{processors} cores, {platform.system()}", "hold": hold}
    known |= {one.incident: {**asdict(one), **where} for one in told}
    kept = {one.name: known[one.name] for one in INCIDENTS if one.name in known}
    file.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    (home / _PAGE).write_text(page(kept), "utf-8")


def _table(told: Sequence[Told]) -> str:
    lines = [
        "| incident | alarm | true after | alarm after | healed by | off after | proven after |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in told:
        head = f"| {one.what} | [{one.alarm}]({one.alarm}.md) |"
        if one.skipped:
            lines.append(f"{head} not played: {one.skipped} | | {one.healed} | | |")
        else:
            figures = f"{one.true_after:.0f} s | {one.alarm_after:.0f} s | {one.healed} | {one.clear_after:.0f} s"
            lines.append(f"{head} {figures} | {one.proven_after:.0f} s |")
    return "\n".join(lines)


def page(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """docs/runbooks/gameday.md, of the figures beside it."""
    fields = set(Told.__dataclass_fields__)
    told = [Told(**{name: value for name, value in one.items() if name in fields}) for one in figures.values()]
    days = " and ".join(sorted({str(one["on"]) for one in figures.values()}))
    machines = " and ".join(sorted({str(one["machine"]) for one in figures.values()}))
    holds = " or ".join(f"{share:.0%}" for share in sorted({float(one["hold"]) for one in figures.values()}))
    return f"""# The game day

<!-- Written by `./booking gameday --write` of gameday.json; change deploy/proof/src/booking_proof/gameday, not this. -->

`./booking gameday` starts a stack of its own, api and worker of each service apart, with somebody who buys, pays and asks for sessions all the while. It inflicts one
incident after the other; sees the alarm's own expression of `deploy/observability/rules` become true over what the processes expose, and stay so for {holds} of its
`for`, at most {HOLD_MOST_SECONDS:.0f} s; heals as the runbook says; sees the expression end; and proves by `booking audit`, and by asking for each acknowledged purchase, that nothing is lost.

Measured on {days}, {machines}, which other work shared, scraped every {SCRAPE_SECONDS:.0f} s. *True after*: from the incident to the expression. *Alarm after*: with the
whole of its `for`, as a Prometheus waits. *Off after* and *proven after* count from the beginning of the healing; the audit itself takes some five seconds of it.

{_table(told)}

What is played otherwise than it is elsewhere:

- PostgreSQL is one server here: it is killed, kept dead and started again. That a replica is promoted instead is played by `make machines`
  ([measured](../{_PROMISES}#measured)); what one may lack that was not in sync is the incident of the restore.
- The certificate is the mail server's, by a TLS server before the local mailbox. A broker's or a database's is not played.
- The full disk is a volume of its own below PostgreSQL, which only root can mount, and it is measured as the kubelet measures one.
- Only expressions that become true within a minute or two are played; those that ask for hours or a day are seen in [promtool's tests](../../deploy/observability/rules/tests) alone.
- There is no Prometheus in it: an [evaluator](../../deploy/proof/src/booking_proof/gameday/promql.py) of the PromQL that the rules use, which is held to promtool's own
  tests of them ([test](../../tests/observability/test_rules_evaluated.py)).
"""
