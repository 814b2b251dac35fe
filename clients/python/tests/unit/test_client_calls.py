"""What goes out with a call, and what comes back."""

from datetime import date, datetime, timedelta, timezone
from uuid import UUID

import httpx2
import pytest
from clients.python.tests.script import Script, ok, problem

from booking_client import Answer, NotModified, Refused, Seen, problems

SCHEDULE = {"scheduled_date": "2026-12-01", "time_start": "09:00", "time_end": "10:00", "meeting_link": "https://x"}


async def test_call__goes_to_its_service():
    script = Script(ok())
    caller = script.caller()
    await caller.get_me()
    await caller.get_session(UUID(int=7))
    await caller.list_calendar_events(start="2026-12-01", end="2026-12-31").first()
    assert [str(one.url) for one in script.asked] == [
        "https://checkout.example/v1/me",
        "https://consultation.example/v1/sessions/00000000-0000-0000-0000-000000000007",
        "https://calendar.example/v1/calendar/events?start=2026-12-01&end=2026-12-31",
    ]


async def test_parameters__are_left_out_repeated_or_written_as_the_interface_reads_them():
    script = Script(ok())
    west = timezone(timedelta(hours=7))
    await (
        script.caller()
        .list_sessions(status=["scheduled", "on_progress"], start=datetime(2026, 12, 1, 7, tzinfo=west), limit=5)
        .first()
    )
    await script.caller().list_sessions(end=date(2026, 12, 31)).first()
    await script.caller().list_products(active=False).first()
    assert script.asked[0].url.params.multi_items() == [
        ("status", "scheduled"),
        ("status", "on_progress"),
        ("start", "2026-12-01T07:00:00+07:00"),
        ("limit", "5"),
    ]
    assert b"%2B07" in script.asked[0].url.query
    assert script.asked[1].url.params.multi_items() == [("end", "2026-12-31")]
    assert script.asked[2].url.params.multi_items() == [("active", "false")]


async def test_instant_without_offset__is_refused_here():
    with pytest.raises(ValueError, match="offset"):
        await Script(ok()).caller().list_sessions(start=datetime(2026, 12, 1)).first()  # noqa: DTZ001


@pytest.mark.parametrize("id_", ["", ".", ".."])
async def test_id_that_would_lead_elsewhere__is_refused_here(id_: str):
    script = Script(ok())
    with pytest.raises(ValueError, match="no id"):
        await script.caller().get_session(id_)
    await script.caller().get_session("a/../b")
    assert script.asked[0].url.raw_path == b"/v1/sessions/a%2F..%2Fb"


async def test_conditions__are_sent_and_an_unchanged_thing_has_no_body():
    script = Script(ok({"version": 2}, ETag='"2"'), ok({}, ETag='"3"'), httpx2.Response(304, headers={"ETag": '"3"'}))
    caller = script.caller()
    read = await caller.get_session("x")
    await caller.reschedule_session("x", SCHEDULE, if_match=read.etag)  # type: ignore[arg-type]
    again = await caller.get_session("x", if_none_match='"3"')
    assert script.header("If-Match") == [None, '"2"', None]
    assert script.header("If-None-Match") == [None, None, '"3"']
    assert isinstance(again, NotModified)
    assert again.etag == '"3"'


async def test_answer__tells_its_tag_its_token_and_whether_it_was_given_before():
    script = Script(ok({"id": "x"}, 201, ETag='"1"', Consistency_Token="t", Idempotency_Replayed="true"))
    bought = await script.caller().create_transaction({"product_id": "a", "practitioner_id": "b"})
    assert (bought.status, bought.etag, bought.consistency_token, bought.replayed) == (201, '"1"', "t", True)
    deleted = await Script(httpx2.Response(204)).caller().revoke_calendar_feed("x")
    assert deleted.body is None


async def test_refusal__is_of_its_codes_class_with_its_members():
    conflict = {"session_id": "x", "starts_at": "2026-12-01T02:00:00Z", "ends_at": "2026-12-01T03:00:00Z"}
    script = Script(problem(409, "overlap", {"party": "member", "conflicts": [conflict]}))
    with pytest.raises(problems.Overlap) as refused:
        await script.caller().start_session("x")
    assert refused.value.problem["conflicts"] == [conflict]
    assert (refused.value.status, refused.value.code) == (409, "overlap")


async def test_code_that_is_newer_than_the_client__is_told_by_its_status():
    with pytest.raises(Refused) as refused:
        await Script(problem(409, "of_tomorrow")).caller().get_me()
    assert type(refused.value) is Refused
    assert (refused.value.status, refused.value.code) == (409, "of_tomorrow")


async def test_token_of_one_service__goes_to_the_others_alone_and_only_where_it_is_read():
    script = Script(ok({}, 201, Consistency_Token="sale"), ok({}, Consistency_Token="session"), ok())
    caller = script.caller()
    await caller.create_transaction({"product_id": "a", "practitioner_id": "b"})
    await caller.get_session("x")
    await caller.get_session("x")
    await caller.list_transactions().first()
    await caller.get_me()
    await caller.list_calendar_events(start="2026-12-01", end="2026-12-02").first()
    assert script.header("Consistency-Token") == [None, "sale", "sale", "session", None, "session,sale"]


def test_seen__keeps_the_newest_eight_of_each_service_and_can_be_put_away():
    seen = Seen()
    for number in range(10):
        seen.take("checkout", f"c{number}")
    seen.take("consultation", "s")
    seen.take("checkout", "c5")
    seen.take("checkout", None)
    kept = Seen(seen.dump())
    assert kept.header("consultation") == "c5,c9,c8,c7,c6,c4,c3,c2"
    assert kept.header("checkout") == "s"
    assert kept.header("calendar") == "c5,s,c9,c8,c7,c6,c4,c3"


async def test_list__is_read_to_its_end_or_page_by_page():
    def page(request: httpx2.Request) -> httpx2.Response:
        cursor = request.url.params.get("cursor")
        items = {None: ["a", "b"], "two": ["c"], "three": []}[cursor]
        following = {None: "two", "two": "three", "three": None}[cursor]
        return ok({"items": items, "next_cursor": following})

    caller = Script(page).caller()
    assert [item async for item in caller.list_products()] == ["a", "b", "c"]
    assert [one.body["items"] async for one in caller.list_products(cursor="two").pages()] == [["c"], []]
    first = await caller.list_products().first()
    assert isinstance(first, Answer)
    assert first.body.get("next_cursor") == "two"


async def test_stream__gives_its_events_and_a_refusal_is_raised():
    said = b'data: {"type":"ready"}\nid: 7\n\n: alive\n\ndata: {"type":"session_left"}\nid: 9\n\n'
    script = Script(httpx2.Response(200, content=said, headers={"Content-Type": "text/event-stream"}))
    heard = [(one.id, one.json()) async for one in script.caller().stream_changes(after="5")]
    assert heard == [("7", {"type": "ready"}), ("9", {"type": "session_left"})]
    assert script.asked[0].url.query == b"after=5"
    with pytest.raises(problems.Unauthorized):
        async for _ in Script(problem(401, "unauthorized")).caller().stream_changes():
            pass


async def test_feed__is_read_without_a_token():
    script = Script(httpx2.Response(200, text="BEGIN:VCALENDAR", headers={"Content-Type": "text/calendar"}))
    assert (await script.caller().get_calendar_feed("secret")).body == "BEGIN:VCALENDAR"
    assert script.header("Authorization") == [None]
