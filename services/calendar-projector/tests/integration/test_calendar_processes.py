"""Worker and api as processes of their own: held records, the operator's command, who is a practitioner."""

import asyncio
import os
import sys
from dataclasses import replace
from uuid import uuid4

import pytest

from booking_contracts.directory import PractitionerProfile
from booking_contracts.topics import PRACTITIONERS
from booking_web.consistency import ConsistencyToken

pytestmark = pytest.mark.servers


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
        assert (seen.status_code, seen.json()) == (200, {"items": [], "next_cursor": None})
        await world.tell(gone)
        await until(lambda: answers(404))
