"""The main path over HTTP on a real database: request, schedule, start, result; the ends; who sees what."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from services.consultation.tests.rig import DRIVE, MEET, Rig, schedule, tomorrow

from booking_web.instants import written

pytestmark = pytest.mark.servers


async def test_paid__the_whole_path_to_a_result(rig: Rig):
    """R1, R3, S1: from the request to the completed session, every step an event in one stream."""
    sold = await rig.sell()
    member, practitioner = rig.member_of(sold), rig.practitioner_of(sold)
    session = await rig.requested(sold)
    assert session["status"] == "pending_negotiation"
    path = f"/v1/sessions/{session['id']}"
    scheduled = await practitioner.post(f"{path}/schedule", schedule())
    assert scheduled.status_code == 200, scheduled.text
    assert scheduled.json()["starts_at"] == f"{tomorrow()}T02:00:00Z"
    assert scheduled.json()["meeting_link"] == MEET
    assert scheduled.headers["ETag"].startswith('"2.')
    started = (await practitioner.post(f"{path}/start")).json()
    assert started["status"] == "on_progress"
    ended_at = written(datetime.fromisoformat(started["started_at"]) + timedelta(microseconds=1))
    body = {"result_link": DRIVE, "result_notes": "Bagus", "ended_at": ended_at}
    result = await practitioner.post(f"{path}/result", body)
    assert (result.json()["status"], result.json()["ended_at"]) == ("completed", ended_at)
    shown = (await member.get(path)).json()
    assert shown == result.json() | {"allowed_commands": []}
    assert (shown["result_link"], shown["result_notes"], shown["version"]) == (DRIVE, "Bagus", 4)
    assert await rig.types(session["id"]) == [
        "ScheduleRequested",
        "SessionScheduled",
        "SessionStarted",
        "ResultUploaded",
    ]


async def test_result__an_end_that_cannot_be_is_told_by_its_field(rig: Rig):
    """S8: in the future, or before the start; nothing is kept of such a result."""
    sold = await rig.sell()
    practitioner = rig.practitioner_of(sold)
    path = f"/v1/sessions/{(await rig.requested(sold))['id']}"
    await practitioner.post(f"{path}/schedule", schedule())
    started = (await practitioner.post(f"{path}/start")).json()
    for ended_at in (f"{tomorrow()}T02:00:00Z", started["started_at"]):
        refused = await practitioner.post(f"{path}/result", {"result_notes": "x", "ended_at": ended_at})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_time")
        assert refused.json()["errors"][0]["pointer"] == "/ended_at"
    assert (await practitioner.get(path)).json()["status"] == "on_progress"


SCHEDULE = ("practitioner", "POST", "/schedule", schedule())
COMMANDS = {
    "schedule": [SCHEDULE],
    "reschedule": [SCHEDULE, ("practitioner", "PUT", "/schedule", schedule("11:00", "12:00"))],
    "start": [SCHEDULE, ("practitioner", "POST", "/start", None)],
    "result": [SCHEDULE, ("practitioner", "POST", "/result", {"result_link": DRIVE, "result_notes": "Bagus"})],
    "replaced result": [
        SCHEDULE,
        ("practitioner", "POST", "/result", {"result_link": DRIVE}),
        ("practitioner", "POST", "/result", {"result_notes": "Bagus"}),
    ],
    "cancel": [("practitioner", "POST", "/cancel", {"reason_code": "other", "reason": "Berhalangan"})],
    "canceled by the member": [("member", "POST", "/cancel", {"reason_code": "other", "reason": "Berhalangan"})],
    "fail": [("admin", "POST", "/fail", {"reason_code": "technical", "reason": "Gagal"})],
}


@pytest.mark.parametrize("known", ["nobody", "both", "practitioner erased", "member erased"])
@pytest.mark.parametrize("commands", COMMANDS.values(), ids=COMMANDS)
async def test_command__is_answered_as_the_session_is_read_afterwards(rig: Rig, commands: list[Any], known: str):
    """Byte for byte, with its ETag; whoever the people are by then."""
    sold = await rig.sell()
    session = await rig.requested(sold)
    if known != "nobody":
        await rig.profile(sold.practitioner, name="Bu Ani")
        await rig.introduce(sold.practitioner, name="Ani", phone="081234567890")
        await rig.introduce(sold.member, name='Sri "Ayu" \\ Dewi \u2028')
    if known.endswith("erased"):
        await rig.erase(sold.member if known == "member erased" else sold.practitioner)
    path = f"/v1/sessions/{session['id']}"
    people = {"member": rig.member_of(sold), "practitioner": rig.practitioner_of(sold), "admin": rig.admin()}
    version = 1
    for who, method, below, body in commands:
        condition = {"If_Match": f'"{version}"'} if method == "PUT" else {}
        answer = await people[who].call(method, path + below, body, **condition)
        assert answer.status_code == 200, answer.text
        read = await people[who].get(path)
        assert (answer.content, answer.headers["ETag"]) == (read.content, read.headers["ETag"])
        version = answer.json()["version"]
