"""S1 to S7 over HTTP: times, links, overlaps under any number of schedules at once, reasons, versions."""

import asyncio
import os
import random
import time
from collections import Counter
from datetime import date, datetime, timedelta
from datetime import time as clock
from typing import Any
from uuid import uuid4

import pytest
from services.consultation.tests.rig import MEET, Rig, Sold, schedule, tomorrow

from booking_contracts.zones import zone

pytestmark = pytest.mark.servers
RACE_ROUNDS = int(os.environ.get("RACE_ROUNDS", "4"))
"""Of the races: a few in each run; RACE_ROUNDS=50 for the whole of it."""

OVERLAPS = """
SELECT a.session_id, b.session_id FROM time_claim a JOIN time_claim b
ON a.person_id = b.person_id AND a.session_id < b.session_id AND a.during && b.during
"""
UNCLAIMED = """
SELECT s.id FROM feedback_session s WHERE s.status IN ('scheduled', 'on_progress') AND 2 <> (
    SELECT count(*) FROM time_claim c WHERE c.session_id = s.id AND c.during = tstzrange(s.starts_at, s.ends_at, '[)')
    AND c.person_id IN (s.practitioner_id, s.user_id))
UNION ALL
SELECT c.session_id FROM time_claim c JOIN feedback_session s ON s.id = c.session_id
WHERE s.status NOT IN ('scheduled', 'on_progress')
"""


async def requested_with(rig: Rig, practitioner=None, member=None, **sale) -> tuple[Sold, dict]:
    sold = await rig.sell(practitioner=practitioner or uuid4(), member=member or uuid4(), **sale)
    return sold, await rig.requested(sold)


async def test_zone__is_the_practitioners_unless_another_is_named(rig: Rig):
    """S1: the profile's zone, the platform's where there is none."""
    sold, session = await requested_with(rig)
    path = f"/v1/sessions/{session['id']}/schedule"
    practitioner = rig.practitioner_of(sold)
    platform = (await practitioner.post(path, schedule(timezone=None))).json()
    assert (platform["timezone"], platform["starts_at"][10:]) == ("Asia/Jakarta", "T02:00:00Z")
    await rig.profile(sold.practitioner, name="Ani", timezone="Asia/Jayapura")
    moved = (await practitioner.put(path, schedule(timezone=None), If_Match='"2"')).json()
    assert (moved["timezone"], moved["starts_at"][10:]) == ("Asia/Jayapura", "T00:00:00Z")


@pytest.mark.parametrize("gone", ["localtime", "Factory", "America/Atlantis"])
async def test_zone__a_profile_with_none_of_this_release_is_told_to_name_one(rig: Rig, gone: str):
    """S1: what an older release let in breaks no consumer, and is never guessed at."""
    sold, session = await requested_with(rig)
    path = f"/v1/sessions/{session['id']}/schedule"
    practitioner = rig.practitioner_of(sold)
    await rig.profile(sold.practitioner, name="Ani", timezone=gone)
    refused = await practitioner.post(path, schedule(timezone=None))
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/timezone")
    assert "name one by `timezone`" in refused.json()["errors"][0]["detail"]
    assert (await practitioner.post(path, schedule())).status_code == 200


async def test_links__what_makes_them_work_is_stored_or_they_are_refused(rig: Rig):
    """S3: over HTTP, for meetings and results; more stand in the corpus."""
    sold, session = await requested_with(rig)
    path, practitioner = f"/v1/sessions/{session['id']}", rig.practitioner_of(sold)
    personal = "https://us02web.zoom.us/w/81234567890?pwd=RHBt&tk=Dod7vSSUVf.DQIAAA&uuid=WN_cJ_6hP8q"
    done = await practitioner.post(f"{path}/schedule", schedule(link=personal))
    assert (done.status_code, done.json()["meeting_link"]) == (200, personal)
    stream = "https://contoso-my.sharepoint.com/personal/sri_contoso_com/_layouts/15/stream.aspx"
    file = "id=%2Fpersonal%2Fsri_contoso_com%2FDocuments%2FRecordings%2FSesi.mp4"
    for broken in (stream, f"{stream}?referrer=StreamWebApp%2EWeb", f"{stream}?{file}&key=1"):
        refused = await practitioner.post(f"{path}/result", {"result_link": broken})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_link")
        assert "Paste the link" in refused.json()["errors"][0]["detail"]
    kept = await practitioner.post(f"{path}/result", {"result_link": f"{stream}?{file}&referrer=StreamWebApp%2EWeb"})
    assert (kept.status_code, kept.json()["result_link"]) == (200, f"{stream}?{file}")


def next_repeated_hour() -> tuple[str, date]:
    """A zone that repeats the hour from 01:00 or 02:00 within the next seven months, and the date."""
    for days in range(3, 250):
        for name, hour in (("America/New_York", 1), ("Australia/Sydney", 2)):
            moment = datetime.combine(tomorrow(days), clock(hour, 30), zone(name))
            if moment.utcoffset() != moment.replace(fold=1).utcoffset():
                return name, moment.date()
    raise AssertionError("no such night")


async def test_repeated_hour__a_session_across_it_can_be_written_and_read(rig: Rig):
    """S1, S2: from the first 02:30 to the second 02:15 are 45 minutes (01:30 to 01:15 in New York)."""
    sold, session = await requested_with(rig)
    name, night = next_repeated_hour()
    hour = "01" if name.startswith("America") else "02"
    body = schedule(f"{hour}:30", f"{hour}:15", on=night, timezone=name, fold=0)
    path = f"/v1/sessions/{session['id']}"
    practitioner = rig.practitioner_of(sold)
    refused = await practitioner.post(f"{path}/schedule", body | {"fold_end": 0})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/time_end")
    done = await practitioner.post(f"{path}/schedule", body)
    assert done.status_code == 200, done.text
    for shown in (done.json(), (await practitioner.get(path)).json()):
        ends, starts = (datetime.fromisoformat(shown[key]) for key in ("ends_at", "starts_at"))
        assert (ends - starts, shown["fold"], shown["fold_end"]) == (timedelta(minutes=45), 0, 1)
    longer = schedule(f"{hour}:15", f"{hour}:45", on=night, timezone=name, fold=0, fold_end=1)
    moved = (await practitioner.put(f"{path}/schedule", longer, If_Match='"2"')).json()
    ends, starts = (datetime.fromisoformat(moved[key]) for key in ("ends_at", "starts_at"))
    assert ends - starts == timedelta(minutes=90)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"timezone": "Asia/Atlantis"}, "/timezone"),
        ({"timezone": "Factory"}, "/timezone"),
        ({"timezone": "localtime"}, "/timezone"),
        ({"timezone": "america/vancouver"}, "/timezone"),
        ({"time_end": "09:00"}, "/time_end"),
        ({"time_end": "09:04"}, "/time_end"),
        ({"time_end": "17:01"}, "/time_end"),
        ({"scheduled_date": "2020-01-01"}, "/scheduled_date"),
        ({"scheduled_date": "9999-12-31", "ends_next_day": True}, "/scheduled_date"),
    ],
)
async def test_wrong_time__is_422_with_its_field(rig: Rig, change, field):
    """S1, S2: `invalid_time`, with a pointer to what is to blame."""
    sold, session = await requested_with(rig)
    body = schedule() | change
    answer = await rig.practitioner_of(sold).post(f"/v1/sessions/{session['id']}/schedule", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_time")
    assert [error["pointer"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    "change",
    [
        {"time_start": "9:00"},
        {"time_start": "24:00"},
        {"time_start": "09:00:00"},
        {"time_start": 32400},
        {"scheduled_date": 20500},
        {"scheduled_date": "2027-02-29"},
        {"scheduled_date": "01-12-2026"},
        {"fold": 2},
        {"fold_end": 2},
        {"fold_end": "1"},
        {"meeting_link": None},
        {"starts_at": "2026-12-01T00:00:00Z"},
        {"status": "completed"},
        {"practitioner_id": "00000000-0000-0000-0000-000000000000"},
        {"timezone": "a" * 100},
        {"timezone": "Asia/\ud800"},
        {"timezone": "Asia/\x00"},
    ],
)
async def test_malformed_schedule__is_422(rig: Rig, change):
    """S1, T5: nothing but the fields, each in its one spelling."""
    sold, session = await requested_with(rig)
    answer = await rig.practitioner_of(sold).post(f"/v1/sessions/{session['id']}/schedule", schedule() | change)
    assert answer.status_code == 422, answer.text


async def test_wrong_link__is_422_and_a_good_one_is_stored_in_its_canonical_form(rig: Rig):
    """S3: `invalid_link`; what is stored is rebuilt from its parts."""
    sold, session = await requested_with(rig)
    path = f"/v1/sessions/{session['id']}"
    practitioner = rig.practitioner_of(sold)
    redirect = "https://meet.google.com/linkredirect?dest=https://evil.example"
    for link in (redirect, "", "x" * 600, "https://x\\@" + MEET[8:]):
        answer = await practitioner.post(f"{path}/schedule", schedule(link=link))
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_link"), link
        assert answer.json()["errors"][0]["pointer"] == "/meeting_link"
    done = await practitioner.post(
        f"{path}/schedule", schedule(link="HTTPS://Meet.Google.com/abc-defg-hij?authuser=1#x")
    )
    assert done.json()["meeting_link"] == MEET
    result = await practitioner.post(f"{path}/result", {"result_link": "https://evil.example/x"})
    assert (result.status_code, result.json()["errors"][0]["pointer"]) == (422, "/result_link")
    assert (await practitioner.post(f"{path}/result", {})).status_code == 422


async def test_overlap__of_the_practitioner_names_the_session_that_they_may_see(rig: Rig):
    """S4: 409 with the other session, since it is the practitioner's own."""
    practitioner = uuid4()
    first_sold, _ = await requested_with(rig, practitioner)
    first = await rig.rows("SELECT id FROM feedback_session WHERE transaction_id = %s", first_sold.id)
    path = f"/v1/sessions/{first[0][0]}/schedule"
    assert (await rig.practitioner_of(first_sold).post(path, schedule("09:00", "10:00"))).status_code == 200
    sold, session = await requested_with(rig, practitioner)
    answer = await rig.practitioner_of(sold).post(f"/v1/sessions/{session['id']}/schedule", schedule("09:59", "11:00"))
    assert (answer.status_code, answer.json()["code"], answer.json()["party"]) == (409, "overlap", "practitioner")
    assert [conflict["session_id"] for conflict in answer.json()["conflicts"]] == [str(first[0][0])]


async def test_overlap__of_the_member_names_nothing_to_a_stranger(rig: Rig):
    """S4, E1: the member's session with somebody else is in the way, and nobody's business here."""
    member = uuid4()
    other = await rig.sell(member=member)
    await rig.scheduled(other)
    sold, session = await requested_with(rig, member=member)
    answer = await rig.practitioner_of(sold).post(f"/v1/sessions/{session['id']}/schedule", schedule("09:30", "10:30"))
    assert (answer.status_code, answer.json()["party"], answer.json()["conflicts"]) == (409, "member", [])


async def test_overlap__in_whatever_role(rig: Rig):
    """S4, I8: a practitioner who is a member elsewhere is one person."""
    person = uuid4()
    await rig.scheduled(await rig.sell(member=person))
    sold, session = await requested_with(rig, person)
    answer = await rig.practitioner_of(sold).post(f"/v1/sessions/{session['id']}/schedule", schedule())
    assert (answer.status_code, answer.json()["code"]) == (409, "overlap")


async def test_touching_ends__are_no_overlap_and_a_move_never_blocks_itself(rig: Rig):
    """S4, S5: `[start, end)`; moving a session frees its own time first."""
    practitioner = uuid4()
    one, two = await rig.sell(practitioner=practitioner), await rig.sell(practitioner=practitioner)
    first = await rig.scheduled(one, start="09:00", end="10:00")
    await rig.scheduled(two, start="10:00", end="11:00")
    path = f"/v1/sessions/{first['id']}/schedule"
    caller = rig.practitioner_of(one)
    moved = await caller.put(path, schedule("08:30", "09:30"), If_Match='"2"')
    assert moved.status_code == 200
    into = await caller.put(path, schedule("09:30", "10:01"), If_Match='"3"')
    assert (into.status_code, into.json()["code"]) == (409, "overlap")
    assert (await caller.put(path, schedule("09:00", "10:00"), If_Match='"3"')).status_code == 200


async def test_same_time__its_claims_are_not_written_again_and_still_hold(rig: Rig):
    """S4: a start or another link writes no claim, and nobody gets into that time; a move does write."""
    practitioner = uuid4()
    one, two = await rig.sell(practitioner=practitioner), await rig.sell(practitioner=practitioner)
    session, caller = await rig.scheduled(one), rig.practitioner_of(one)
    path, written = f"/v1/sessions/{session['id']}", "SELECT DISTINCT xmin FROM time_claim WHERE session_id = %s"
    first = await rig.rows(written, session["id"])
    moved = await caller.put(f"{path}/schedule", schedule("11:00", "12:00"), If_Match="*")
    assert moved.status_code == 200
    held = await rig.rows(written, session["id"])
    assert held != first
    link = schedule("11:00", "12:00", link="https://meet.google.com/xyz-abcd-efg")
    assert (await caller.put(f"{path}/schedule", link, If_Match="*")).status_code == 200
    assert (await caller.post(f"{path}/start")).status_code == 200
    assert await rig.rows(written, session["id"]) == held
    rival = await rig.requested(two)
    refused = await caller.post(f"/v1/sessions/{rival['id']}/schedule", schedule("11:30", "12:30"))
    assert (refused.status_code, refused.json()["code"]) == (409, "overlap")
    assert await rig.rows(UNCLAIMED) == []


@pytest.mark.parametrize("end", ["cancel", "fail", "result"])
async def test_end__frees_the_time(rig: Rig, end: str):
    """S4: canceled, failed and completed sessions hold nobody's time."""
    practitioner = uuid4()
    one, two = await rig.sell(practitioner=practitioner), await rig.sell(practitioner=practitioner)
    session = await rig.scheduled(one)
    path = f"/v1/sessions/{session['id']}/{end}"
    if end == "cancel":
        done = await rig.member_of(one).post(path, {"reason_code": "canceled_by_member", "reason": "sakit"})
    elif end == "fail":
        done = await rig.admin().post(path, {"reason_code": "technical", "reason": "x"})
    else:
        done = await rig.practitioner_of(one).post(path, {"result_notes": "x"})
    assert done.status_code == 200, done.text
    await rig.scheduled(two)
    assert await rig.rows(UNCLAIMED) == []


async def test_reasons__a_wrong_pair_is_422(rig: Rig):
    """S5: reason_code and actor must fit; the text is required and kept."""
    sold, session = await requested_with(rig)
    path = f"/v1/sessions/{session['id']}"
    wrong = await rig.member_of(sold).post(f"{path}/cancel", {"reason_code": "canceled_by_practitioner", "reason": "x"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_reason")
    system = await rig.admin().post(f"{path}/fail", {"reason_code": "payment_reversed", "reason": "x"})
    assert (system.status_code, system.json()["errors"][0]["code"]) == (422, "not_allowed")
    for malformed in ({"reason": None}, {"reason": "  "}, {"reason_code": "x"}, {"reason": "a\x00b"}):
        body = {"reason_code": "other", "reason": "x"} | malformed
        assert (await rig.member_of(sold).post(f"{path}/cancel", body)).status_code == 422
    done = await rig.practitioner_of(sold).post(f"{path}/cancel", {"reason_code": "other", "reason": " Maaf. "})
    assert (done.json()["status"], done.json()["reason_code"], done.json()["reason"]) == ("canceled", "other", "Maaf.")


async def test_update__needs_the_version_it_was_decided_on(rig: Rig):
    """S7: 428 without If-Match, 412 with a stale one, which changes nothing; honoured on every other command too."""
    sold = await rig.sell()
    session = await rig.scheduled(sold)
    path = f"/v1/sessions/{session['id']}"
    practitioner = rig.practitioner_of(sold)
    missing = await practitioner.put(f"{path}/schedule", schedule("11:00", "12:00"))
    assert (missing.status_code, missing.json()["code"]) == (428, "precondition_required")
    stale = await practitioner.put(f"{path}/schedule", schedule("11:00", "12:00"), If_Match='"1"')
    assert (stale.status_code, stale.json()["code"], stale.json()["current_version"]) == (412, "stale_version", 2)
    assert (await practitioner.post(f"{path}/start", If_Match='"1"')).status_code == 412
    assert (await practitioner.put(f"{path}/schedule", schedule("11:00", "12:00"), If_Match="*")).status_code == 200
    assert await rig.types(session["id"]) == ["ScheduleRequested", "SessionScheduled", "SessionRescheduled"]


async def test_wrong_status__names_the_present_one_and_what_is_allowed(rig: Rig):
    """I9: a 409 that helps."""
    sold = await rig.sell()
    session = await rig.scheduled(sold)
    answer = await rig.practitioner_of(sold).post(f"/v1/sessions/{session['id']}/schedule", schedule())
    body = answer.json()
    assert (answer.status_code, body["code"], body["current_status"]) == (409, "wrong_status", "scheduled")
    assert body["allowed_commands"] == ["reschedule", "start", "upload_result", "cancel"]


async def test_updates_at_once__on_one_version_one_wins(rig: Rig):
    """S7: of many changes decided on one version exactly one is made, the others are stale."""
    sold = await rig.sell()
    session = await rig.scheduled(sold)
    practitioner = rig.practitioner_of(sold)
    answers = await asyncio.gather(
        *(
            practitioner.put(
                f"/v1/sessions/{session['id']}/schedule", schedule(f"{h:02}:00", f"{h:02}:30"), If_Match='"2"'
            )
            for h in range(1, 21)
        )
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 19}


@pytest.mark.timeout(300 + 30 * RACE_ROUNDS)
async def test_two_hundred_schedules_at_once__nobody_is_in_two_places(rig: Rig, record_property):
    """S4, I8, K33: 200 clients on one practitioner's day, round after round: never a 500, nobody is in two places."""
    practitioner = uuid4()
    sessions = [await requested_with(rig, practitioner) for _ in range(200)]
    caller = rig.practitioner_of(sessions[0][0])
    outcomes: Counter[tuple[int, str]] = Counter()
    seeded = random.Random(7)
    spent = 0.0
    for round_ in range(RACE_ROUNDS):
        day = tomorrow(3 + round_)
        begun = time.perf_counter()
        answers = await asyncio.gather(
            *(caller.post(f"/v1/sessions/{session['id']}/schedule", anywhere(seeded, day)) for _, session in sessions)
        )
        spent += time.perf_counter() - begun
        outcomes += Counter((answer.status_code, answer.json().get("code", "")) for answer in answers)
        assert set(outcomes) == {(200, ""), (409, "overlap")}, outcomes
        winners = {n for n, answer in enumerate(answers) if answer.status_code == 200}
        held = await rig.rows(
            "SELECT count(*), sum(extract(epoch FROM ends_at - starts_at)) FROM feedback_session "
            "WHERE practitioner_id = %s AND status = 'scheduled' AND scheduled_date = %s",
            practitioner,
            day,
        )
        assert held[0][0] == len(winners) > 0
        assert held[0][1] <= 24 * 3600
        assert await rig.rows(OVERLAPS) == []
        for n in winners:  # so that the next round has its 200 again
            await caller.post(f"/v1/sessions/{sessions[n][1]['id']}/cancel", {"reason_code": "other", "reason": "x"})
            sessions[n] = (sessions[n][0], await rig.requested(sessions[n][0]))
    assert await rig.rows(UNCLAIMED) == []
    won, lost = outcomes[200, ""], outcomes[409, "overlap"]
    record_property(
        "figures",
        f"200 clients on one practitioner, {RACE_ROUNDS} rounds: {won} winners, {lost} overlaps (409), 0 other, "
        f"{spent:.1f} s in calls",
    )


def anywhere(seeded: random.Random, day: date) -> dict[str, Any]:
    """A schedule of 30 to 90 minutes somewhere in that day."""
    start = seeded.randrange(0, 22 * 60, 15)
    end = start + seeded.choice((30, 60, 90))
    return schedule(f"{start // 60:02}:{start % 60:02}", f"{end // 60:02}:{end % 60:02}", on=day)


async def test_the_same_hour_at_once__exactly_one_wins_each_time(rig: Rig):
    """S4, I8: 20 sessions want one hour, 20 times over: one of them gets it."""
    practitioner = uuid4()
    sessions = [await requested_with(rig, practitioner) for _ in range(20)]
    caller = rig.practitioner_of(sessions[0][0])
    waiting = [session["id"] for _, session in sessions]
    for round_ in range(10):
        times = schedule(on=tomorrow(20 + round_))
        answers = await asyncio.gather(*(caller.post(f"/v1/sessions/{id_}/schedule", times) for id_ in waiting))
        codes = [answer.status_code for answer in answers]
        assert sorted(set(codes)) == [200, 409]
        assert codes.count(200) == 1
        waiting.pop(codes.index(200))
    assert await rig.rows(OVERLAPS) == []
