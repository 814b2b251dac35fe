"""F9, I14: the append is committed and exactly its answer is lost; the same key then gets the first result."""

import asyncio
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from services.consultation.tests.rig import Rig, rig_of, schedule, settings
from shared.process.tests.proxy import Loss, Proxy, proxied
from tests.rigs.waiting import until

from consultation.sessions import timers

pytestmark = pytest.mark.servers
SILENCE_ENDS = 5.0  # the statement's time-out of 2 s, and two more, as Database waits


def _type(name: str) -> bytes:
    """An event's type as the append's statement sends it: an element of a binary array, its length before it."""
    return len(name).to_bytes(4, "big") + name.encode()


@pytest.fixture
async def behind_proxy(fresh_database) -> AsyncGenerator[tuple[Rig, Proxy]]:
    """The service with every connection of its pool by way of a proxy."""
    databases = fresh_database("consultation")
    async with proxied(databases.app_url) as (proxy, url):
        changed = {"database_url": url, "database_statement_timeout_seconds": 2.0}
        async with rig_of(settings(databases).model_copy(update=changed)) as rig:
            yield rig, proxy


@pytest.mark.parametrize("loss", ["reset", "silence"])
async def test_request__whose_committed_answer_is_lost__the_same_key_gets_the_one_session(
    behind_proxy: tuple[Rig, Proxy], loss: Loss
):
    rig, proxy = behind_proxy
    sold = await rig.sell()
    member, body, sent = rig.member_of(sold), {"transaction_id": str(sold.id)}, {"Idempotency_Key": str(uuid4())}
    lost = proxy.lose_answer(_type("ScheduleRequested"), loss=loss)
    began = time.monotonic()
    unknown = await member.post("/v1/sessions", body, **sent)
    assert time.monotonic() - began < SILENCE_ENDS
    assert lost.happened.is_set(), "the append passed, and its answer came as far as the proxy"
    assert (unknown.status_code, unknown.json()["code"]) == (503, "database_unavailable")
    assert unknown.headers["Retry-After"]
    stored = await rig.rows("SELECT id FROM feedback_session WHERE transaction_id = %s", sold.id)
    assert len(stored) == 1, "it was committed: unknown is no refusal"

    again = await member.post("/v1/sessions", body, **sent)
    assert (again.status_code, again.json()["id"], again.headers["ETag"][:3]) == (201, str(stored[0][0]), '"1.')
    assert await rig.types(again.json()["id"]) == ["ScheduleRequested"]
    marks = await rig.rows("SELECT count(*) FROM outbox WHERE key = %s", again.json()["id"])
    assert marks == [(1,)], "one event is published, once"
    other_key = await member.post("/v1/sessions", body, Idempotency_Key=str(uuid4()))
    assert (other_key.status_code, other_key.json()["code"]) == (409, "active_session_exists")


@pytest.mark.parametrize("loss", ["reset", "silence"])
async def test_schedule__whose_committed_answer_is_lost__meets_its_own_claim_as_a_success(
    behind_proxy: tuple[Rig, Proxy], loss: Loss
):
    """S4: without the key's row in the same commit the retry would be refused, by the version or the held time."""
    rig, proxy = behind_proxy
    sold = await rig.sell()
    session = await rig.requested(sold)
    practitioner, times, sent = rig.practitioner_of(sold), schedule(), {"Idempotency_Key": str(uuid4())}
    path = f"/v1/sessions/{session['id']}/schedule"
    lost = proxy.lose_answer(_type("SessionScheduled"), loss=loss)
    assert (await practitioner.post(path, times, **sent)).status_code == 503
    assert lost.happened.is_set()
    answers = await asyncio.gather(*(practitioner.post(path, times, **sent) for _ in range(5)))
    assert {(answer.status_code, answer.headers["ETag"][:3]) for answer in answers} == {(200, '"2.')}
    assert await rig.types(session["id"]) == ["ScheduleRequested", "SessionScheduled"]


async def test_timer__whose_answer_is_lost_and_its_database_with_it__waits_and_is_no_reason_for_a_restart(
    behind_proxy: tuple[Rig, Proxy],
):
    """F9, F7: due sessions wait for PostgreSQL, for however long; then nothing is done twice."""
    rig, proxy = behind_proxy
    session = await rig.requested(await rig.sell(request_limit_minutes=0))
    worker = timers.time_outs(
        database=rig.service.database,
        clock=lambda: datetime.now(UTC) + timedelta(minutes=1),
        poll_seconds=0.1,
        after_commit=lambda: None,
    )
    lost, stop = proxy.lose_answer(_type("SessionFailed"), loss="silence"), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await asyncio.wait_for(lost.happened.wait(), 60)
    await proxy.down()
    await until(lambda: _waits(worker))
    assert worker.progress().backlog == 1
    assert worker.progress().alive(patience=0.0)
    await proxy.up()
    await until(lambda: _rests(worker))
    stop.set()
    await running
    assert await rig.types(session["id"]) == ["ScheduleRequested", "SessionFailed"]


async def _waits(worker: timers.Timer) -> bool:
    return worker.progress().waiting_for == "postgres"


async def _rests(worker: timers.Timer) -> bool:
    return worker.progress().waiting_for is None and worker.progress().backlog == 0
