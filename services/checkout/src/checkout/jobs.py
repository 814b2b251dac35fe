"""What an operator runs beside the service: `rebuild-ranking`, `erase PERSON`, `replay-erasures`. Each prints JSON."""

import asyncio
import dataclasses
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from booking_contracts.topics import ERASURES
from booking_contracts.zones import zone
from booking_inbox.log import log_of
from booking_process import jobs, logs
from booking_process.database import Database
from booking_process.settings import SettingsError, load_settings
from booking_store import Cause
from checkout.people import erasure
from checkout.ranking.listing import Months
from checkout.ranking.rebuild import RebuildRunningError, rebuild
from checkout.settings import Settings

LONGEST_WAIT = 60.0  # seconds for the relay to send the tombstones
USAGE = "usage: checkout rebuild-ranking | erase PERSON | replay-erasures\n"
Job = Callable[[Settings, Database, Sequence[str]], Awaitable[dict[str, Any]]]


class NotEndedError(Exception):
    """The job did its part; what follows it has not happened yet."""


def run(name: str, arguments: Sequence[str]) -> int:
    """Run a job: 0 done, 1 could not (with a sentence), 2 misused."""
    try:
        settings = load_settings(Settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    logs.configure(settings.log_level, service=f"checkout-{name}")
    try:
        return jobs.told(lambda: _printed(asyncio.run(_with_database(settings, JOBS[name], arguments))))
    except (RebuildRunningError, NotEndedError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except ValueError as error:
        sys.stderr.write(f"{error}\n{USAGE}")
        return 2


def _printed(done: dict[str, Any]) -> int:
    sys.stdout.write(json.dumps(done, default=str) + "\n")
    return 0


async def _with_database(settings: Settings, job: Job, arguments: Sequence[str]) -> dict[str, Any]:
    database = Database.of(settings, "checkout", direct=True)
    try:
        return await job(settings, database, arguments)
    finally:
        await database.close()


async def _rebuild_ranking(settings: Settings, database: Database, _arguments: Sequence[str]) -> dict[str, Any]:
    """L3, with progress on stderr."""

    def show(read: int, total: int) -> None:
        sys.stderr.write(f"\r{read} of {total} records")

    done = await rebuild(database, settings.brokers, settings.topic_prefix, _months(settings), show)
    sys.stderr.write("\n")
    return dataclasses.asdict(done)


async def _erase(settings: Settings, database: Database, arguments: Sequence[str]) -> dict[str, Any]:
    """E4: ends when every tombstone is the last record of its key."""
    if len(arguments) != 1:
        raise ValueError("whom?")
    person_id = UUID(arguments[0])
    resend_after = timedelta(seconds=settings.erasure_resend_seconds)
    cause = Cause("system", str(uuid4()))
    done = await erasure.erase(database, person_id, cause, _months(settings), resend_after)
    if not await erasure.all_sent(database, person_id, within=LONGEST_WAIT):
        raise NotEndedError(
            "Erased, but the tombstones are not sent yet: is Kafka up? They follow; run it again to see."
        )
    last = await erasure.last_records(settings.brokers, settings.topic_prefix, person_id)
    if not all(last.values()):
        raise NotEndedError(f"Erased, but a value came after the tombstone: {last}. Run it again.")
    return {**dataclasses.asdict(done), "tombstones": sorted(last)}


async def _replay_erasures(settings: Settings, database: Database, _arguments: Sequence[str]) -> dict[str, Any]:
    """After a restore, before serving: what was erased since the backup is erased again, by the topic (E4)."""
    resend_after = timedelta(seconds=settings.erasure_resend_seconds)
    persons: set[UUID] = set()
    async with log_of(ERASURES, settings.brokers, settings.topic_prefix) as log:
        async for batch in log.until_end():
            for item in batch:
                cause = Cause(item.meta.actor, item.meta.correlation_id, str(item.meta.id))
                person_id = UUID(item.meta.subject)
                async with database.transaction() as conn:
                    await erasure.forget(conn, person_id, cause, _months(settings), resend_after, at=item.meta.time)
                persons.add(person_id)
    return {"erased": len(persons)}


def _months(settings: Settings) -> Months:
    return Months(zone(settings.platform_timezone))


JOBS: dict[str, Job] = {
    "rebuild-ranking": _rebuild_ranking,
    "erase": _erase,
    "replay-erasures": _replay_erasures,
}
