"""P2, P5 and R4: what another service's event or nobody's answer does to a session."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from services.consultation.tests.rig import Rig, schedule
from tests.rigs.waiting import until

from booking_web.consistency import ConsistencyToken
from consultation.sessions import timers

pytestmark = pytest.mark.servers


def timer(rig: Rig, kind, *, at: datetime) -> timers.Timer:
    """A timer of the service whose clock stands."""
    return kind(database=rig.service.database, clock=lambda: at, poll_seconds=0.05, after_commit=lambda: None)


async def status(rig: Rig, session_id: str) -> str:
    return (await rig.admin().get(f"/v1/sessions/{session_id}")).json()["status"]


@pytest.mark.parametrize("begun", [False, True])
async def test_reassigned__an_open_session_waits_for_the_new_practitioner(rig: Rig, begun: bool):
    """P2: back to pending with the new one, the time freed, a new term; told by the system."""
    sold, new = await rig.sell(request_limit_minutes=60), uuid4()
    session = await (rig.scheduled(sold) if begun else rig.requested(sold))
    old, moved_at = sold.practitioner, datetime.now(UTC)
    await rig.tell(sold, sold.reassigned(new))
    shown = (await rig.practitioner_of(sold).get(f"/v1/sessions/{session['id']}")).json()
    assert (shown["status"], shown["practitioner_id"], shown["starts_at"]) == ("pending_negotiation", str(new), None)
    assert datetime.fromisoformat(shown["respond_by"]) >= moved_at + timedelta(minutes=60)
    assert shown["schedule_version"] == (2 if begun else 1)
    item = (await rig.admin().get(f"/v1/sessions/{session['id']}/history")).json()["items"][0]
    assert (item["type"], item["actor"]) == ("PractitionerChanged", "system")
    assert item["data"]["previous_practitioner_id"] == str(old)
    assert (await rig.caller("practitioner", sub=old).get(f"/v1/sessions/{session['id']}")).status_code == 404
    assert await rig.rows("SELECT 1 FROM time_claim WHERE session_id = %s", session["id"]) == []
    again = await rig.practitioner_of(sold).post(f"/v1/sessions/{session['id']}/schedule", schedule())
    assert again.status_code == 200


@pytest.mark.parametrize("ended", ["start", "result"])
async def test_reassigned__a_begun_session_stays_until_checkout_takes_it_back(rig: Rig, ended: str):
    """P2: ignored on_progress and completed; the way back finds the practitioner who is there and changes nothing."""
    sold, new = await rig.sell(), uuid4()
    session = await rig.scheduled(sold)
    old = sold.practitioner
    body = {"result_notes": "x"} if ended == "result" else None
    await rig.practitioner_of(sold).post(f"/v1/sessions/{session['id']}/{ended}", body)
    before = await rig.types(session["id"])
    await rig.tell(sold, sold.reassigned(new))
    assert await rig.types(session["id"]) == before
    assert (await rig.caller("practitioner", sub=new).get(f"/v1/sessions/{session['id']}")).status_code == 404
    await rig.tell(sold, sold.reassigned(old))
    assert await rig.types(session["id"]) == before


async def test_reassigned__without_a_session_the_next_request_is_the_new_ones(rig: Rig):
    """P2: the pair is the sale's."""
    sold, new = await rig.sell(), uuid4()
    await rig.tell(sold, sold.reassigned(new))
    assert (await rig.requested(sold))["practitioner_id"] == str(new)


async def test_reassigned__racing_a_schedule(rig: Rig):
    """P2, S4: the stream's version decides; in the end it is the new one's, without a claim of the old one."""
    for _ in range(40):
        sold, new = await rig.sell(), uuid4()
        session = await rig.requested(sold)
        old = rig.practitioner_of(sold)
        answer, _ = await asyncio.gather(
            old.post(f"/v1/sessions/{session['id']}/schedule", schedule()), rig.tell(sold, sold.reassigned(new))
        )
        assert answer.status_code in {200, 404}, answer.text
        rows = await rig.rows("SELECT status, practitioner_id FROM feedback_session WHERE id = %s", session["id"])
        assert rows == [("pending_negotiation", new)]
        assert await rig.rows("SELECT 1 FROM time_claim WHERE session_id = %s", session["id"]) == []


async def test_unanswered__fails_when_due_and_the_member_may_request_again(rig: Rig):
    """R4: reason practitioner_timeout, by the system; not before the term."""
    sold = await rig.sell(request_limit_minutes=60)
    session = await rig.requested(sold)
    due = datetime.fromisoformat(session["respond_by"])
    await timer(rig, timers.time_outs, at=due - timedelta(seconds=1)).tick()
    assert await status(rig, session["id"]) == "pending_negotiation"
    assert await timer(rig, timers.time_outs, at=due).tick() >= 1
    shown = (await rig.member_of(sold).get(f"/v1/sessions/{session['id']}")).json()
    assert (shown["status"], shown["reason_code"], shown["reason"]) == ("failed", "practitioner_timeout", None)
    await rig.requested(sold)


async def test_timers__ask_the_database_what_is_due(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    """F60: a process whose clock is two hours ahead fails nobody's request two hours early."""
    session = await rig.requested(await rig.sell(request_limit_minutes=60))

    class Ahead(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(hours=2)

    monkeypatch.setattr("consultation.dependencies.datetime", Ahead)
    mine = [worker for worker in rig.service.workers if isinstance(worker, timers.Timer)]
    assert [worker.name for worker in mine] == ["respond-by", "auto-start"]
    for worker in mine:
        await worker.tick()
    assert await status(rig, session["id"]) == "pending_negotiation"


async def test_sessions_that_fail_again_and_again__keep_nobody_else_waiting(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    """Rows without a stream, as only damage makes them; they are first in line, and more than a batch."""
    monkeypatch.setattr(timers, "BATCH", 2)
    model = await rig.requested(await rig.sell(request_limit_minutes=1))
    damaged = (
        "INSERT INTO feedback_session SELECT (jsonb_populate_record(f, jsonb_build_object('id', gen_random_uuid(),"
        " 'transaction_id', gen_random_uuid()))).* FROM feedback_session f, generate_series(1, 5) WHERE f.id = %s"
        " RETURNING id"
    )
    ids = [row[0] for row in await rig.rows(damaged, model["id"])]
    last = await rig.requested(await rig.sell(request_limit_minutes=2))
    try:
        await timer(rig, timers.time_outs, at=datetime.now(UTC) + timedelta(minutes=3)).tick()
    finally:
        await rig.rows("DELETE FROM feedback_session WHERE id = ANY(%s) RETURNING id", ids)
    assert await status(rig, last["id"]) == "failed"


async def test_answered__never_times_out(rig: Rig):
    """R4: nor does one that was reassigned with a new term."""
    sold, other = await rig.sell(request_limit_minutes=1), await rig.sell(request_limit_minutes=1)
    answered = await rig.scheduled(sold)
    moved = await rig.requested(other)
    due = datetime.fromisoformat(moved["respond_by"])
    await rig.tell(other, other.reassigned(uuid4()))
    await timer(rig, timers.time_outs, at=due).tick()
    assert [await status(rig, answered["id"]), await status(rig, moved["id"])] == ["scheduled", "pending_negotiation"]


async def test_time_outs__by_several_copies_at_once_fail_each_session_once(rig: Rig):
    """R4: the expected version decides; also against the practitioner's answer."""
    sales = [await rig.sell(request_limit_minutes=1) for _ in range(20)]
    sessions = [await rig.requested(sold) for sold in sales]
    late = datetime.now(UTC) + timedelta(minutes=2)
    copies = [timer(rig, timers.time_outs, at=late) for _ in range(4)]
    answers, *_ = await asyncio.gather(
        asyncio.gather(
            *(
                rig.practitioner_of(sold).post(f"/v1/sessions/{session['id']}/schedule", schedule())
                for sold, session in zip(sales, sessions, strict=True)
            )
        ),
        *(copy.tick() for copy in copies),
    )
    await copies[0].tick()
    for answer, session in zip(answers, sessions, strict=True):
        assert answer.status_code in {200, 409}
        types = await rig.types(session["id"])
        assert types == ["ScheduleRequested", "SessionScheduled" if answer.status_code == 200 else "SessionFailed"]


async def test_auto_start__at_its_time_where_the_product_says_so(rig: Rig):
    """P1, S6: the system starts what is due or late; others wait for their practitioner."""
    automatic, manual = await rig.sell(auto_start=True), await rig.sell()
    first, second = await rig.scheduled(automatic), await rig.scheduled(manual)
    starts_at = datetime.fromisoformat(first["starts_at"])
    await timer(rig, timers.starts, at=starts_at - timedelta(seconds=1)).tick()
    assert await status(rig, first["id"]) == "scheduled"
    await timer(rig, timers.starts, at=starts_at + timedelta(hours=5)).tick()
    assert [await status(rig, first["id"]), await status(rig, second["id"])] == ["on_progress", "scheduled"]


async def test_timer__runs_until_it_is_stopped(rig: Rig):
    """R4: the worker itself, as the process runs it."""
    sold = await rig.sell(request_limit_minutes=0)
    session = await rig.requested(sold)
    worker, stop = timer(rig, timers.time_outs, at=datetime.now(UTC) + timedelta(minutes=1)), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))

    async def failed() -> bool:
        return await status(rig, session["id"]) == "failed"

    await until(failed)
    stop.set()
    await running
    assert worker.progress().backlog == 0


async def test_consistency_token__waits_for_its_version_and_is_never_silently_stale(rig: Rig):
    """api.md: a request that names a version gets it, or 503 `not_yet_visible` with Retry-After."""
    sold = await rig.sell(paid=False)
    token = ConsistencyToken("checkout", "transaction", str(sold.id), 3).encode()
    member, body = rig.member_of(sold), {"transaction_id": str(sold.id)}
    early = await member.post("/v1/sessions?wait=0.05", body, Consistency_Token=token)
    assert (early.status_code, early.json()["code"]) == (503, "not_yet_visible")
    assert early.headers["Retry-After"] == "1"
    asked = asyncio.create_task(member.post("/v1/sessions", body, Consistency_Token=token))
    await rig.tell(sold, sold.paid())
    made = await asked
    assert made.status_code == 201
    own = ConsistencyToken.decode(made.headers["Consistency-Token"])
    assert (own.service, own.kind, own.id, own.version) == ("consultation", "session", made.json()["id"], 1)
    foreign = ConsistencyToken("notifier", "preference", str(uuid4()), 9).encode()
    assert (await member.get("/v1/sessions?wait=0", Consistency_Token=foreign)).status_code == 200
