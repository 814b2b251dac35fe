"""What a screen asks of sessions: filters, joins, what may be done, counts; and assessments."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from services.consultation.tests.rig import Rig, Sold, schedule, tomorrow
from tests.rigs.service import Caller, round_trips

from consultation.sessions.lifecycle import PERSONAL

pytestmark = pytest.mark.servers


async def ids(caller: Caller, query: str) -> list[str]:
    answer = await caller.get(f"/v1/sessions?{query}")
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def several(rig: Rig, count: int, **sale: Any) -> tuple[list[Sold], list[str]]:
    """Sales of one practitioner and a session on each."""
    sale.setdefault("practitioner", uuid4())
    sales = [await rig.sell(**sale) for _ in range(count)]
    return sales, [(await rig.requested(sold))["id"] for sold in sales]


async def test_filters__narrow_to_a_sale_a_person_and_any_of_several_statuses(rig: Rig):
    sales, made = await several(rig, 4)
    practitioner = rig.practitioner_of(sales[0])
    await practitioner.post(f"/v1/sessions/{made[1]}/schedule", schedule("09:00", "10:00"))
    await practitioner.post(f"/v1/sessions/{made[2]}/schedule", schedule("11:00", "12:00"))
    await practitioner.post(f"/v1/sessions/{made[2]}/start")
    assert await ids(practitioner, f"transaction_id={sales[3].id}") == [made[3]]
    assert await ids(practitioner, f"user_id={sales[1].member}") == [made[1]]
    assert await ids(practitioner, "status=on_progress&status=scheduled") == [made[2], made[1]]
    assert await ids(practitioner, f"status=pending_negotiation&user_id={sales[0].member}") == [made[0]]
    of_both = f"practitioner_id={practitioner.id}&user_id={sales[2].member}&start={tomorrow()}"
    assert await ids(rig.admin(), of_both) == [made[2]]
    assert await ids(rig.admin(), f"practitioner_id={practitioner.id}") == made[::-1]
    assert await ids(rig.admin(), f"practitioner_id={practitioner.id}&status=scheduled&status=on_progress") == [
        made[2],
        made[1],
    ]


async def test_filters__never_show_what_is_not_the_callers(rig: Rig):
    """E1."""
    (sold, *_), made = await several(rig, 2)
    stranger = rig.caller("member", "practitioner")
    for asked in (f"transaction_id={sold.id}", f"user_id={sold.member}", f"practitioner_id={sold.practitioner}"):
        assert await ids(stranger, asked) == []
    assert await ids(stranger, f"ids={made[0]}&ids={made[1]}") == []
    assert await ids(rig.member_of(sold), f"ids={made[0]}&ids={made[1]}") == [made[0]]


async def test_statuses_of_all__merge_page_by_page_for_an_admin(rig: Rig):
    """An index for each status, merged: newest first over all of them, nothing twice and nothing left out."""
    sales, made = await several(rig, 5)
    for number in (0, 2, 4):
        await rig.practitioner_of(sales[0]).post(
            f"/v1/sessions/{made[number]}/schedule", schedule(on=tomorrow(number + 1))
        )
    admin, seen, cursor = rig.admin(), [], ""
    while len(seen) < 5:
        query = f"status=scheduled&status=pending_negotiation&limit=2{cursor}"
        answer = (await admin.get(f"/v1/sessions?{query}")).json()
        seen += [item["id"] for item in answer["items"]]
        cursor = f"&cursor={answer['next_cursor']}"
    assert seen[:5] == made[::-1]


async def test_ids__all_come_in_one_page_whatever_the_limit(rig: Rig):
    _, made = await several(rig, 3)
    asked = "&".join(f"ids={one}" for one in [*made, made[0], uuid4()])
    answer = (await rig.admin().get(f"/v1/sessions?limit=1&{asked}")).json()
    assert ([item["id"] for item in answer["items"]], answer["next_cursor"]) == (made[::-1], None)


async def test_ids__more_than_a_hundred_are_refused(rig: Rig):
    answer = await rig.admin().get("/v1/sessions?" + "&".join(f"ids={uuid4()}" for _ in range(101)))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "too_long")


async def test_list__shows_what_was_sold_and_both_names_by_one_statement(rig: Rig):
    """However many rows: the names come with the page."""
    sales, _ = await several(rig, 5)
    await rig.profile(sales[0].practitioner, name="Dr. Budi")
    await rig.introduce(sales[0].practitioner, name="Budi", phone="+6281234567890")
    for sold in sales:
        await rig.introduce(sold.member, name="Sari")
    practitioner = rig.practitioner_of(sales[0])
    counts: list[int] = []
    for limit in (1, 5):
        with round_trips() as asked:
            items = (await practitioner.get(f"/v1/sessions?limit={limit}")).json()["items"]
        counts.append(asked.count)
    assert counts == [1, 1]
    shown = [(i["practitioner_name"], i["member_name"], i["product_name"], i["duration_minutes"]) for i in items]
    assert shown == [("Dr. Budi", "Sari", "Konseling", 60)] * 5
    member = (await rig.member_of(sales[0]).get("/v1/sessions")).json()["items"][0]
    assert member["whatsapp_url"].startswith("https://wa.me/6281234567890?")
    assert {item["whatsapp_url"] for item in items} == {None}


async def test_commands__answer_shows_what_was_sold_too(rig: Rig):
    session = await rig.scheduled(await rig.sell())
    assert (session["product_name"], session["duration_minutes"]) == ("Konseling", 60)


async def test_allowed_commands__are_those_that_the_lifecycle_gives_the_caller(rig: Rig):
    sold = await rig.sell()
    session = await rig.requested(sold)
    path = f"/v1/sessions/{session['id']}"
    member, practitioner, admin = rig.member_of(sold), rig.practitioner_of(sold), rig.admin()

    async def told() -> list[list[str]]:
        return [(await one.get(path)).json()["allowed_commands"] for one in (member, practitioner, admin)]

    assert session["allowed_commands"] == ["cancel"]
    assert await told() == [["cancel"], ["schedule", "cancel"], ["fail"]]
    answer = await practitioner.post(f"{path}/schedule", schedule())
    assert answer.json()["allowed_commands"] == ["reschedule", "start", "upload_result", "cancel"]
    assert await told() == [["cancel"], ["reschedule", "start", "upload_result", "cancel"], ["fail"]]
    await practitioner.post(f"{path}/result", {"result_notes": "x"})
    assert await told() == [[], ["replace_result"], []]
    both = rig.caller("practitioner", "admin", sub=sold.practitioner)
    other = await rig.requested(await rig.sell(practitioner=sold.practitioner))
    assert (await both.get(f"/v1/sessions/{other['id']}")).json()["allowed_commands"] == ["schedule", "cancel", "fail"]
    past = await member.get(f"{path}?as_of=2100-01-01T00:00:00Z")
    assert past.json()["allowed_commands"] == []


async def test_allowed_commands__are_never_refused_for_their_status(rig: Rig):
    """Each that is named is taken as far as the lifecycle goes, each other one is a wrong status."""
    routes: dict[str, tuple[str, str, Any]] = {
        "schedule": ("POST", "schedule", schedule("01:00", "02:00")),
        "reschedule": ("PUT", "schedule", schedule("03:00", "04:00")),
        "start": ("POST", "start", None),
        "upload_result": ("POST", "result", {"result_notes": "x"}),
        "replace_result": ("POST", "result", {"result_notes": "x"}),
        "cancel": ("POST", "cancel", {"reason_code": "other", "reason": "x"}),
    }
    for steps in ((), ("schedule",), ("schedule", "start"), ("schedule", "upload_result"), ("cancel",)):
        for name in sorted(routes):
            sold = await rig.sell()
            session, practitioner = await rig.requested(sold), rig.practitioner_of(sold)

            async def give(name: str, practitioner: Caller = practitioner, id_: str = session["id"]) -> int:
                method, path, body = routes[name]
                return (await practitioner.call(method, f"/v1/sessions/{id_}/{path}", body, If_Match="*")).status_code

            for step in steps:
                assert await give(step) == 200
            allowed = (await practitioner.get(f"/v1/sessions/{session['id']}")).json()["allowed_commands"]
            assert set(allowed) <= set(PERSONAL)
            twin = {"upload_result": "replace_result", "replace_result": "upload_result"}.get(name)
            assert (await give(name) == 200) == (name in allowed or twin in allowed), (steps, name, allowed)


async def test_summary__counts_each_open_session_once(rig: Rig):
    """Waiting, upcoming and overdue are all open ones; in whatever role, an admin's everybody's."""
    sales, made = await several(rig, 5)
    practitioner = rig.practitioner_of(sales[0])
    before = (await rig.admin().get("/v1/sessions/summary")).json()
    for number in (1, 2, 3):
        await practitioner.post(f"/v1/sessions/{made[number]}/schedule", schedule(on=tomorrow(number)))
    await practitioner.post(f"/v1/sessions/{made[2]}/start")
    await practitioner.post(f"/v1/sessions/{made[4]}/cancel", {"reason_code": "other", "reason": "x"})
    await _long_ago(rig, made[3])
    with round_trips() as asked:
        own = (await practitioner.get("/v1/sessions/summary")).json()
    assert (own, asked.count) == ({"waiting": 1, "upcoming": 2, "overdue": 1}, 1)
    await practitioner.post(f"/v1/sessions/{made[3]}/result", {"result_notes": "x"})
    assert (await practitioner.get("/v1/sessions/summary")).json() == {"waiting": 1, "upcoming": 2, "overdue": 0}
    assert (await rig.member_of(sales[0]).get("/v1/sessions/summary")).json()["waiting"] == 1
    nobody = await rig.caller("member").get("/v1/sessions/summary")
    assert nobody.json() == {"waiting": 0, "upcoming": 0, "overdue": 0}
    all_now = (await rig.admin().get("/v1/sessions/summary")).json()
    assert all_now["waiting"] - before["waiting"] == -4
    assert all_now["upcoming"] - before["upcoming"] == 2


async def _long_ago(rig: Rig, session_id: str) -> None:
    moved = "UPDATE {} SET {} WHERE {} = %s RETURNING 1"
    for text in (
        moved.format(
            "feedback_session", "starts_at = starts_at - interval '9 d', ends_at = ends_at - interval '9 d'", "id"
        ),
        moved.format(
            "time_claim",
            "during = tstzrange(lower(during) - interval '9 d', upper(during) - interval '9 d')",
            "session_id",
        ),
    ):
        assert await rig.rows(text, session_id)


async def _assessed(rig: Rig, member: UUID, days_ago: int) -> str:
    id_ = str(uuid4())
    at = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()
    answer = await rig.caller("service").put(f"/v1/assessments/{id_}", {"user_id": str(member), "completed_at": at})
    assert answer.status_code == 201, answer.text
    return id_


async def test_assessments__own_ones_page_by_page_the_last_completed_first(rig: Rig):
    member, other = rig.caller("member"), rig.caller("member")
    old, new, middle = [await _assessed(rig, member.id, days) for days in (30, 1, 7)]
    await _assessed(rig, other.id, 2)
    first = (await member.get("/v1/assessments?limit=2")).json()
    rest = (await member.get(f"/v1/assessments?limit=2&cursor={first['next_cursor']}")).json()
    assert [item["id"] for item in first["items"] + rest["items"]] == [new, middle, old]
    assert rest["next_cursor"] is None
    for seer in (rig.caller("service"), rig.admin()):
        found = (await seer.get(f"/v1/assessments?user_id={member.id}")).json()["items"]
        assert [item["id"] for item in found] == [new, middle, old]
    assert (await other.get(f"/v1/assessments?user_id={member.id}")).json()["items"] == []
    assert (await rig.caller("practitioner").get("/v1/assessments")).status_code == 403


async def test_assessment__is_its_members_and_conditional(rig: Rig):
    member = rig.caller("member")
    path = f"/v1/assessments/{await _assessed(rig, member.id, 1)}"
    read = await member.get(path)
    assert (read.status_code, read.json()["user_id"]) == (200, str(member.id))
    assert (await member.get(path, If_None_Match=read.headers["ETag"])).status_code == 304
    assert (await rig.caller("member").get(path)).status_code == 404
    assert (await rig.admin().get(f"/v1/assessments/{uuid4()}")).status_code == 404
