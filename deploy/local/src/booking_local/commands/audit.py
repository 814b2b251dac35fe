"""`booking audit`."""

import asyncio
import json
import sys
from dataclasses import asdict

import typer

from booking_local.audit.finding import Section
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
    async for section in audit_all(endpoints):
        sections.append(section)
        if not quiet:
            _show(section)
    return sections


def _show(section: Section) -> None:
    counts = ", ".join(f"{name} {number:,}" for name, number in section.counts.items())
    print(f"{'✓' if section.proven else '✗'} {section.name}: {counts}", flush=True)
    for one in section.differences:
        print(f"    {one.invariant} {one.what} → {one.remedy}", file=sys.stderr)
    if section.hidden:
        print(f"    and {section.hidden:,} more", file=sys.stderr)
