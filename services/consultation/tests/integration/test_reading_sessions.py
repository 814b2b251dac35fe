"""E1, E2, E4, E5: who sees what, lists, history, the past, and what an erasure leaves."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from services.consultation.tests.rig import DRIVE, Rig, schedule, tomorrow
from tests.rigs.records import record_of
from tests.rigs.waiting import until

from booking_contracts.directory import PersonContact
from booking_contracts.topics import CONTACTS
from booking_store import Cause, CommandContext, FreeText, handle
from consultation.people import erase
from consultation.sessions.commands import Actor, Cancel
from consultation.sessions.store import SESSION

pytestmark = pytest.mark.servers

REASON = {"reason_code": "other", "reason": "x"}
ROUTES = [
    ("GET", "", None),
    ("GET", "?as_of=2026-11-22T00:00:00Z", None),
    ("GET", "/history", None),
    ("POST", "/schedule", schedule()),
    ("PUT", "/schedule", schedule()),
    ("POST", "/start", None),
    ("POST", "/result", {"result_notes": "x"}),
    ("POST", "/cancel", REASON),
    ("POST", "/fail", REASON),
]
# What each caller gets at a scheduled session of one pair; S: it works, else the status.
RIGHTS = {
    "own member": ["S", 404, "S", 403, 403, 403, 403, "S", 403],
    "own practitioner": ["S", 404, "S", 409, "S", "S", "S", "S", 403],
    "other member": [404, 404, 404, 403, 403, 403, 403, 404, 403],
    "other practitioner": [404, 404, 404, 404, 404, 404, 404, 404, 403],
    "admin": ["S", 404, "S", 403, 403, 403, 403, 403, "S"],
    "service": [403] * 9,
    "anonymous": [401] * 9,
}


@pytest.mark.parametrize("who", RIGHTS)
async def test_rights__of_every_route_and_caller(rig: Rig, who: str):
    """E1, T1, T7: what is not theirs is 404, what they may not do 403, without a token 401 (before it began: 404)."""
    for (method, path, body), expected in zip(ROUTES, RIGHTS[who], strict=True):
        sold = await rig.sell()
        session = await rig.scheduled(sold, start="01:00", end="01:30", on=tomorrow(40))
        callers = {
            "own member": rig.member_of(sold),
            "own practitioner": rig.practitioner_of(sold),
            "other member": rig.caller("member"),
            "other practitioner": rig.caller("practitioner"),
            "admin": rig.admin(),
            "service": rig.caller("service"),
        }
        full = f"/v1/sessions/{session['id']}{path}"
        if who == "anonymous":
            answer = await rig.http.request(method, full, json=body)
        else:
            answer = await callers[who].call(method, full, body, If_Match='"2"')
        status = "S" if answer.status_code == 200 else answer.status_code
        assert status == expected, (method, path, answer.text)
        unknown = f"/v1/sessions/{uuid4()}{path}"
        if who != "anonymous" and expected != 403:
            assert (await callers[who].call(method, unknown, body, If_Match='"2"')).status_code == 404


async def test_one_person_in_several_roles__acts_in_the_fitting_one(rig: Rig):
    """E1: a practitioner who is an admin too fails as admin and schedules as practitioner."""
    sold = await rig.sell()
    session = await rig.scheduled(sold)
    both = rig.caller("practitioner", "admin", "member", sub=sold.practitioner)
    failed = await both.post(f"/v1/sessions/{session['id']}/fail", {"reason_code": "technical", "reason": "x"})
    assert failed.status_code == 200
    history = (await both.get(f"/v1/sessions/{session['id']}/history")).json()["items"]
    assert [item["actor"].split(":")[0] for item in history] == ["admin", "practitioner", "member"]


async def test_list__newest_first_with_pages_of_the_own_alone(rig: Rig):
    """E1, api.md: a person's lists hold what they are a party of, newest first, page by page."""
    practitioner = uuid4()
    made = [await rig.requested(await rig.sell(practitioner=practitioner)) for _ in range(5)]
    await rig.requested(await rig.sell(member=practitioner))
    ids = [session["id"] for session in made]
    caller = rig.caller("practitioner", "member", sub=practitioner)
    first = (await caller.get("/v1/sessions?limit=2")).json()
    assert [item["id"] for item in first["items"]][1] == ids[4]
    seen, cursor = [item["id"] for item in first["items"]], first["next_cursor"]
    while cursor:
        page = (await caller.get(f"/v1/sessions?limit=2&cursor={cursor}")).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 6
    assert seen[1:] == ids[::-1]
    assert (await caller.get("/v1/sessions?cursor=x")).status_code == 422
    assert (await caller.get("/v1/sessions?limit=201")).status_code == 422


async def test_list__filters_and_the_waiting_list(rig: Rig):
    """R4, S1: by status (`pending` is `scheduled`), by start, and the waiting list by who must be answered first."""
    practitioner = uuid4()
    slow = await rig.requested(await rig.sell(practitioner=practitioner, request_limit_minutes=500))
    quick = await rig.requested(await rig.sell(practitioner=practitioner, request_limit_minutes=100))
    early = await rig.scheduled(await rig.sell(practitioner=practitioner), start="08:00", end="08:30", on=tomorrow(9))
    late = await rig.scheduled(await rig.sell(practitioner=practitioner), start="10:00", end="10:30", on=tomorrow(9))
    caller = rig.caller("practitioner", sub=practitioner)

    async def ids(query: str) -> list[str]:
        return [item["id"] for item in (await caller.get(f"/v1/sessions?{query}")).json()["items"]]

    assert await ids("status=pending_negotiation") == [quick["id"], slow["id"]]
    assert await ids("status=scheduled") == await ids("status=pending") == [late["id"], early["id"]]
    assert await ids(f"start={early['starts_at']}&end={late['starts_at']}") == [early["id"]]
    assert await ids(f"start={early['starts_at']}") == [late["id"], early["id"]]
    assert await ids("status=completed") == []
    first = (await caller.get("/v1/sessions?status=pending_negotiation&limit=1")).json()
    assert await ids(f"status=pending_negotiation&limit=1&cursor={first['next_cursor']}") == [slow["id"]]
    assert (await caller.get(f"/v1/sessions?cursor={first['next_cursor']}")).status_code == 422
    assert (await caller.get("/v1/sessions?status=nonsense")).status_code == 422
    assert (await caller.get("/v1/sessions?start=2026-12-01T00:00:00")).status_code == 422
    reversed_range = (await caller.get("/v1/sessions?start=2026-12-02&end=2026-12-01")).json()
    assert [(error["pointer"], error["code"]) for error in reversed_range["errors"]] == [("?end", "invalid_time")]
    member = rig.caller("member", sub=UUID(late["user_id"]))
    shown = (await member.get(f"/v1/sessions?start={early['starts_at']}")).json()["items"]
    assert [item["id"] for item in shown] == [late["id"]]


async def test_history_and_past__every_step_is_there(rig: Rig):
    """E2, E5: who did what and when; the state as of an instant is the fold of what was recorded by then."""
    sold = await rig.sell()
    session = await rig.scheduled(sold)
    path = f"/v1/sessions/{session['id']}"
    practitioner, member = rig.practitioner_of(sold), rig.member_of(sold)
    await practitioner.post(f"{path}/result", {"result_notes": "first"})
    await practitioner.post(f"{path}/result", {"result_link": DRIVE})
    answer = await member.get(f"{path}/history")
    items = answer.json()["items"]
    assert answer.headers["ETag"].startswith('"4.')
    assert [item["version"] for item in items] == [4, 3, 2, 1]
    assert items[2]["actor"] == f"practitioner:{sold.practitioner}"
    assert items[2]["data"]["meeting_link"] == session["meeting_link"]
    assert "first" not in answer.text
    two = (await member.get(f"{path}/history?limit=3")).json()
    rest = (await member.get(f"{path}/history?limit=3&cursor={two['next_cursor']}")).json()
    assert ([item["version"] for item in rest["items"]], rest["next_cursor"]) == ([1], None)
    recorded = await rig.rows("SELECT recorded_at FROM events WHERE stream_id = %s ORDER BY version", session["id"])
    as_of = [
        (await member.get(f"{path}?as_of={moment.isoformat().replace('+', '%2B')}")).json() for (moment,) in recorded
    ]
    assert [past["version"] for past in as_of] == [1, 2, 3, 4]
    assert [past["status"] for past in as_of] == ["pending_negotiation", "scheduled", "completed", "completed"]
    assert (as_of[0]["starts_at"], as_of[1]["starts_at"]) == (None, session["starts_at"])
    assert (as_of[2]["result_notes"], as_of[2]["result_link"]) == ("first", None)
    assert as_of[3] == (await member.get(path)).json()
    before = (recorded[0][0] - timedelta(microseconds=1)).isoformat().replace("+", "%2B")
    assert (await member.get(f"{path}?as_of={before}")).status_code == 404
    assert (await member.get(f"{path}?as_of=2026-11-22")).status_code == 422


async def test_past__is_read_with_the_rights_of_today(rig: Rig):
    """E5, P2: after a change of practitioner the old one reads nothing, the new one the past too."""
    sold, new = await rig.sell(), uuid4()
    session = await rig.scheduled(sold)
    old = rig.practitioner_of(sold)
    await rig.tell(sold, sold.reassigned(new))
    past = f"/v1/sessions/{session['id']}?as_of={datetime.now(UTC).strftime('%Y-%m-%dT%H:%M:%S.%fZ')}"
    assert (await old.get(past)).status_code == 404
    assert (await old.get(f"/v1/sessions/{session['id']}/history")).status_code == 404
    shown = (await rig.practitioner_of(sold).get(f"/v1/sessions/{session['id']}")).json()
    assert (shown["status"], shown["starts_at"], shown["practitioner_id"]) == ("pending_negotiation", None, str(new))


async def finished(rig: Rig) -> tuple:
    """A completed session with a text, and a canceled one, of one member."""
    sold = await rig.sell()
    await rig.introduce(sold.member, name="Sri Canary", phone="081234567890")
    await rig.introduce(sold.practitioner, name="Ani Canary")
    done = await rig.scheduled(sold)
    body = {"result_notes": "canary notes", "result_link": DRIVE}
    await rig.practitioner_of(sold).post(f"/v1/sessions/{done['id']}/result", body)
    second = await rig.sell(member=sold.member, practitioner=sold.practitioner)
    ended = await rig.requested(second)
    cancel = {"reason_code": "canceled_by_member", "reason": "canary reason"}
    await rig.member_of(second).post(f"/v1/sessions/{ended['id']}/cancel", cancel)
    return sold, done, ended


async def test_erased_member__leaves_valid_events_and_named_gaps(rig: Rig):
    """E4, E5, T21: contact, texts by and about the member are gone from every table; `erased` names the gaps."""
    sold, done, ended = await finished(rig)
    await rig.erase(sold.member)
    shown = (await rig.admin().get(f"/v1/sessions/{done['id']}")).json()
    assert (shown["result_link"], shown["result_notes"], shown["member_name"]) == (None, None, None)
    assert shown["erased"] == ["member_name", "result_link", "result_notes"]
    assert shown["status"] == "completed"
    canceled = (await rig.admin().get(f"/v1/sessions/{ended['id']}")).json()
    assert (canceled["reason"], canceled["reason_code"]) == (None, "canceled_by_member")
    assert canceled["erased"] == ["member_name", "reason"]
    item = (await rig.admin().get(f"/v1/sessions/{ended['id']}/history")).json()["items"][0]
    assert (item["reason"], item["erased"]) == (None, ["reason"])
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    past = (await rig.admin().get(f"/v1/sessions/{done['id']}?as_of={now}")).json()
    assert past == shown
    for table in ("events", "feedback_session", "session_text", "contact", "practitioner", "held", "outbox"):
        found = await rig.rows(
            f"SELECT 1 FROM {table} t WHERE t::text LIKE '%%anary%%' AND t::text LIKE ANY (ARRAY[%s, %s, %s])",
            f"%{sold.member}%",
            f"%{done['id']}%",
            f"%{ended['id']}%",
        )
        assert found == [], table


async def test_erased_member__is_never_written_again(rig: Rig):
    """E4: a late contact record and a late note leave nothing; the tombstone, sent again, changes nothing."""
    sold = await rig.sell()
    session = await rig.scheduled(sold)
    await rig.erase(sold.member)
    await rig.introduce(sold.member, name="Sri", phone="081234567890", version=7)
    await rig.take(record_of(CONTACTS, sold.member, None, 8, of=PersonContact))
    await rig.take(record_of(CONTACTS, sold.member, None, 8, of=PersonContact))
    result = await rig.practitioner_of(sold).post(f"/v1/sessions/{session['id']}/result", {"result_notes": "late"})
    assert result.status_code == 200
    shown = (await rig.practitioner_of(sold).get(f"/v1/sessions/{session['id']}")).json()
    assert (shown["member_name"], shown["result_notes"], shown["status"]) == (None, None, "completed")
    assert shown["erased"] == ["member_name", "result_notes"]
    assert await rig.rows("SELECT * FROM contact WHERE person_id = %s", sold.member) == []
    assert await rig.rows("SELECT * FROM session_text WHERE session_id = %s", session["id"]) == []


async def blocked_or_done(rig: Rig, task: asyncio.Task[Any]) -> bool:
    return task.done() or bool(await rig.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))


async def test_words_just_being_written__an_erasure_waits_for_them_and_deletes_them(rig: Rig):
    """E4: both orders of a command and an erasure leave no words."""
    sold = await rig.sell()
    session = await rig.requested(sold)
    actor = Actor("member", sold.member)
    async with rig.service.database.transaction() as conn:
        words = FreeText(uuid4(), sold.member, "canary reason")
        context = CommandContext(Cause("system", str(uuid4())), datetime.now(UTC), text=words)
        cancel = Cancel(actor, context.at, "canceled_by_member", words.id)
        await handle(conn, SESSION, UUID(session["id"]), cancel, context)
        erasing = asyncio.create_task(rig.erase(sold.member))
        await until(lambda: blocked_or_done(rig, erasing))
    await asyncio.wait_for(erasing, 20)
    assert await rig.rows("SELECT text FROM session_text WHERE session_id = %s", session["id"]) == []


async def test_erasure_under_way__words_wait_for_it_and_are_not_kept(rig: Rig):
    sold = await rig.sell()
    session = await rig.requested(sold)
    async with rig.service.database.transaction() as conn:
        await erase(conn, sold.member, datetime.now(UTC))
        cancel = {"reason_code": "canceled_by_practitioner", "reason": "canary reason"}
        path = f"/v1/sessions/{session['id']}/cancel"
        canceling = asyncio.create_task(rig.practitioner_of(sold).post(path, cancel))
        await until(lambda: blocked_or_done(rig, canceling))
    assert (await asyncio.wait_for(canceling, 20)).status_code == 200
    assert await rig.rows("SELECT text FROM session_text WHERE session_id = %s", session["id"]) == []


async def test_erased_practitioner__loses_name_and_own_texts_alone(rig: Rig):
    """E4: free text by that person; the member's reason stays."""
    sold, done, ended = await finished(rig)
    await rig.profile(sold.practitioner, name="Ani")
    await rig.erase(sold.practitioner)
    shown = (await rig.member_of(sold).get(f"/v1/sessions/{done['id']}")).json()
    assert shown["erased"] == ["practitioner_name", "result_link", "result_notes"]
    canceled = (await rig.member_of(sold).get(f"/v1/sessions/{ended['id']}")).json()
    assert (canceled["reason"], canceled["erased"]) == ("canary reason", ["practitioner_name"])
