"""`booking-ops restore recover`: bring a restored store back to what its topics tell, and say what could not be."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer

from booking_contracts.topics import ERASURES
from booking_ops.deployment import Deployment, deployment
from booking_ops.failure import DIFFERENT, GOOD, Failure
from booking_ops.manners import AsJson, Bar, Deadline, Yes, done, sure
from booking_ops.presence import present
from booking_ops.restore.beyond import Beyond, Told, beyond
from booking_ops.restore.rows import ROWS, bring_rows_back
from booking_ops.restore.streams import KINDS, Kind, Returned, bring_back
from booking_outbox import Relay
from booking_store import Cause

restore = typer.Typer(no_args_is_help=True, help="A store that was restored from before its topics.")


@restore.callback()
def _restore() -> None:
    """A store that was restored from before its topics."""


@restore.command()
def recover(
    service: Annotated[str, typer.Argument(help=f"Whose store: {', '.join(KINDS)}.")],
    *,
    report: Annotated[
        Path, typer.Option(metavar="FILE", help="Where to write each stream (JSON lines): people, what was set aside.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look and count; change nothing.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    deadline: Deadline = 86_400,
) -> None:
    """Add to the store what it lost and its topics have: events, their rows and claims, rows of state topics.

    What doesn't fit gives way to the topic's history, which everybody took, and is told in the report; what money hangs
    on is left. Exit code 0: nothing is left; 1: people must settle what is. It may be run again.
    """
    if service not in KINDS:
        raise Failure(f"There is nothing to recover of {service}: it is one of {', '.join(KINDS)}.")
    if report.exists() and not dry_run:
        raise Failure(f"{report} is there already: name another --report, and keep that one.")
    if not dry_run:
        sure(f"Bring {service}'s store back to what its topics tell?", yes=yes)
    told = done(_recovered(deployment(), service, report, dry_run=dry_run), deadline)
    print(json.dumps(told, indent=1) if as_json else _text(told))
    raise typer.Exit(DIFFERENT if told["left"] else GOOD)


async def _recovered(where: Deployment, service: str, report: Path, *, dry_run: bool) -> dict[str, Any]:
    wired, bar = where.service(service), Bar()
    await present(where, [one.topic for one in (*KINDS[service], *ROWS[service])])
    relay = next(worker for worker in wired.workers if isinstance(worker, Relay))
    came: list[Returned] = []
    rows: dict[str, int] = {}
    doubled: dict[str, int] = {}
    # Nothing is published meanwhile: a relay that leads is waited for, one that refuses has given the lock back.
    keep = _Report(None if dry_run else report)
    async with relay.standing_still(), _owner(where.database(service)) as conn, _undone(conn, dry_run):
        for kind in KINDS[service]:
            name = kind.topic.name
            lacking = await beyond(
                conn, where.kafka, kind.topic, where.prefix, lambda read, total, name=name: bar.show(name, read, total)
            )
            doubled[name] = len(lacking.doubled)
            came += [one async for one in _streams(conn, kind, lacking, keep, where)]
        for one in ROWS[service]:
            keys = await bring_rows_back(conn, one, where.kafka, where.prefix)
            rows[one.topic.name] = len(keys)
            if one.table == "practitioner":
                await _rank(conn, keys, where)
    told = _told(service, came, rows, doubled, dry_run=dry_run)
    keep.line({"ended": told})
    bar.clear()
    await wired.database.close()
    return told


async def _streams(
    conn: psycopg.AsyncConnection[Any], kind: Kind, lacking: Beyond, keep: _Report, where: Deployment
) -> AsyncIterator[Returned]:
    bar = Bar()
    for number, told in enumerate(lacking.streams.values()):
        bar.show(f"streams of {kind.topic.name}", number, len(lacking.streams))
        came = await bring_back(conn, kind, told, lacking.ids, lambda one: keep.line({"planned": asdict(one)}))
        keep.line({"came": asdict(came)})
        if kind.topic is ERASURES and came.came != "left":
            await _erase_again(conn, told[-1], where)
        yield came


async def _erase_again(conn: psycopg.AsyncConnection[Any], told: Told, where: Deployment) -> None:
    """Who was erased since the backup is erased again (E4)."""
    from checkout.people import erasure  # noqa: PLC0415 - the service, for this alone
    from checkout.ranking.listing import Months  # noqa: PLC0415

    metadata = json.loads(told.metadata)
    cause = Cause(metadata["actor"], metadata["correlation_id"], str(told.id))
    months, again = Months(where.zone), timedelta(seconds=where.settings.erasure_resend_seconds)
    async with conn.transaction():
        await erasure.forget(conn, told.stream_id, cause, months, again, at=told.occurred_at)


async def _rank(conn: psycopg.AsyncConnection[Any], keys: list[Any], where: Deployment) -> None:
    """A profile's place in the list is made with its row."""
    from checkout.ranking import listing  # noqa: PLC0415 - the service, for this alone

    if keys:
        async with conn.transaction():
            await listing.refresh(conn, keys, listing.Months(where.zone))


@asynccontextmanager
async def _owner(url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        await conn.execute("SET timezone = 'UTC'")
        await conn.execute("SET lock_timeout = '30s'")
        yield conn


@asynccontextmanager
async def _undone(conn: psycopg.AsyncConnection[Any], dry_run: bool) -> AsyncIterator[None]:
    """For a dry run one transaction around all, which is given up."""
    if not dry_run:
        yield
        return
    async with conn.transaction(force_rollback=True):
        yield


def _told(
    service: str, came: list[Returned], rows: dict[str, int], doubled: dict[str, int], *, dry_run: bool
) -> dict[str, Any]:
    counts = Counter(one.came for one in came)
    return {
        "service": service,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "dry_run": dry_run,
        "streams_brought_back": counts["brought back"] + counts["brought back and ended"],
        "events_brought_back": sum(one.events for one in came if one.came != "left"),
        "streams_ended": counts["brought back and ended"],
        "streams_set_aside": sum(bool(one.set_aside) and one.came != "left" for one in came),
        "texts_lost": sum(len(one.lost) for one in came),
        "rows_brought_back": rows,
        "left": counts["left"] + sum(doubled.values()),
        "concerned": [
            {"stream": one.stream, "topic": one.topic, "came": one.came, "why": _why(one), "people": dict(one.people)}
            for one in came
            if one.came != "brought back" or one.set_aside or one.lost
        ],
    }


def _why(one: Returned) -> str:
    aside = [f"set aside: {', '.join(str(event['type']) for event in one.set_aside)}"] if one.set_aside else []
    lost = [f"text lost: {', '.join(one.lost)}"] if one.lost else []
    return "; ".join([*([one.why] if one.why else []), *aside, *lost])


def _text(told: dict[str, Any]) -> str:
    rows = ", ".join(f"{topic} {count:,}" for topic, count in told["rows_brought_back"].items())
    lines = [
        f"{told['events_brought_back']:,} events of {told['streams_brought_back']:,} streams are back"
        + (f", rows of {rows}" if rows else "")
        + (" (dry run: nothing was changed)" if told["dry_run"] else ""),
    ]
    for one in told["concerned"]:
        people = ", ".join(f"{role} {person}" for role, person in one["people"].items())
        lines.append(f"  {one['topic']} {one['stream']}: {one['came']}; {one['why']}; {people}")
    lines.append(f"{told['left']:,} left for people" if told["left"] else "Nothing is left.")
    return "\n".join(lines)


class _Report:
    """JSON lines, for their owner alone (events name people); each is on the disk before what it tells is done."""

    def __init__(self, file: Path | None) -> None:
        self._file = None if file is None else os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def line(self, told: dict[str, Any]) -> None:
        """One more; nothing for a dry run."""
        if self._file is not None:
            os.write(self._file, json.dumps(told).encode() + b"\n")
            os.fsync(self._file)
