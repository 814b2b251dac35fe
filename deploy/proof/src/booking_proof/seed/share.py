"""The purchases' way into the databases: here, or in a process for each core, which takes every nth chunk.

Each process makes all stories itself, as they depend on each other (who has time when), and tells its own: that takes
less than to hand them over.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from booking_contracts.zones import zone
from booking_local.failure import Failure
from booking_process.settings import ServiceSettings
from booking_proof.seed.rows import Rows
from booking_proof.seed.story import Platform, Size
from booking_proof.seed.streams import told
from booking_proof.seed.write import Databases
from checkout.ranking.listing import Months

CHUNK = 1_000
"""Purchases that are written at once."""
ALONE = 3 * CHUNK
"""Up to so many are not worth a second process."""
Done = Callable[[Counter[str]], None]


def months_of(endpoints: Mapping[str, Any]) -> Months:
    """The ranking's, in the zone of that stack's services."""
    default = ServiceSettings.model_fields["platform_timezone"].default
    return Months(zone(endpoints.get("settings", {}).get("PLATFORM_TIMEZONE", default)))


async def write_share(
    databases: Databases, platform: Platform, share: int, of: int, done: Done, *, months: Months
) -> None:
    """Write each chunk whose number is `share`, modulo `of`."""
    size = platform.size
    people = {str(one.id): one for one in (*platform.members, *(each.person for each in platform.practitioners))}
    rows = Rows(people, size.seed, size.until, months, told=size.months > 0)
    for chapter in platform.chunks(CHUNK):
        if chapter.number % of != share:
            continue
        chunk = rows.chunk(told(story, size.seed, size.until) for story in chapter.stories)
        await databases.write(chunk, months)
        await databases.assessments(chapter, size.seed)
        chunk.counts["assessments"] += len(chapter.assessments)
        done(chunk.counts)


async def write_all(endpoints: Mapping[str, Any], databases: Databases, platform: Platform, done: Done) -> None:
    """Write all purchases. Failure when one of the processes ends early, with its last words."""
    if platform.size.purchases <= ALONE:
        await write_share(databases, platform, 0, 1, done, months=months_of(endpoints))
        return
    many = min(4, os.cpu_count() or 1)
    try:
        async with asyncio.TaskGroup() as group:
            for share in range(many):
                group.create_task(_process(endpoints, platform.size, share, many, done))
    except* Failure as failed:
        raise failed.exceptions[0] from None


async def _process(endpoints: Mapping[str, Any], size: Size, share: int, of: int, done: Done) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __spec__.name, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        told_it = {"endpoints": dict(endpoints), "size": asdict(size) | {"until": size.until.isoformat()}}
        process.stdin.write(json.dumps({**told_it, "share": share, "of": of}).encode())
        process.stdin.close()
        async for line in process.stdout:
            done(Counter(json.loads(line)))
        if await process.wait() != 0:
            raise Failure(
                "A process of the seed ended early: what it said stands above. Told again it goes on from here."
            )
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _main(told_it: Mapping[str, Any]) -> None:
    size = Size(**{**told_it["size"], "until": datetime.fromisoformat(told_it["size"]["until"])})
    gc.disable()  # nothing here makes rings, and to look for some takes a fifth of the time
    databases = await Databases.open(told_it["endpoints"])

    def done(counts: Counter[str]) -> None:
        print(json.dumps(counts), flush=True)

    try:
        months = months_of(told_it["endpoints"])
        await write_share(databases, Platform(size), told_it["share"], told_it["of"], done, months=months)
    finally:
        await databases.close()


if __name__ == "__main__":
    asyncio.run(_main(json.load(sys.stdin)))
