"""I14: the same key and body get the same answer, also at once and after a restart; refusals aren't kept."""

import asyncio
from uuid import uuid4

import pytest
from services.consultation.tests.rig import Rig, rig_of, schedule, settings

pytestmark = pytest.mark.servers


def key() -> dict[str, str]:
    return {"Idempotency_Key": str(uuid4())}


async def test_request__repeated_gets_the_same_answer(rig: Rig):
    """I14, R2: 201 and the same session, also after the session went on."""
    sold = await rig.sell()
    await rig.introduce(sold.practitioner, name="Ani", phone="081234567890")
    member, body, sent = rig.member_of(sold), {"transaction_id": str(sold.id)}, key()
    first = await member.post("/v1/sessions", body, **sent)
    again = await member.post("/v1/sessions", body, **sent)
    assert (again.status_code, again.json()) == (201, first.json())
    await rig.practitioner_of(sold).post(f"/v1/sessions/{first.json()['id']}/schedule", schedule())
    later = await member.post("/v1/sessions", body, **sent)
    assert (later.status_code, later.json()) == (201, first.json())
    assert later.headers["ETag"] == first.headers["ETag"]
    assert first.headers["ETag"].startswith('"1.')


async def test_commands__repeated_get_the_same_answer_whatever_came_after(rig: Rig):
    """I14: schedule, update (its If-Match is stale by then), start, result, cancel."""
    sold = await rig.sell()
    session = await rig.requested(sold)
    path = f"/v1/sessions/{session['id']}"
    practitioner = rig.practitioner_of(sold)
    calls = [
        ("POST", "/schedule", schedule(), {}),
        ("PUT", "/schedule", schedule("10:00", "11:00"), {"If_Match": '"2"'}),
        ("POST", "/start", None, {}),
        ("POST", "/result", {"result_notes": "x"}, {}),
        ("POST", "/result", {"result_notes": "y"}, {}),
    ]
    keys = [key() for _ in calls]
    first = [await practitioner.call(m, path + p, b, **h, **k) for (m, p, b, h), k in zip(calls, keys, strict=True)]
    assert [answer.status_code for answer in first] == [200] * 5
    again = [await practitioner.call(m, path + p, b, **h, **k) for (m, p, b, h), k in zip(calls, keys, strict=True)]
    assert [answer.json() for answer in again] == [answer.json() for answer in first]
    assert len(await rig.types(session["id"])) == 6


async def test_key__with_another_body_is_refused(rig: Rig):
    """I14: 422 `idempotency_key_reused`, also on another session."""
    sold = await rig.sell()
    session = await rig.requested(sold)
    practitioner, sent = rig.practitioner_of(sold), key()
    path = f"/v1/sessions/{session['id']}/schedule"
    assert (await practitioner.post(path, schedule(), **sent)).status_code == 200
    other = await practitioner.post(path, schedule("11:00", "12:00"), **sent)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_refusal__is_decided_anew(rig: Rig):
    """I14: it changed nothing, so it isn't kept."""
    sold = await rig.sell(paid=False)
    member, sent = rig.member_of(sold), key()
    refused = await member.post("/v1/sessions?wait=0", {"transaction_id": str(sold.id)}, **sent)
    assert refused.status_code == 409
    await rig.tell(sold, sold.paid())
    assert (await member.post("/v1/sessions?wait=0", {"transaction_id": str(sold.id)}, **sent)).status_code == 201


async def test_twins_at_once__one_session_and_one_answer(rig: Rig):
    """I14, R2: fifty with one key, no conflict among them."""
    sold = await rig.sell()
    member, sent = rig.member_of(sold), key()
    answers = await asyncio.gather(
        *(member.post("/v1/sessions", {"transaction_id": str(sold.id)}, **sent) for _ in range(50))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1


async def test_twins_of_a_schedule_at_once__one_event(rig: Rig):
    """I14, S4: the twin of a success meets neither the version nor its own claim."""
    sold = await rig.sell()
    session = await rig.requested(sold)
    practitioner, sent, times = rig.practitioner_of(sold), key(), schedule()
    answers = await asyncio.gather(
        *(practitioner.post(f"/v1/sessions/{session['id']}/schedule", times, **sent) for _ in range(30))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert len(await rig.types(session["id"])) == 2


async def test_twins_of_an_assessment_at_once__one_version(rig: Rig):
    """I14, R1: a write without a stream."""
    service, sent = rig.caller("service"), key()
    body = {"user_id": str(uuid4()), "completed_at": "2026-11-01T08:00:00Z"}
    path = f"/v1/assessments/{uuid4()}"
    answers = await asyncio.gather(*(service.put(path, body, **sent) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert {answer.json()["version"] for answer in answers} == {1}


async def test_restart__the_answer_is_still_known(fresh_database):
    """I14: the record is in the database, not in the process."""
    made = settings(fresh_database("consultation"))
    async with rig_of(made) as rig:
        sold = await rig.sell()
        sent = key()
        first = await rig.member_of(sold).post("/v1/sessions", {"transaction_id": str(sold.id)}, **sent)
    async with rig_of(made) as rig:
        again = await rig.member_of(sold).post("/v1/sessions", {"transaction_id": str(sold.id)}, **sent)
    assert (again.status_code, again.json()) == (201, first.json())
