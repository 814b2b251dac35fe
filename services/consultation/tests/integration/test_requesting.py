"""R1, R2, P5 over HTTP: who may request a session, once, and under any number of requests at once."""

import asyncio
import re
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from services.consultation.tests.rig import DRIVE, Rig, schedule
from tests.rigs.records import record_of
from tests.rigs.waiting import until

from booking_contracts.assessments import AssessmentCompleted
from booking_contracts.topics import ASSESSMENTS
from booking_inbox import Hold
from consultation.sessions.store import COMMANDS

pytestmark = pytest.mark.servers
WHEN = "2026-11-01T08:00:00Z"


async def assess(rig: Rig, member, assessment=None):
    """An assessment of that member, told over HTTP."""
    assessment = assessment or uuid4()
    body = {"user_id": str(member), "completed_at": WHEN}
    return assessment, await rig.caller("service").put(f"/v1/assessments/{assessment}", body)


def holds(answer: dict[str, Any], number: str) -> bool:
    """Whether an answer has this phone number, however it is written: with 0, 62 or +62 before it, parted or not."""
    return number in re.sub(r"[^0-9a-z]", "", str(answer).lower())


async def test_unpaid__the_own_sale_is_a_conflict_and_unknown_or_foreign_ones_are_not_there(rig: Rig):
    """R1, E1: 409 for the own unpaid one; 404 for what is unknown or somebody else's."""
    unpaid, foreign = await rig.sell(paid=False), await rig.sell()
    member = rig.member_of(unpaid)
    own = await member.post("/v1/sessions?wait=0", {"transaction_id": str(unpaid.id)})
    assert (own.status_code, own.json()["code"]) == (409, "transaction_not_paid")
    for id_ in (foreign.id, uuid4()):
        other = await member.post("/v1/sessions?wait=0", {"transaction_id": str(id_)})
        assert (other.status_code, other.json()["code"]) == (404, "not_found")


async def test_unpaid__the_request_waits_for_the_payment(rig: Rig):
    """R1: the events of another service may be about to come; 2 seconds are theirs."""
    sold = await rig.sell(paid=False)
    refusals = COMMANDS.labels("request", "transaction_not_paid")._value
    before = refusals.get()
    asked = asyncio.create_task(rig.member_of(sold).post("/v1/sessions?wait=10", {"transaction_id": str(sold.id)}))
    await until(lambda: refusals.get() > before + 1, "it to be decided again")
    assert not asked.done()
    await rig.tell(sold, sold.paid())
    assert (await asked).status_code == 201


async def test_roles__only_members_request(rig: Rig):
    """R1: a role that the route never allows is 403, no token 401."""
    sold = await rig.sell()
    for role in ("practitioner", "admin", "service"):
        answer = await rig.caller(role, sub=sold.member).post("/v1/sessions", {"transaction_id": str(sold.id)})
        assert answer.status_code == 403
    assert (await rig.http.post("/v1/sessions", json={})).status_code == 401


async def test_answer__brings_the_whatsapp_link_and_the_names(rig: Rig):
    """The document's selectPractitioner: the link to negotiate by hand, for the member and while it is needed."""
    sold = await rig.sell()
    await rig.profile(sold.practitioner, name="Bu Ani")
    await rig.introduce(sold.practitioner, name="Ani", phone="0812-3456-7890")
    await rig.introduce(sold.member, name="Sri & Co")
    session = await rig.requested(sold)
    assert session["whatsapp_url"].startswith(
        "https://wa.me/6281234567890?text=Halo%20Bu%20Ani%2C%20saya%20Sri%20%26%20Co."
    )
    assert (session["practitioner_name"], session["member_name"]) == ("Bu Ani", "Sri & Co")
    path = f"/v1/sessions/{session['id']}"
    assert (await rig.member_of(sold).get(path)).json()["whatsapp_url"] == session["whatsapp_url"]
    (item,) = (await rig.member_of(sold).get("/v1/sessions")).json()["items"]
    assert item["whatsapp_url"] == session["whatsapp_url"]
    for other in (rig.practitioner_of(sold), rig.admin()):
        shown = (await other.get(path)).json()
        assert (shown["whatsapp_url"], holds(shown, "81234567890")) == (None, False)
    await rig.practitioner_of(sold).post(f"{path}/schedule", schedule())
    shown = (await rig.member_of(sold).get(path)).json()
    assert (shown["whatsapp_url"], holds(shown, "81234567890")) == (None, False)


async def test_reassigned__the_member_gets_the_new_practitioners_whatsapp_link(rig: Rig):
    sold, new = await rig.sell(), uuid4()
    await rig.introduce(sold.practitioner, name="Ani", phone="081234567890")
    await rig.introduce(new, name="Budi", phone="081298765432")
    session = await rig.requested(sold)
    await rig.tell(sold, sold.reassigned(new))
    shown = (await rig.member_of(sold).get(f"/v1/sessions/{session['id']}")).json()
    assert shown["whatsapp_url"].startswith("https://wa.me/6281298765432?text=Halo%20Budi")


async def test_assessment__must_be_the_members_own(rig: Rig):
    """R1: only the member's own assessment; unknown and foreign are 404."""
    sold = await rig.sell()
    mine, made = await assess(rig, sold.member)
    assert made.status_code == 201
    foreign, _ = await assess(rig, uuid4())
    member = rig.member_of(sold)
    for wrong in (foreign, uuid4()):
        body = {"transaction_id": str(sold.id), "assessment_id": str(wrong)}
        assert (await member.post("/v1/sessions?wait=0", body)).status_code == 404
    session = await rig.requested(sold, assessment_id=str(mine))
    assert session["assessment_id"] == str(mine)


async def test_assessment__its_member_is_written_once(rig: Rig):
    """R1: the same again changes nothing, another date makes a version, another member is refused, by topic held."""
    owner, other = uuid4(), uuid4()
    assessment, made = await assess(rig, owner)
    assert (made.status_code, made.json()["version"], made.headers["ETag"]) == (201, 1, '"1"')
    _, again = await assess(rig, owner, assessment)
    assert (again.status_code, again.json()["version"]) == (200, 1)
    service = rig.caller("service")
    later = {"user_id": str(owner), "completed_at": "2026-11-02T08:00:00Z"}
    changed = await service.put(f"/v1/assessments/{assessment}", later)
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    stale = await service.put(f"/v1/assessments/{assessment}", later, If_Match='"1"')
    assert stale.status_code == 412
    _, refused = await assess(rig, other, assessment)
    assert (refused.status_code, refused.json()["code"]) == (409, "other_owner")
    record = record_of(
        ASSESSMENTS,
        assessment,
        AssessmentCompleted(assessment_id=assessment, user_id=other, completed_at=datetime.now(UTC)),
        None,
    )
    with pytest.raises(Hold):
        await rig.take(record)
    for role in ("member", "practitioner"):
        answer = await rig.caller(role, sub=owner).put(f"/v1/assessments/{assessment}", later)
        assert answer.status_code == 403


async def test_active__a_second_request_names_the_first(rig: Rig):
    """R2: at most one active session per Transaction; 409 with its id."""
    sold = await rig.sell()
    first = await rig.requested(sold)
    second = await rig.member_of(sold).post("/v1/sessions", {"transaction_id": str(sold.id)})
    assert (second.status_code, second.json()["code"]) == (409, "active_session_exists")
    assert second.json()["session_id"] == first["id"]


async def test_active__a_second_request_on_the_assessment_names_the_first(rig: Rig):
    """R2: at most one active session per assessment, also by another purchase; a completed one frees it."""
    one = await rig.sell()
    two = await rig.sell(member=one.member)
    assessment, _ = await assess(rig, one.member)
    first = await rig.requested(one, assessment_id=str(assessment))
    body = {"transaction_id": str(two.id), "assessment_id": str(assessment)}
    second = await rig.member_of(two).post("/v1/sessions", body)
    assert (second.status_code, second.json()["session_id"]) == (409, first["id"])
    practitioner = rig.practitioner_of(one)
    await practitioner.post(f"/v1/sessions/{first['id']}/schedule", schedule())
    await practitioner.post(f"/v1/sessions/{first['id']}/result", {"result_notes": "x"})
    assert (await rig.member_of(two).post("/v1/sessions", body)).status_code == 201


async def test_ended__the_member_may_request_again_until_one_is_completed(rig: Rig):
    """R2: after canceled and failed again, after completed never: a paid Transaction buys one completed session."""
    sold = await rig.sell()
    member = rig.member_of(sold)
    first = await rig.requested(sold)
    await member.post(f"/v1/sessions/{first['id']}/cancel", {"reason_code": "other", "reason": "x"})
    second = await rig.requested(sold)
    await rig.admin().post(f"/v1/sessions/{second['id']}/fail", {"reason_code": "technical", "reason": "x"})
    third = await rig.scheduled(sold)
    await rig.practitioner_of(sold).post(f"/v1/sessions/{third['id']}/result", {"result_link": DRIVE})
    used = await member.post("/v1/sessions", {"transaction_id": str(sold.id)})
    assert (used.status_code, used.json()["code"], used.json()["session_id"]) == (409, "transaction_used", third["id"])


async def test_fifty_requests_at_once__one_session_and_forty_nine_refusals_that_name_it(rig: Rig):
    """R2, I7: under any concurrency."""
    sold = await rig.sell()
    member = rig.member_of(sold)
    answers = await asyncio.gather(*(member.post("/v1/sessions", {"transaction_id": str(sold.id)}) for _ in range(50)))
    made = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code == 409]
    assert (len(made), len(refused)) == (1, 49), [answer.text for answer in answers if answer.status_code >= 500]
    assert {answer.json()["session_id"] for answer in refused} == {made[0].json()["id"]}
    assert await rig.rows("SELECT count(*) FROM feedback_session WHERE transaction_id = %s", sold.id) == [(1,)]


async def test_fifty_double_requests_at_once__each_pair_makes_one_session(rig: Rig, record_property):
    """R2, I7: a hundred requests in flight, two for each of fifty sales: fifty sessions, fifty refusals naming them."""
    sales = [await rig.sell() for _ in range(50)]
    begun = time.perf_counter()
    answers = await asyncio.gather(
        *(
            rig.member_of(sold).post("/v1/sessions", {"transaction_id": str(sold.id)})
            for sold in sales
            for _ in range(2)
        )
    )
    spent = time.perf_counter() - begun
    for one, other in zip(answers[::2], answers[1::2], strict=True):
        made, refused = sorted((one, other), key=lambda answer: answer.status_code)
        assert (made.status_code, refused.status_code) == (201, 409), refused.text
        assert refused.json()["session_id"] == made.json()["id"]
    record_property("figures", f"50 double requests at once: 50 sessions, 50 refusals (409), 0 other, {spent:.2f} s")


async def test_two_sales_one_assessment_at_once__one_session(rig: Rig):
    """R2, I7: per assessment, under any concurrency."""
    first = await rig.sell()
    sales = [first, *[await rig.sell(member=first.member) for _ in range(9)]]
    assessment, _ = await assess(rig, first.member)
    answers = await asyncio.gather(
        *(
            rig.member_of(sold).post("/v1/sessions", {"transaction_id": str(sold.id), "assessment_id": str(assessment)})
            for sold in sales
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9


async def test_refund__ends_the_right_and_the_open_session_and_its_failure_restores_it(rig: Rig):
    """P5: RefundRequested: no request, the open one fails by the system; RefundFailed: the right returns."""
    sold = await rig.sell()
    session = await rig.scheduled(sold)
    await rig.tell(sold, sold.refund_requested())
    member = rig.member_of(sold)
    shown = (await member.get(f"/v1/sessions/{session['id']}")).json()
    assert (shown["status"], shown["reason_code"], shown["reason"]) == ("failed", "payment_reversed", None)
    history = (await member.get(f"/v1/sessions/{session['id']}/history")).json()["items"]
    assert (history[0]["type"], history[0]["actor"]) == ("SessionFailed", "system")
    again = await member.post("/v1/sessions", {"transaction_id": str(sold.id)})
    assert (again.status_code, again.json()["code"]) == (409, "transaction_not_paid")
    await rig.tell(sold, sold.refund_failed())
    await rig.requested(sold)


async def test_refund__of_reviewed_money_changes_no_right(rig: Rig):
    """P5: a refund with a review_id returns the reviewed money only."""
    sold = await rig.sell()
    session = await rig.requested(sold)
    review = uuid4()
    await rig.tell(sold, sold.refund_requested(review), sold.refunded(review))
    shown = (await rig.member_of(sold).get(f"/v1/sessions/{session['id']}")).json()
    assert shown["status"] == "pending_negotiation"
    await rig.member_of(sold).post(
        f"/v1/sessions/{session['id']}/cancel", {"reason_code": "other", "reason": "another time"}
    )
    await rig.requested(sold)  # the right to request is untouched too


async def test_refund__leaves_a_completed_session_and_ends_one_on_progress(rig: Rig):
    """P5: a completed session stays; what the provider began itself counts as well."""
    done, running = await rig.sell(), await rig.sell()
    completed, started = await rig.scheduled(done), await rig.scheduled(running)
    await rig.practitioner_of(done).post(f"/v1/sessions/{completed['id']}/result", {"result_notes": "x"})
    await rig.practitioner_of(running).post(f"/v1/sessions/{started['id']}/start")
    await rig.tell(done, done.refund_requested(), done.refunded())
    await rig.tell(running, running.refunded())
    assert (await rig.admin().get(f"/v1/sessions/{completed['id']}")).json()["status"] == "completed"
    assert (await rig.admin().get(f"/v1/sessions/{started['id']}")).json()["status"] == "failed"


async def test_request__racing_a_refund(rig: Rig):
    """P5, R1: write skew, ended by the guard both ways: never an open session on a sale that is being given back."""
    outcomes: set[str] = set()
    for _ in range(60):
        sold = await rig.sell()
        asked = rig.member_of(sold).post("/v1/sessions?wait=0", {"transaction_id": str(sold.id)})
        answer, _ = await asyncio.gather(asked, rig.tell(sold, sold.refund_requested()))
        assert answer.status_code in {201, 409}, answer.text
        rows = await rig.rows("SELECT status FROM feedback_session WHERE transaction_id = %s", sold.id)
        assert rows == ([("failed",)] if answer.status_code == 201 else []), answer.text
        outcomes.add(str(answer.status_code))
    assert outcomes


async def test_request__racing_a_reassignment(rig: Rig):
    """P2: whoever comes first, the session is the new practitioner's in the end."""
    for _ in range(60):
        sold, new = await rig.sell(), uuid4()
        asked = rig.member_of(sold).post("/v1/sessions?wait=0", {"transaction_id": str(sold.id)})
        answer, _ = await asyncio.gather(asked, rig.tell(sold, sold.reassigned(new)))
        assert answer.status_code == 201, answer.text
        rows = await rig.rows("SELECT practitioner_id, status FROM feedback_session WHERE id = %s", answer.json()["id"])
        assert rows == [(new, "pending_negotiation")]
