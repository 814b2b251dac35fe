"""A full disk loses nothing and ends by itself once there is room. `CHAOS_DISK=1 make chaos`, as root."""

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from tests.chaos import disk
from tests.chaos.client import Client
from tests.chaos.disk import Disk, Outcome
from tests.chaos.history import Attempt
from tests.chaos.load import Cast
from tests.chaos.stack import Stack
from tests.rigs.databases import opened

FULL_SECONDS = 20.0

pytestmark = [
    pytest.mark.servers,
    pytest.mark.e2e,
    pytest.mark.timeout(0),
    pytest.mark.skipif(not os.environ.get("CHAOS_DISK"), reason="disks are filled by CHAOS_DISK=1 make chaos, as root"),
]


@pytest.fixture(autouse=True)
def _mountable() -> None:
    if reason := disk.unavailable():
        pytest.skip(reason)


def test_postgres_disk_full__refuses_with_503_and_comes_back_by_itself(tmp_path: Path):
    outcome = disk.run("postgres", tmp_path, _postgres_gives_up)
    _holds(outcome)
    unanswered = [attempt for attempt in outcome.during if attempt.outcome == "unknown"]
    assert [one for one in unanswered if one.status == 503], "a full disk was not noticed: this proved nothing"
    assert {one.status for one in unanswered} <= {503, None}, "neither 503 nor a time-out"


def test_kafka_disk_full__commands_go_on_and_the_outbox_grows(tmp_path: Path):
    outcome = disk.run("kafka", tmp_path, _outbox_grows)
    _holds(outcome)
    assert not [attempt for attempt in outcome.during if attempt.outcome == "unknown"], "Kafka is none of commands'"


def _holds(outcome: Outcome) -> None:
    assert outcome.still_moving == "", outcome.log[-3000:]
    assert outcome.verdict.holds, [str(violation) for violation in outcome.verdict.violations[:20]]


async def _postgres_gives_up(client: Client, _cast: Cast, full: Disk) -> None:
    """No page more at first, met by commands; then no WAL segment more: PostgreSQL ends all sessions (PANIC)."""
    stack, began = client.stack, time.time()
    await disk.until(lambda: bool(_unanswered(client, began)), FULL_SECONDS)
    assert not _panicked(stack), "no command has met a table that can't grow"
    stack.crashes["postgres"] = stack.crashes.get("postgres", 0) + 1
    ends = time.monotonic() + FULL_SECONDS
    while time.monotonic() < ends:
        full.fill()
        with suppress(psycopg.Error):
            async with opened(stack.admin_url, connect_timeout=2) as conn:
                for _ in range(40):
                    await conn.execute(
                        "SELECT pg_logical_emit_message(true, 'rig', repeat('x', 1000)), pg_switch_wal()"
                    )
        await asyncio.sleep(0.5)
    assert _panicked(stack), "the disk of the WAL was not full"


def _panicked(stack: Stack) -> bool:
    return "PANIC" in (stack.folder / "logs" / "postgres.log").read_text("utf-8", "replace")


def _unanswered(client: Client, began: float) -> list[Attempt]:
    return [a for a in disk.attempts_between(client.recorder, began, time.time()) if a.outcome == "unknown"]


async def _outbox_grows(client: Client, cast: Cast, full: Disk) -> None:
    """People buy all the while; only what comes after the sale waits for Kafka."""
    ends, most, sold = time.monotonic() + FULL_SECONDS, 0, 0
    while time.monotonic() < ends:
        full.fill()
        member, practitioner = cast.members[sold % len(cast.members)], cast.practitioners[0]
        wish = {"product_id": str(cast.product), "practitioner_id": str(practitioner.sub)}
        bought, _ = await client.command(member, "buy", "checkout", "/v1/transactions", wish)
        assert bought.outcome == "ok", "Kafka is none of commands'"
        sold += 1
        async with opened(client.endpoints["postgres"]["checkout"]) as conn:
            row = await (await conn.execute("SELECT count(*) FROM outbox")).fetchone()
        most = max(most, row[0] if row else 0)
        await asyncio.sleep(0.5)
    client.recorder.note("outbox", most=most, sold=sold)
    assert sold > 10
    assert most > 10, "Kafka went on taking records: its disk was not full"
