"""Changes as they happen: who may know what, what waits for a slow page, what is told again, when a stream ends."""

import asyncio
import json
import time

import pytest
import time_machine
from gateway.tests.rig import gateway, settings_for

from booking_contracts.corpus import NAMES, golden
from booking_contracts.decode import decode
from booking_contracts.topics import SESSIONS, TRANSACTIONS
from booking_gateway.live.changes import Change, change_of
from booking_gateway.live.hub import MOST_OF_PERSON, Hub, messages
from booking_gateway.signin.session import Cookies, Session
from booking_web.consistency import ConsistencyToken

MEMBER, FIRST, SECOND = (f"01938c1a-5b2{n}-700{n}-8f00-a1b2c3d4000{n}" for n in (2, 3, 4))
NOW = time.time()


def records(*topics):
    found = (decode(golden(name)) for name in NAMES)
    return [record for record in found if record.record.topic in {topic.name for topic in topics}]


def somebody(sub=MEMBER, *roles, **other):
    given = {"access": "a", "refresh": None, "expires": time.time() + 600, "until": time.time() + 3600}
    return Session(**{"sub": sub, "name": "Sari", "roles": roles or ("member",), **given, **other})


def change(n=0, *people):
    return Change("SessionScheduled", f"t{n}", f"s{n}", frozenset(people or (MEMBER,)), "consultation:x")


def waiting(stream):
    return [json.loads(text) for _, text in stream.waiting]


def types(stream):
    return [one["type"] for one in waiting(stream)]


@pytest.fixture
def hub():
    made = Hub()
    with time_machine.travel(NOW - 60, tick=False):
        made.is_live(True)
    return made


@pytest.mark.parametrize("record", records(TRANSACTIONS, SESSIONS), ids=lambda one: one.meta.type)
def test_change__is_for_who_may_read_the_thing_and_has_ids_alone(record):
    found, event = change_of(record), record.event
    assert found
    if record.record.topic == TRANSACTIONS.name:
        assert found.people == {MEMBER}, "a practitioner reads no Transaction"
        assert found.session_id is None
    else:
        also = {str(event.previous_practitioner_id)} if hasattr(event, "previous_practitioner_id") else set()
        assert found.people == {MEMBER, str(event.practitioner_id)} | also
        assert found.session_id == str(event.session_id)
    told = json.loads(found.told())
    assert told.keys() == {"type", "session_id", "transaction_id", "seen"}
    assert (told["type"], told["transaction_id"]) == (event.TYPE, str(event.transaction_id))
    service, token = told["seen"].split(":")
    seen = ConsistencyToken.decode(token)
    assert (seen.service, seen.id, seen.version) == (service, record.meta.subject, record.meta.sequence)


def test_change__of_a_session_that_was_taken_away_is_told_to_who_had_it():
    (record,) = [one for one in records(SESSIONS) if one.meta.type.endswith("PractitionerChanged.v1")]
    found = change_of(record)
    assert found
    assert found.people == {MEMBER, FIRST, SECOND}


def test_change__of_anything_else_is_none():
    other = [decode(golden(name)) for name in NAMES if golden(name).topic not in {TRANSACTIONS.name, SESSIONS.name}]
    assert other
    assert {change_of(record) for record in other} == {None}


def test_stream__tells_its_viewer_what_is_theirs_and_an_admin_all(hub):
    viewers = somebody(MEMBER.upper()), somebody(SECOND, "practitioner"), somebody("a", "admin")
    with hub.open(viewers[0], 0) as mine, hub.open(viewers[1], 0) as other, hub.open(viewers[2], 0) as admin:
        for stream in (mine, other, admin):
            stream.waiting.clear()
        hub.tell(change(1))
        hub.tell(change(2, SECOND))
        assert [one["session_id"] for one in waiting(mine)] == ["s1"], "however a provider writes ids"
        assert [one["session_id"] for one in waiting(other)] == ["s2"]
        assert [one["session_id"] for one in waiting(admin)] == ["s1", "s2"]


def test_page__that_was_made_before_is_told_what_came_since(hub):
    with time_machine.travel(NOW, tick=False) as clock:
        hub.tell(change(1))
        hub.tell(change(2, SECOND))
        clock.shift(10)
        hub.tell(change(3))
        place = int(NOW * 1000)
        with hub.open(somebody(), place) as stream:
            assert [one.get("session_id") for one in waiting(stream)] == [None, "s1", "s3"]
        with hub.open(somebody(), place + 5000) as stream:
            assert [one.get("session_id") for one in waiting(stream)] == [None, "s3"]


def test_page__that_is_older_than_what_is_known_shows_itself_again(hub):
    with hub.open(somebody(), int((NOW - 70) * 1000)) as stream:
        assert types(stream) == ["live", "refresh"]
    for n in range(1001):
        hub.tell(change(n))
    with hub.open(somebody(), int((NOW - 50) * 1000)) as stream:
        assert types(stream) == ["live", "refresh"]


def test_slow_page__is_told_to_show_itself_again_and_costs_no_more(hub):
    with hub.open(somebody(), int(time.time() * 1000)) as stream:
        for n in range(250):
            hub.tell(change(n))
            assert len(stream.waiting) <= 100
        assert "refresh" in types(stream)
        assert waiting(stream)[-1]["session_id"] == "s249"


def test_kafka_away__is_said_and_when_it_is_back_all_is_shown_again(hub):
    with hub.open(somebody(), int(time.time() * 1000)) as stream:
        hub.is_live(False)
        hub.is_live(False)
        with hub.open(somebody(), 0) as later:
            assert types(later) == ["not_live"]
            hub.is_live(True)
            assert types(stream) == ["live", "not_live", "live", "refresh"]
            assert types(later) == ["not_live", "live", "refresh"]


async def test_signing_out__ends_the_streams_of_that_person(hub):
    with hub.open(somebody(), 0) as mine, hub.open(somebody(SECOND), 0) as other:
        hub.end(MEMBER)
        assert [one async for one in messages(mine, hub, time.time() + 60)] == []
        assert not other.ended


async def test_stream__ends_with_the_right_to_it(hub):
    with hub.open(somebody(), 0) as stream:
        assert [one async for one in messages(stream, hub, time.time() - 1)] == []


async def test_stream__says_that_it_is_there(hub):
    with hub.open(somebody(), 0) as stream:
        told = messages(stream, hub, time.time() + 60, beat=0.001)
        first = [json.loads((await anext(told))[1])["type"] for _ in range(4)]
        assert first == ["live", "refresh", "live", "live"]
        await told.aclose()


def test_person__has_so_many_streams_and_no_more(hub):
    viewer = somebody()
    opened = [hub.open(viewer, 0) for _ in range(MOST_OF_PERSON)]
    for one in opened:
        assert hub.has_room(viewer)
        one.__enter__()
    assert not hub.has_room(viewer)
    assert hub.has_room(somebody(SECOND))
    opened[0].__exit__(None, None, None)
    assert hub.has_room(viewer)
    for one in opened[1:]:
        one.__exit__(None, None, None)


async def test_live__without_a_session_is_refused_and_nobody_is_sent_elsewhere():
    async with gateway() as client:
        assert (await client.get("/live")).status_code == 401


async def test_live__is_a_stream_that_a_stop_ends(hub):
    lines = Cookies(settings_for()).write(somebody(), {})
    cookies = {"Cookie": "; ".join(line.split(";")[0] for line in lines)}
    async with gateway(hub) as client:
        asked = asyncio.create_task(client.get("/live?since=0", headers=cookies))
        while not hub._all():  # noqa: ASYNC110 - nothing else says that it is open
            await asyncio.sleep(0)
        hub.tell(change(7))
        hub.stop()
        answer = await asked
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.text.startswith("retry: ")
        assert not hub._all(), "it is gone"
        assert (await client.get("/live", headers=cookies)).status_code == 429, "none is opened any more"


async def test_page__says_where_to_follow_from_and_that_it_does_not_without_brokers():
    lines = Cookies(settings_for()).write(somebody(), {})
    cookies = {"Cookie": "; ".join(line.split(";")[0] for line in lines)}
    async with gateway() as client:
        text = (await client.get("/signed-in", headers=cookies)).text
        assert "data-off" in text.split('id="not-live"')[1].split(">")[0]
    async with gateway(kafka_bootstrap="127.0.0.1:1") as client:
        text = (await client.get("/signed-in", headers=cookies)).text
        said = text.split('id="not-live"')[1].split(">")[0]
        assert "data-off" not in said
        assert abs(int(said.split('data-since="')[1].split('"')[0]) / 1000 - time.time()) < 600
        assert 'id="not-live"' not in (await client.get("/signed-in")).text, "nobody is signed in"
