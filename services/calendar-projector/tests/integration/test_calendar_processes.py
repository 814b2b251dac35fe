"""Worker and api as processes of their own: changes as they happen, held records, the operator's command."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import httpx2
import pytest
import uvicorn

from booking_contracts.directory import PersonPreferences, PractitionerProfile
from booking_contracts.topics import PRACTITIONERS, PREFERENCES
from booking_web.consistency import ConsistencyToken

pytestmark = pytest.mark.servers


@asynccontextmanager
async def _served(running) -> AsyncIterator[str]:
    """The api on a real socket: an event stream cannot be read through the in-process transport."""
    server = uvicorn.Server(uvicorn.Config(running.app, port=0, lifespan="off", log_config=None, ws="none"))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 uvicorn tells nobody
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.app.state.health.stopping.set()
        server.should_exit = True
        async with asyncio.timeout(60):  # an open stream must not hold the stop
            await task


class Stream:
    """The events of one open stream."""

    def __init__(self, response) -> None:
        self._lines = response.aiter_lines()

    async def next(self) -> tuple[str, dict]:
        """The next event's name and data."""
        name, data = "", ""
        async with asyncio.timeout(20):
            async for line in self._lines:
                if line.startswith("event:"):
                    name = line.partition(":")[2].strip()
                if line.startswith("data:"):
                    data = line.partition(":")[2].strip()
                if not line and name:
                    return name, json.loads(data)
        raise AssertionError("the stream ended")


async def test_open_calendars_learn_of_changes_as_they_happen(world, story, make_record, until):
    """C3: the own ones alone; across processes; a session that went to another practitioner leaves.

    N2: in the language that is chosen by then.
    """
    one = story().requested().scheduled()
    before, other = one.practitioner, uuid4()
    async with world.running("api") as api, world.running("worker"), _served(api) as base:
        async with contextlib.AsyncExitStack() as opened:
            streams = []
            for person in (one.member, before, uuid4()):
                client = await opened.enter_async_context(httpx2.AsyncClient(base_url=base, timeout=30))
                bearer = api.issuer.bearer("member", "practitioner", sub=person)
                stream = client.stream("GET", "/v1/calendar/stream", headers=bearer)
                streams.append(Stream(await opened.enter_async_context(stream)))
            for stream in streams:
                assert (await stream.next())[0] == "ready"
            await world.tell(*one.records)
            for stream in streams[:2]:
                name, data = await _change(stream)
                assert (name, data["id"], data["title"]) == ("change", str(one.id), "Sesi konsultasi")
            await world.tell(*one.changed(other).records[2:])
            for stream in streams[:2]:
                assert await _change(stream) == ("removed", {"id": str(one.id)})
            choice = PersonPreferences(person_id=one.member, email=True, whatsapp=True, language="en")
            await world.tell(make_record(PREFERENCES, one.member, choice, 1))
            await until(lambda: world.rows("SELECT FROM person_language"))
            await world.tell(*one.scheduled(start=10).records[3:])
            name, data = await _change(streams[0])
            assert (name, data["extendedProps"]["practitioner_id"]) == ("change", str(other))
            assert data["title"] == "Consultation"
            foreign = asyncio.create_task(_change(streams[2]))
            done, _ = await asyncio.wait([foreign], timeout=0.3)
            assert not done
            foreign.cancel()
        unauthorised = await api.get("/v1/calendar/stream")
        assert unauthorised.status_code == 401


async def test_an_open_calendar_is_kept_alive_and_ends_with_its_token(world):
    """C3, T3: a comment every 15 seconds, so that no proxy takes it for dead; nothing after the token's end."""
    async with world.running("api") as api, _served(api) as base, httpx2.AsyncClient(base_url=base, timeout=60) as http:
        # Valid for 20 seconds with the leeway: longer than the comment takes.
        bearer = api.issuer.bearer("member", exp=int(time.time()) - 10)
        lines = []
        async with asyncio.timeout(50), http.stream("GET", "/v1/calendar/stream", headers=bearer) as answer:
            assert answer.status_code == 200
            lines = [line async for line in answer.aiter_lines()]
        assert "event: ready" in lines
        assert ": ping" in lines
        assert (await http.get("/v1/calendar/stream", headers=bearer)).status_code == 401


async def test_a_held_record_is_discarded_by_an_admin_and_the_session_goes_on(world, story, until):
    """I13: list, show, discard; what waited follows in order, in the slot that is shown, and is published."""
    one = story().requested().scheduled().scheduled(start=11).started()
    first, lost, third, fourth = one.records
    broken = type(lost)(lost.topic, 0, 0, lost.key, b"{", lost.headers, 0)
    async with world.running("all") as running:
        await world.tell(first, broken, third, fourth)

        async def three():
            items = (await running.get("/v1/held-records", "admin")).json()["items"]
            return items if len(items) == 3 else None

        items = await until(three)
        assert sorted(item["reason"] for item in items) == ["gap", "gap", "undecodable"]
        assert {item["consumer"] for item in items} == {"calendar-projector.a"}
        (sick,) = [item for item in items if item["reason"] == "undecodable"]
        answer = await running.call("POST", f"/v1/held-records/{sick['id']}/discard", "admin")
        assert answer.status_code == 200, answer.text
        await world.shows([one])
        assert (await running.get("/v1/held-records", "admin")).json()["items"] == []
        assert (await running.get("/v1/held-records", "member")).status_code == 403
        state = (await running.get("/v1/projections", "admin")).json()["items"][0]
        assert state["held"] == {}

        async def published() -> bool:
            return await world.rows("SELECT count(*) FROM outbox") == [(0,)]

        await until(published)


async def test_projections_say_how_far_behind_they_are(world, story, until):
    """C2: position and lag, also while no worker runs."""
    stories = [story().requested().scheduled() for _ in range(5)]
    async with world.running("api") as api:
        async with world.running("worker"):
            await world.tell(*[r for one in stories for r in one.records])
            await world.shows(stories)

            async def measured():
                state = (await api.get("/v1/projections", "admin")).json()["items"][0]
                return state if sum(p["end_offset"] for p in state["positions"]) == 10 else None

            state = await until(measured)
            assert (state["name"], state["lag_events"], state["lag_seconds"]) == ("user_schedule", 0, 0)
            assert len(state["positions"]) == 6
        await world.rows("UPDATE projection_end SET end_offset = end_offset + 2 RETURNING 1")
        state = (await api.get("/v1/projections", "admin")).json()["items"][0]
        assert state["lag_events"] == 12
        assert state["lag_seconds"] > 0


async def test_the_operators_command_rebuilds_and_waits(world, story):
    one = story().requested().scheduled()
    async with world.running("worker"):
        await world.tell(*one.records)
        await world.shows([one])
        status, output = await _command(world, "rebuild", "--wait")
        assert (status, output[-1]) == (0, "shown now; differences: {}")
        assert await world.rows("SELECT id FROM generation WHERE state = 'active'") == [(2,)]
        assert (await _command(world, "rebuild", "--abandon")) == (1, ["no rebuild is in hand"])
        status, output = await _command(world, "rebuild", "--back", "--wait")
        assert status == 0


async def _command(world, *arguments: str) -> tuple[int, list[str]]:
    settings = world.settings
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url,
        "KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "JWT_ISSUER": settings.jwt_issuer,
        "JWT_JWKS_URL": "https://127.0.0.1:1/",
        "FEED_SECRET": "a secret of the tests, long enough",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "calendar_projector",
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, output.decode().strip().splitlines()


async def _change(stream: Stream) -> tuple[str, dict]:
    """The next event that is no `refresh`: a hub that has just begun to listen asks everybody to read again."""
    while True:
        name, data = await stream.next()
        if name != "refresh":
            return name, data


async def test_a_practitioner_without_sessions__is_known_by_the_profile_until_its_tombstone(world, make_record, until):
    """E1, C3: whose taken times anybody may ask for; through the real consumer."""
    person = uuid4()
    path = f"/v1/calendar/busy?practitioner_id={person}&start=2026-12-01&end=2026-12-02"
    profile = PractitionerProfile(id=person, name="Budi", tiers=("gold",), timezone="Asia/Jakarta", active=True)
    shown = make_record(PRACTITIONERS, person, profile, 1)
    gone = replace(make_record(PRACTITIONERS, person, profile, 2), value=None)

    async with world.running("all") as running:

        async def answers(status: int) -> bool:
            return (await running.get(path, "member", sub=uuid4())).status_code == status

        assert await answers(404)
        await world.tell(shown)
        token = ConsistencyToken("checkout", "practitioner", str(person), 1).encode()
        seen = await running.get(f"{path}&wait=10", "member", Consistency_Token=token)
        assert (seen.status_code, seen.json()) == (200, {"items": []})
        await world.tell(gone)
        await until(lambda: answers(404))
