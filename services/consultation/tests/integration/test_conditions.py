"""Conditions and replays of sessions and assessments; tags that change whenever the body does (RFC 9110 §13, S7)."""

import asyncio
from uuid import uuid4

import psycopg
import pytest
from services.consultation.tests.rig import Rig, schedule
from tests.rigs.waiting import until

pytestmark = pytest.mark.servers
DONE = "2026-01-02T03:04:05Z"
WAITING = (
    "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND (database IS NULL"
    " OR database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
)


@pytest.mark.parametrize("header", ['W/"2"', '"2-gzip"', '"2--gzip"', 'W/"2-br"', '"1", "2"', "*"])
async def test_scheduled__what_a_proxy_made_of_the_tag_still_reschedules(rig: Rig, header: str) -> None:
    """S7: the tag is a version and not bytes."""
    sold = await rig.sell()
    path = f"/v1/sessions/{(await rig.scheduled(sold))['id']}"
    practitioner = rig.practitioner_of(sold)
    moved = await practitioner.put(f"{path}/schedule", schedule("10:00", "11:00"), If_Match=header)
    assert (moved.status_code, moved.json()["version"]) == (200, 3)
    stale = await practitioner.put(f"{path}/schedule", schedule("12:00", "13:00"), If_Match='"2"')
    assert (stale.status_code, stale.json()["current_version"]) == (412, 3)


@pytest.mark.parametrize("header", ["2", '"2', "anything", ""])
async def test_malformed__400_that_names_the_form_and_changes_nothing(rig: Rig, header: str) -> None:
    sold = await rig.sell()
    path = f"/v1/sessions/{(await rig.scheduled(sold))['id']}"
    practitioner = rig.practitioner_of(sold)
    refused = await practitioner.put(f"{path}/schedule", schedule("10:00", "11:00"), If_Match=header)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")
    assert (await practitioner.get(path, If_None_Match=header)).status_code == 400
    assert (await practitioner.get(path)).json()["version"] == 2


async def test_scheduled__if_none_match_refuses_what_is_there(rig: Rig) -> None:
    sold = await rig.sell()
    path = f"/v1/sessions/{(await rig.scheduled(sold))['id']}"
    for header in ("*", '"2"'):
        answer = await rig.practitioner_of(sold).post(f"{path}/start", If_None_Match=header)
        assert (answer.status_code, answer.json()["code"]) == (412, "stale_version")
    no_version = await rig.member_of(sold).post("/v1/sessions", {"transaction_id": str(sold.id)}, If_Match='"1"')
    assert no_version.status_code == 412


async def test_a_name_changes__the_session_that_shows_it_has_a_new_tag(rig: Rig) -> None:
    """The version stays, so the practitioner's change that was decided on it still holds."""
    sold = await rig.sell()
    await rig.introduce(sold.member, name="Sari")
    path = f"/v1/sessions/{(await rig.scheduled(sold))['id']}"
    practitioner = rig.practitioner_of(sold)
    for page in (path, f"{path}/history"):
        before = await practitioner.get(page)
        assert (await practitioner.get(page, If_None_Match=before.headers["etag"])).status_code == 304
    before = await practitioner.get(path)
    await rig.introduce(sold.member, name="Sari Dewi", version=2)
    after = await practitioner.get(path, If_None_Match=before.headers["etag"])
    assert (after.status_code, after.json()["member_name"], after.json()["version"]) == (200, "Sari Dewi", 2)
    assert after.headers["etag"] != before.headers["etag"]
    moved = await practitioner.put(f"{path}/schedule", schedule("10:00", "11:00"), If_Match=before.headers["etag"])
    assert moved.status_code == 200


async def test_words_are_erased__session_and_history_have_new_tags(rig: Rig) -> None:
    """E4: a cached copy of what was erased is never confirmed."""
    sold = await rig.sell()
    path = f"/v1/sessions/{(await rig.requested(sold))['id']}"
    reason = {"reason_code": "other", "reason": "Sakit"}
    assert (await rig.member_of(sold).post(f"{path}/cancel", reason)).status_code == 200
    admin = rig.admin()
    before = {page: await admin.get(page) for page in (path, f"{path}/history")}
    await rig.erase(sold.member)
    for page, seen in before.items():
        after = await admin.get(page, If_None_Match=seen.headers["etag"])
        assert after.status_code == 200
        assert after.json() != seen.json()


async def test_assessment__conditions_hold(rig: Rig) -> None:
    service, path = rig.caller("service"), f"/v1/assessments/{uuid4()}"
    body = {"user_id": str(uuid4()), "completed_at": DONE}
    assert (await service.put(path, body, If_Match="*")).status_code == 412
    assert (await service.put(path, body, If_None_Match="*")).status_code == 201
    assert (await service.put(path, body, If_None_Match="*")).status_code == 412
    later = {**body, "completed_at": "2026-01-03T03:04:05Z"}
    assert (await service.put(path, later, If_Match='W/"1"')).json()["version"] == 2
    assert (await service.put(path, later, If_Match='"1"')).status_code == 412


async def test_assessment_moved_on__a_replay_is_the_first_answer(rig: Rig) -> None:
    service, path = rig.caller("service"), f"/v1/assessments/{uuid4()}"
    body = {"user_id": str(uuid4()), "completed_at": DONE}
    sent = {"Idempotency_Key": str(uuid4()), "If_None_Match": "*"}
    first = await service.put(path, body, **sent)
    await service.put(path, {**body, "completed_at": "2026-01-03T03:04:05Z"})
    again = await service.put(path, body, **sent)
    assert (again.status_code, again.json(), again.headers["etag"]) == (201, first.json(), first.headers["etag"])


async def test_two_first_puts_of_an_assessment__one_creates_it(rig: Rig) -> None:
    service, path = rig.caller("service"), f"/v1/assessments/{uuid4()}"
    body = {"user_id": str(uuid4()), "completed_at": DONE}
    later = {**body, "completed_at": "2026-01-03T03:04:05Z"}
    for condition, expected in (({}, [(200, 2), (201, 1)]), ({"If_None_Match": "*"}, [(201, 1), (412, None)])):
        path = f"/v1/assessments/{uuid4()}"
        async with await psycopg.AsyncConnection.connect(rig.owner_url) as conn:
            await conn.execute("LOCK TABLE assessment IN SHARE MODE")
            puts = [asyncio.ensure_future(service.put(path, one, **condition)) for one in (body, later)]

            async def both_wait() -> bool:
                return (await rig.rows(WAITING))[0][0] >= 2

            await until(both_wait)
            await conn.rollback()
            answers = await asyncio.gather(*puts)
        assert sorted((one.status_code, one.json().get("version")) for one in answers) == expected
