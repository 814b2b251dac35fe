"""`booking audit`: everything it looks at, one section after the other, and how that is shown."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict
from typing import Any

import typer

from booking_contracts.admin import compare_topics
from booking_contracts.topics import ERASURES, SESSIONS, TRANSACTIONS
from booking_local.commands import AsJson, State, layout_of
from booking_local.stack import control
from booking_outbox import StateTopic
from booking_proof.audit import consumers, copies, rows, topics
from booking_proof.audit.section import Progress, Section
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


async def sections(endpoints: Mapping[str, Any], watch: Watch = _unwatched) -> AsyncIterator[Section]:
    """Yield each comparison's outcome as soon as it is known."""
    urls, bootstrap = endpoints["postgres"], endpoints["kafka"]
    missing, _ = await compare_topics(bootstrap, patience=2)  # whoever asks sits before it
    if missing:
        raise topics.missing(missing)
    for topic, owner in _OWNERS:
        yield await topics.audit_topic(urls[owner], bootstrap, topic, progress=watch(topic.name))
    for owner, state in _states():
        yield await topics.audit_states(urls[owner], bootstrap, state, progress=watch(state.topic.name))
    yield await _fold(urls["checkout"], "transaction", rows.transaction_row, watch)
    yield await _fold(urls["consultation"], "feedback_session", rows.session_row, watch)
    yield await rows.audit_sessions(urls["consultation"])
    yield await rows.audit_zones(urls["consultation"])
    for service, readers in consumers.READERS.items():
        for consumer, read in readers.items():
            for topic in read:
                progress = watch(f"{consumer} ← {topic.name}")
                yield await consumers.audit_consumer(urls[service], bootstrap, consumer, topic, progress=progress)
    yield await copies.audit_calendar(urls["calendar"], urls["consultation"])
    until = time.monotonic() + copies.PATIENCE
    for copy in copies.COPIES:
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


def audit(state: State = None, as_json: AsJson = False) -> None:
    """Prove that nothing is lost and nobody double-booked. Exit code 0: proven; 1: differences, with remedies."""
    found = asyncio.run(_all(control.endpoints(layout_of(state)), quiet=as_json))
    proven = all(section.proven for section in found)
    if as_json:
        print(json.dumps({"proven": proven, "sections": [asdict(section) for section in found]}, indent=1))
    else:
        print("Proven: nothing lost, nothing doubled." if proven else "NOT proven: see the differences above.")
    raise typer.Exit(0 if proven else 1)


async def _all(endpoints: dict[str, object], *, quiet: bool) -> list[Section]:
    found: list[Section] = []
    shown = _Bar(on=not quiet and sys.stderr.isatty())
    async for section in sections(endpoints, shown.watch):
        found.append(section)
        shown.clear()
        if not quiet:
            _show(section)
    return found


class _Bar:
    """One line on a terminal that says what is looked at and how far it is, at most ten times a second."""

    def __init__(self, *, on: bool) -> None:
        self._on, self._at = on, 0.0

    def watch(self, name: str) -> Progress:
        def progress(done: int, total: int) -> None:
            if self._on and time.monotonic() - self._at > 0.1:
                self._at = time.monotonic()
                print(f"\r\x1b[K  {name}: {done:,} of {total:,}", end="", file=sys.stderr, flush=True)

        return progress

    def clear(self) -> None:
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
