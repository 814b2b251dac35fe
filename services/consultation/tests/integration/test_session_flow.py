"""The main path over HTTP on a real database: request, schedule, start, result; the ends; who sees what."""

import pytest
from services.consultation.tests.rig import DRIVE, MEET, Rig, schedule, tomorrow

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
    assert (await practitioner.post(f"{path}/start")).json()["status"] == "on_progress"
    result = await practitioner.post(f"{path}/result", {"result_link": DRIVE, "result_notes": "Bagus"})
    assert result.json()["status"] == "completed"
    shown = (await member.get(path)).json()
    assert shown == result.json()
    assert (shown["result_link"], shown["result_notes"], shown["version"]) == (DRIVE, "Bagus", 4)
    assert await rig.types(session["id"]) == [
        "ScheduleRequested",
        "SessionScheduled",
        "SessionStarted",
        "ResultUploaded",
    ]
