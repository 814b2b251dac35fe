"""`booking audit`."""

import asyncio
import json
import sys
import time
from dataclasses import asdict

import typer

from booking_local.audit.finding import Section
from booking_local.audit.published import Progress
from booking_local.audit.whole import audit as audit_all
from booking_local.commands import AsJson, State, layout_of
from booking_local.stack import control

app = typer.Typer()


@app.command()
def audit(state: State = None, as_json: AsJson = False) -> None:
    """Prove that nothing is lost and nobody double-booked. Exit code 0: proven; 1: differences, with remedies."""
    sections = asyncio.run(_all(control.endpoints(layout_of(state)), quiet=as_json))
    proven = all(section.proven for section in sections)
    if as_json:
        print(json.dumps({"proven": proven, "sections": [asdict(section) for section in sections]}, indent=1))
    else:
        print("Proven: nothing lost, nothing doubled." if proven else "NOT proven: see the differences above.")
    raise typer.Exit(0 if proven else 1)


async def _all(endpoints: dict[str, object], *, quiet: bool) -> list[Section]:
    sections: list[Section] = []
    shown = _Bar(on=not quiet and sys.stderr.isatty())
    async for section in audit_all(endpoints, shown.told):
        sections.append(section)
        shown.clear()
        if not quiet:
            _show(section)
    return sections


class _Bar:
    """One line on a terminal that says what is looked at and how far it is, at most ten times a second."""

    def __init__(self, *, on: bool) -> None:
        self._on, self._at = on, 0.0

    def told(self, name: str) -> Progress:
        """The line of one comparison."""

        def progress(done: int, total: int) -> None:
            if self._on and time.monotonic() - self._at > 0.1:
                self._at = time.monotonic()
                print(f"\r\x1b[K  {name}: {done:,} of {total:,}", end="", file=sys.stderr, flush=True)

        return progress

    def clear(self) -> None:
        """Room for the outcome."""
        if self._on:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _show(section: Section) -> None:
    counts = ", ".join(f"{name} {number:,}" for name, number in section.counts.items())
    print(f"{'✓' if section.proven else '✗'} {section.name}: {counts}", flush=True)
    for notice in section.notices:
        print(f"    note: {notice}", file=sys.stderr)
    for one in section.differences:
        print(f"    {one.invariant} {one.what} → {one.remedy}", file=sys.stderr)
    if section.hidden:
        print(f"    and {section.hidden:,} more", file=sys.stderr)
