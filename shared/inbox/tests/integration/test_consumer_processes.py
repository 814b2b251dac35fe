"""The consumer as processes: killed between its two commits, rebalanced, paused, stopped (F14, F23, F27, F29)."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from shared.inbox.tests.consumer_rig import Rig, rig_of, session_event
from tests.rigs.waiting import until

from booking_contracts.topics import SESSIONS

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[4]


@pytest.fixture
async def rig(postgres, kafka) -> AsyncGenerator[Rig]:
    async with rig_of(postgres, kafka) as made:
        yield made


@asynccontextmanager
async def process(rig: Rig, **environment: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A consumer process, killed at the block's end if it still runs."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "shared.inbox.tests.consumer_child",
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": rig.databases.app_url,
            "KAFKA_BOOTSTRAP": rig.bootstrap,
            "TOPIC_PREFIX": rig.prefix,
            **environment,
        },
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def test_killed_between_database_and_offset_commit__no_effect_twice_none_missing(rig: Rig):
    keys = [uuid4() for _ in range(3)]
    await rig.send(*(session_event(key, v).changed(partition=0) for v in (1, 2) for key in keys))
    for passage in range(1, 6):
        async with process(rig, CRASH_AT=f"consumer.after_commit@{passage}") as child:
            # All offsets are committed together, at the batch's end: each restart gets all six again.
            assert await asyncio.wait_for(child.wait(), 60) == -signal.SIGKILL
        assert await rig.committed() == 0
        assert await rig.effects() >= 1
    async with process(rig):
        await until(rig.caught_up)
    assert await rig.effects() == 6
    for key in keys:
        assert await rig.applied(key) == [1, 2]


async def test_rebalances_under_load__every_record_once_in_order(rig: Rig):
    chance = random.Random(7)
    keys = [uuid4() for _ in range(30)]
    await rig.send(*(session_event(key, v) for v in range(1, 7) for key in keys))
    async with process(rig, SLOW="0.05"):
        for _ in range(3):
            before = await rig.effects()
            async with process(rig, SLOW="0.05") as second:
                await until(lambda before=before: _more_than(rig, before + 10))
                second.send_signal(chance.choice([signal.SIGTERM, signal.SIGKILL]))
                await asyncio.wait_for(second.wait(), 60)
        await until(rig.caught_up, patience=60)
    for key in keys:
        assert await rig.applied(key) == [1, 2, 3, 4, 5, 6]
    assert await rig.held() == []


async def test_a_zombie__paused_past_its_session_then_woken__changes_nothing_twice(rig: Rig):
    keys = [uuid4() for _ in range(12)]
    await rig.send(*(session_event(key, v) for v in (1, 2, 3) for key in keys))
    async with process(rig, SLOW="0.2") as zombie:
        await until(lambda: _more_than(rig, 3))
        zombie.send_signal(signal.SIGSTOP)
        async with process(rig, SLOW="0.02"):
            # The row that the zombie has locked stays so until PostgreSQL ends its idle transaction.
            await until(rig.caught_up, patience=60)
            zombie.send_signal(signal.SIGCONT)
            await rig.send(*(session_event(key, 4) for key in keys))
            await until(rig.caught_up, patience=60)
    for key in keys:
        assert await rig.applied(key) == [1, 2, 3, 4]


async def test_sigterm_while_applying__finishes_and_exits_0(rig: Rig):
    key = uuid4()
    await rig.send(*(session_event(key, v) for v in (1, 2, 3)))
    async with process(rig, SLOW="1", GRACE="5") as child:
        await until(lambda: _in_apply(rig))
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 60) == 0
    done = await rig.applied(key)
    assert done == [1], "what was in hand is finished, nothing more begun"
    assert await rig.committed() == 1


async def test_sigterm_while_applying__longer_than_the_grace__rolls_back_exits_0_and_the_next_takes_it(rig: Rig):
    key = uuid4()
    await rig.send(session_event(key, 1))
    async with process(rig, SLOW="30", GRACE="0.5") as child:
        await until(lambda: _in_apply(rig))
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 60) == 0
    assert await rig.applied(key) == []
    assert await rig.committed() == 0
    async with process(rig):
        await until(rig.caught_up)
    assert await rig.applied(key) == [1]


async def test_sigterm_at_random_under_load__no_loss_no_double(rig: Rig):
    chance = random.Random(11)
    keys = [uuid4() for _ in range(10)]
    await rig.send(*(session_event(key, v) for v in range(1, 9) for key in keys))
    while not await rig.caught_up():
        before = await rig.effects()
        async with process(rig, SLOW="0.03", GRACE=chance.choice(["0.01", "2"])) as child:
            wanted = before + chance.randrange(1, 40)
            await until(lambda wanted=wanted: _at_least_or_done(rig, wanted))
            child.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(child.wait(), 60) == 0
    for key in keys:
        assert await rig.applied(key) == list(range(1, 9))
    assert await rig.end(SESSIONS) == 80


async def _more_than(rig: Rig, effects: int) -> bool:
    return await rig.effects() > effects or await rig.caught_up()


async def _at_least_or_done(rig: Rig, effects: int) -> bool:
    """Whether the process has worked; where all effects were there before it, only its commit of offsets shows that."""
    return await rig.effects() >= effects or await rig.caught_up()


async def _in_apply(rig: Rig) -> bool:
    sql = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    return bool(await rig.sql(sql))
