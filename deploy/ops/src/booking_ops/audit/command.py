"""`booking-ops audit`: everything it looks at, one section after the other, and how that is shown."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from booking_contracts.admin import compare_topics
from booking_contracts.topics import ERASURES, SESSIONS, TRANSACTIONS
from booking_contracts.zones import Zone
from booking_ops.audit import consumers, copies, rows, topics
from booking_ops.audit.baseline import Baseline
from booking_ops.audit.figures import Figures
from booking_ops.audit.section import Difference, Progress, Section
from booking_ops.deployment import Deployment, deployment
from booking_ops.failure import DIFFERENT, GOOD, Failure
from booking_ops.manners import AsJson, Bar, Deadline, done
from booking_outbox import StateTopic
from calendar_projector.projection.slot import ROWS
from checkout.kafka import PUBLISHED as DIRECTORY
from consultation.entitlements.told import PUBLISHED as TOLD
from consultation.sessions.published import STATES
from notifier.ledger.store import PUBLISHED as MESSAGES
from notifier.people import PUBLISHED as PREFERENCES

_OWNERS = ((TRANSACTIONS, "checkout"), (ERASURES, "checkout"), (SESSIONS, "consultation"))

Watch = Callable[[str], Progress]
"""Given what is looked at now, what to tell of its progress."""


def _unwatched(_: str) -> Progress:
    return lambda *_: None


async def sections(
    urls: Mapping[str, str], bootstrap: str, platform: Zone, prefix: str = "", watch: Watch = _unwatched
) -> AsyncIterator[Section]:
    """Yield each comparison's outcome as soon as it is known, of the databases by their services' names. `platform` is
    the services' PLATFORM_TIMEZONE."""
    missing, _ = await compare_topics(bootstrap, prefix, patience=2)  # whoever asks sits before it
    if missing:
        raise topics.missing(missing)
    for topic, owner in _OWNERS:
        progress = watch(topic.name)
        yield await topics.audit_topic(urls[owner], bootstrap, topic, prefix=prefix, progress=progress)
    for owner, state in _states():
        progress = watch(state.topic.name)
        yield await topics.audit_states(urls[owner], bootstrap, state, prefix=prefix, progress=progress)
    yield await _fold(urls["checkout"], "transaction", rows.transaction_row, watch)
    yield await _fold(urls["consultation"], "feedback_session", rows.session_row, watch)
    yield await rows.audit_sessions(urls["consultation"])
    yield await rows.audit_zones(urls["consultation"])
    for service, readers in consumers.READERS.items():
        for consumer, read in readers.items():
            for topic in read:
                progress = watch(f"{consumer} ← {topic.name}")
                yield await consumers.audit_consumer(
                    urls[service], bootstrap, consumer, topic, prefix=prefix, progress=progress
                )
    yield await copies.audit_calendar(urls["calendar"], urls["consultation"])
    until = time.monotonic() + copies.PATIENCE
    for copy in copies.copies(platform):
        yield await copies.audit_copy(urls, copy, until)
    yield await consumers.audit_messages(urls["notifier"], (urls["checkout"], urls["consultation"]))


async def _fold(url: str, name: str, fold: rows.Fold, watch: Watch) -> Section:
    return await rows.audit_fold(url, name, name, fold, progress=watch(f"fold of {name}"))


def _states() -> list[tuple[str, StateTopic]]:
    """Each state topic that is ours, with the service whose rows it says."""
    directory = [("checkout", one) for one in DIRECTORY if isinstance(one, StateTopic)]
    return [
        *directory,
        ("consultation", STATES),
        ("consultation", TOLD),
        ("notifier", MESSAGES),
        ("notifier", PREFERENCES),
        ("calendar", ROWS),
    ]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one audit found, when it ended, and how many seconds it took."""

    sections: list[Section]
    at: datetime
    seconds: float

    @property
    def proven(self) -> bool:
        """Whether nothing differs but what the baseline accepts."""
        return all(section.proven for section in self.sections)

    def as_data(self) -> dict[str, Any]:
        """As `--json` prints it: of each kind of difference the first 20, and the number of the others in `hidden`."""
        return {
            "proven": self.proven,
            "at": self.at.isoformat().replace("+00:00", "Z"),
            "seconds": round(self.seconds, 1),
            "sections": [_as_data(section) for section in self.sections],
        }


def _as_data(section: Section) -> dict[str, Any]:
    listed = section.listed()
    return {
        "name": section.name,
        "counts": section.counts,
        "differences": [_told(one) for one in listed],
        "hidden": section.differing - len(listed),
        "notices": section.notices,
        "accepted": [_told(one) for one in section.accepted],
    }


def _told(one: Difference) -> dict[str, str]:
    return {"invariant": one.invariant, "what": one.what, "remedy": one.remedy}


def audit(
    *,
    as_json: AsJson = False,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Differences that were accepted; they are listed and count no more."),
    ] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Write what differs now into the baseline's file.")] = False,
    because: Annotated[str, typer.Option(help="With --accept: why; it is kept beside each.")] = "",
    metrics_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write figures for Prometheus' textfile collector.")
    ] = None,
    deadline: Deadline = 14_400,
) -> None:
    """Prove that nothing is lost and nobody double-booked. It reads, and changes nothing.

    Exit code 0: proven; 1: differences, with remedies; 2: it could not look.
    """
    if accept and (baseline is None or not because.strip()):
        raise Failure("--accept needs --baseline FILE to write to, and --because with the reason.")
    known = Baseline.read(baseline, must_exist=not accept) if baseline else Baseline()
    found = done(look(deployment(), known, quiet=as_json), deadline)
    if metrics_file is not None:
        Figures().tell(found.sections, at=found.at, seconds=found.seconds, proven=found.proven).write(metrics_file)
    if accept and baseline is not None:
        _accept(found, known, baseline, because.strip())
        return
    if as_json:
        print(json.dumps(found.as_data(), indent=1))
    else:
        print(_verdict(found))
    raise typer.Exit(GOOD if found.proven else DIFFERENT)


async def look(where: Deployment, known: Baseline, *, quiet: bool = False) -> Outcome:
    """Audit everything; each section is shown as soon as it is known, unless `quiet`."""
    began = time.monotonic()
    found: list[Section] = []
    bar = Bar(on=not quiet)

    def watch(name: str) -> Progress:
        return lambda read, total: bar.show(name, read, total)

    async for section in sections(where.databases(), where.kafka, where.zone, where.prefix, watch):
        known.apply(section)
        found.append(section)
        bar.clear()
        if not quiet:
            _show(section)
    return Outcome(found, datetime.now(UTC), time.monotonic() - began)


def _accept(found: Outcome, known: Baseline, file: Path, because: str) -> None:
    if beyond := sum(section.hidden for section in found.sections):
        raise Failure(f"{beyond:,} differences are more than a baseline can name: mend first.")
    added = known.accept(found.sections, because=because, at=found.at)
    known.write(file)
    print(f"{added:,} differences are accepted in {file}, {len(known.accepted):,} in all.")


def _verdict(found: Outcome) -> str:
    accepted = sum(len(section.accepted) for section in found.sections)
    besides = f" besides {accepted:,} accepted" if accepted else ""
    if found.proven:
        return f"Proven: nothing lost, nothing doubled{besides}."
    return f"NOT proven: see the differences above{f' ({accepted:,} more are accepted)' if accepted else ''}."


def _show(section: Section) -> None:
    counts = ", ".join(f"{name} {number:,}" for name, number in section.counts.items())
    print(f"{'✓' if section.proven else '✗'} {section.name}: {counts}", flush=True)
    for notice in section.notices:
        print(f"    note: {notice}", file=sys.stderr)
    for one in section.accepted:
        print(f"    accepted: {one.invariant} {one.what}", file=sys.stderr)
    listed = section.listed()
    for one in listed:
        print(f"    {one.invariant} {one.what} → {one.remedy}", file=sys.stderr)
    if section.differing > len(listed):
        print(f"    and {section.differing - len(listed):,} more", file=sys.stderr)
