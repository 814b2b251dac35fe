"""Held records on a real broker and database: poison, bugs, replay in order, discard, over HTTP too (F44, F45, F48)."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from shared.inbox.tests.consumer_rig import (
    QUICK,
    Message,
    Rig,
    assessment,
    profile,
    record_applied,
    rig_of,
    session_event,
)
from shared.inbox.tests.poison import send_unreadable, spoiled
from tests.rigs.waiting import until

from booking_contracts.decode import Decoded, Record
from booking_contracts.topics import ASSESSMENTS, PRACTITIONERS, SESSIONS
from booking_inbox import HeldNotFound, Hold, StillHeld, held, held_records_router, operations
from booking_web.auth import Principal

pytestmark = pytest.mark.servers


@pytest.fixture
async def rig(postgres, kafka) -> AsyncGenerator[Rig]:
    async with rig_of(postgres, kafka) as made:
        yield made


def poison(key: UUID) -> dict[str, Message]:
    """The corpus of F44, made of a good first event."""
    return spoiled(session_event(key, 1))


async def test_poison__each_is_held_with_its_place_and_reason_and_other_keys_flow(rig: Rig):
    bad = {name: (uuid4(), name) for name in poison(uuid4())}
    partition = 2
    for key, name in bad.values():
        await rig.send(poison(key)[name].changed(partition=partition))
        await rig.send(session_event(uuid4(), 1).changed(partition=partition))
    async with rig.consuming():
        await until(rig.caught_up)
    found = await rig.sql('SELECT key, reason, "offset", error FROM held ORDER BY "offset"')
    assert [row[0] for row in found] == [str(key) for key, _ in bad.values()]
    assert {row[1] for row in found} == {"undecodable"}
    assert [row[2] for row in found] == [2 * n for n in range(len(bad))]
    assert all(row[3] for row in found)
    assert await rig.effects() == len(bad), "every good record behind a bad one is applied"


@pytest.mark.parametrize(
    "key", [None, b"", b"\xff\xfe", b"a\x00b", b"k" * 5000], ids=["null", "empty", "no UTF-8", "NUL", "long"]
)
async def test_poison__a_key_that_is_no_text_is_held_without_a_key(rig: Rig, key: bytes | None):
    good = uuid4()
    await rig.send(session_event(uuid4(), 1).changed(key=key, partition=1), session_event(good, 1).changed(partition=1))
    async with rig.consuming():
        await until(rig.caught_up)
    assert await rig.sql("SELECT key, raw_key, reason FROM held") == [(None, key, "undecodable")]
    assert await rig.applied(good) == [1]


@pytest.mark.parametrize("lanes", [1, 4])
async def test_poison__a_header_name_that_is_no_utf8_is_held_and_what_lies_around_it_flows(rig: Rig, lanes: int):
    """aiokafka itself dies of this one while it unpacks the batch, again and again."""
    before, after, last = uuid4(), uuid4(), uuid4()
    await rig.send(session_event(before, 1).changed(partition=4))
    await send_unreadable(rig, SESSIONS, 4)
    await rig.send(session_event(after, 1).changed(partition=4))
    await send_unreadable(rig, SESSIONS, 4)
    await rig.send(session_event(last, 1).changed(partition=4))
    async with rig.consuming(tuning=replace(QUICK, lanes=lanes)):
        await until(rig.caught_up)
    assert await rig.sql('SELECT "offset", key, reason FROM held ORDER BY 1') == [
        (1, None, "undecodable"),
        (3, None, "undecodable"),
    ]
    assert await rig.effects() == 3


async def test_poison__later_records_of_its_key_wait_behind_it_and_follow_a_discard(rig: Rig):
    key = uuid4()
    broken = session_event(key, 2).changed(value=b"{")
    await rig.send(session_event(key, 1), broken, session_event(key, 3), session_event(key, 4))
    async with rig.consuming() as consumer:
        await until(rig.caught_up)
        assert await rig.held(key) == [("undecodable", 2), ("gap", 3), ("gap", 4)]
        await _operate(rig, consumer, operations.discard, await _first(rig))
    assert await rig.applied(key) == [1, 3, 4]
    assert await rig.version(key) == 4
    assert await rig.sql("SELECT version, outcome, settled_by FROM held ORDER BY version") == [
        (2, "discarded", "admin:x"),
        (3, "applied", "admin:x"),
        (4, "applied", "admin:x"),
    ]


async def test_poison__a_good_copy_of_the_same_version_takes_its_place(rig: Rig):
    key = uuid4()
    await rig.send(session_event(key, 1), session_event(key, 2).changed(value=b"{"), session_event(key, 3))
    async with rig.consuming():
        await until(rig.caught_up)
        await rig.send(session_event(key, 2))
        await until(rig.caught_up)
    assert await rig.applied(key) == [1, 2, 3]


async def test_poison__the_same_bytes_again_are_held_once_also_after_a_discard(rig: Rig):
    key = uuid4()
    broken = session_event(key, 1).changed(value=b"{")
    await rig.send(broken, broken)
    async with rig.consuming() as consumer:
        await until(rig.caught_up)
        assert await rig.held() == [("undecodable", 1)]
        await _operate(rig, consumer, operations.discard, await _first(rig))
        await rig.send(broken)
        await until(rig.caught_up)
    assert await rig.held() == []


class Buggy:
    """An apply with a bug for some keys, until it is mended."""

    def __init__(self, *keys: UUID, error: Exception | None = None) -> None:
        self.keys = {str(key) for key in keys}
        self.error = error or ValueError("bug")
        self.tries = 0

    async def __call__(self, conn: psycopg.AsyncConnection, item: Decoded) -> None:
        if item.meta.subject in self.keys:
            self.tries += 1
            raise self.error
        await record_applied(conn, item)

    def mend(self) -> None:
        self.keys.clear()


async def test_bug__the_record_is_held_after_bounded_tries_and_every_later_one_of_its_key(rig: Rig):
    key, other = uuid4(), uuid4()
    buggy = Buggy(key)
    await rig.send(*(session_event(k, v) for v in (1, 2, 3) for k in (key, other)))
    async with rig.consuming(buggy):
        await until(rig.caught_up)
    assert await rig.held(key) == [("failed", 1), ("gap", 2), ("gap", 3)]
    assert buggy.tries == 5
    assert await rig.sql("SELECT attempts, error FROM held WHERE reason = 'failed'") == [(5, "ValueError: bug")]
    assert await rig.applied(other) == [1, 2, 3]


async def test_bug__a_replay_applies_the_key_in_order_once_the_bug_is_mended(rig: Rig):
    key = uuid4()
    buggy = Buggy(key)
    await rig.send(*(session_event(key, v) for v in (1, 2, 3)))
    async with rig.consuming(buggy) as consumer:
        await until(rig.caught_up)
        assert isinstance(await _operate(rig, consumer, operations.replay, await _first(rig)), StillHeld)
        assert await rig.applied(key) == []
        buggy.mend()
        last = (await rig.sql("SELECT id FROM held WHERE version = 3"))[0][0]
        report = await _operate(rig, consumer, operations.replay, last)
    assert len(report.applied) == 3
    assert await rig.applied(key) == [1, 2, 3]
    with pytest.raises(HeldNotFound):
        await _operate(rig, consumer, operations.replay, last)


async def test_state_bug__later_states_wait_and_a_discard_lets_the_newest_follow(rig: Rig):
    key = uuid4()
    buggy = Buggy(key)
    await rig.send(profile(key, 3), profile(key, 5), profile(key, 8))
    async with rig.consuming(buggy, topics=(PRACTITIONERS,)) as consumer:
        await until(lambda: rig.caught_up(PRACTITIONERS))
        assert await rig.held(key) == [("failed", 3), ("gap", 5), ("gap", 8)]
        buggy.mend()
        await _operate(rig, consumer, operations.discard, await _first(rig))
    assert await rig.applied(key) == [5, 8]
    assert await rig.version(key, PRACTITIONERS) == 8


async def test_unsequenced__a_hold_is_immediate_and_a_replay_keeps_the_order(rig: Rig):
    key, first, second = uuid4(), uuid4(), uuid4()
    buggy = Buggy(key, error=Hold("user_id is written once"))
    await rig.send(assessment(key, first), assessment(key, second))
    async with rig.consuming(buggy, topics=(ASSESSMENTS,)) as consumer:
        await until(lambda: rig.caught_up(ASSESSMENTS))
        assert buggy.tries == 1
        assert await rig.held(key) == [("failed", None), ("gap", None)]
        buggy.mend()
        report = await _operate(rig, consumer, operations.replay, await _first(rig))
    assert len(report.applied) == 2
    assert await rig.effects() == 2


async def test_a_drained_record_that_fails_stays_held_and_its_predecessor_stays_applied(rig: Rig):
    key = uuid4()

    async def no_twos(conn: psycopg.AsyncConnection, item: Decoded) -> None:
        await record_applied(conn, item)
        if item.meta.sequence == 2:
            raise ValueError("bug")

    await rig.send(session_event(key, 2), session_event(key, 3), session_event(key, 1))
    async with rig.consuming(no_twos):
        await until(rig.caught_up)
    assert await rig.applied(key) == [1]
    assert await rig.held(key) == [("failed", 2), ("gap", 3)]


async def test_a_key_in_capitals__is_one_key_with_its_lower_case(rig: Rig):
    """RFC 9562 §4: what is broken in one spelling keeps back what follows in another, and lets it go."""
    key, topic = uuid4(), ASSESSMENTS
    capitals = str(key).upper().encode()
    broken = assessment(key).changed(key=capitals, value=b"{", partition=1)
    follower = assessment(key).changed(key=capitals, partition=1)
    await rig.send(broken, assessment(key).changed(partition=1), follower)
    async with rig.consuming(topics=(topic,)) as consumer:
        await until(lambda: rig.caught_up(topic))
        assert await rig.held(key) == [("undecodable", None), ("gap", None), ("gap", None)]
        await _operate(rig, consumer, operations.discard, await _first(rig))
    assert await rig.sql("SELECT key FROM applied") == [(str(key),)] * 2


async def test_gaps__beyond_the_limit_the_partition_pauses_and_goes_on_when_they_are_settled(rig: Rig):
    partition, others = 3, uuid4()
    in_hand = 8  # what one lane takes at once
    keys = [uuid4() for _ in range(in_hand + 1)]
    await rig.send(*(session_event(key, 2).changed(partition=partition) for key in keys))
    async with rig.consuming(tuning=replace(QUICK, gap_limit=2, lanes=1)) as consumer:
        await until(lambda: consumer.engine.reader.paused)
        await rig.send(session_event(others, 1).changed(partition=0))
        await until(lambda: rig.applied(others))
        assert len(await rig.held()) == in_hand, "the last lies behind the pause"
        for held_id in [row[0] for row in await rig.sql("SELECT id FROM held ORDER BY held_at LIMIT 6")]:
            await _operate(rig, consumer, operations.discard, held_id)
        await until(rig.caught_up)
    assert len(await rig.held()) == in_hand - 6 + 1


async def test_forgotten__what_is_just_being_held_goes_too_and_counts_as_taken(rig: Rig):
    """E4: a tombstone that was being held behind a broken record would wait for ever for what is gone."""
    key, topic = uuid4(), PRACTITIONERS
    await rig.send(profile(key, 1), profile(key, 2).changed(value=b"{"))
    async with rig.consuming(topics=(topic,)):
        await until(lambda: rig.caught_up(topic))
    assert await rig.held(key) == [("undecodable", 2)]

    async def forget() -> None:
        async with rig.database.transaction() as conn:
            await held.forget_key(conn, topic.name, str(key))

    tombstone = profile(key, 3, tombstone=True)
    record = Record(topic.name, tombstone.to, 2, tombstone.key, None, tuple(tombstone.headers), 0)
    async with asyncio.TaskGroup() as group, rig.database.transaction() as conn:
        await conn.execute("SELECT FROM inbox WHERE key = %s FOR UPDATE", (str(key),))
        group.create_task(forget())
        await until(lambda: rig.sql("SELECT 1 FROM pg_locks WHERE NOT granted"), "it to wait")
        await held.insert(conn, rig.name, record, version=3, reason="gap", attempts=0, error=None)
    assert await rig.held(key) == []
    assert await rig.version(key, topic) == 3


async def test_http__an_admin_lists_shows_replays_and_discards(rig: Rig):
    key = uuid4()
    buggy = Buggy(key)
    await rig.send(
        *(session_event(key, v) for v in (1, 2)), session_event(uuid4(), 1).changed(value=b"\xff", headers=[])
    )
    async with rig.consuming(buggy) as consumer:
        await until(rig.caught_up)
        async with _client(rig, consumer) as client:
            page = (await client.get("/v1/held-records?limit=2")).json()
            rest = (await client.get(f"/v1/held-records?cursor={page['next_cursor']}")).json()
            items = {(item["reason"], item["version"]): item for item in page["items"] + rest["items"]}
            assert set(items) == {("failed", 1), ("gap", 2), ("undecodable", None)}
            assert rest["next_cursor"] is None
            failed = items["failed", 1]
            assert (failed["topic"], failed["key"], failed["attempts"]) == (SESSIONS.name, str(key), 5)

            whole = (await client.get(f"/v1/held-records/{failed['id']}")).json()
            assert json.loads(whole["value"]["text"])["session_id"] == str(key)
            assert {"name": "ce_sequence", "value": {"base64": "MQ==", "text": "1"}} in whole["headers"]

            refused = await client.post(f"/v1/held-records/{failed['id']}/replay")
            assert (refused.status_code, refused.json()["code"]) == (409, "still_held")
            assert refused.json()["blocking"] == failed["id"]
            assert refused.json()["detail"] == "This record is in the way, failed: ValueError: bug"
            behind = await client.post(f"/v1/held-records/{items['gap', 2]['id']}/replay")
            assert behind.json()["blocking"] == failed["id"], "which other record, and why"
            assert (
                behind.json()["detail"]
                == f"Record {failed['id']} of the same key is in the way, failed: ValueError: bug"
            )
            buggy.mend()
            replayed = await client.post(f"/v1/held-records/{failed['id']}/replay")
            assert (replayed.status_code, replayed.json()["outcome"]) == (200, "applied")
            again = await client.post(f"/v1/held-records/{failed['id']}/replay")
            assert (again.status_code, again.json()["code"]) == (409, "already_settled")

            discarded = await client.post(f"/v1/held-records/{items['undecodable', None]['id']}/discard")
            assert (discarded.status_code, discarded.json()["outcome"]) == (200, "discarded")
            assert (await client.get(f"/v1/held-records/{uuid4()}")).status_code == 404
            assert (await client.get("/v1/held-records")).json() == {"items": [], "next_cursor": None}
    assert await rig.applied(key) == [1, 2]


async def _first(rig: Rig) -> UUID:
    return (await rig.sql("SELECT id FROM held WHERE settled_at IS NULL ORDER BY held_at, id"))[0][0]


async def _operate(rig: Rig, consumer: Any, operation: Any, held_id: UUID) -> Any:
    async with rig.database.transaction() as conn:
        return await operation(consumer.inbox, conn, held_id, by="admin:x")


class _AnAdmin:
    async def principal(self, _authorization: list[str], _scope: Any) -> Principal:
        return Principal(sub=uuid4(), roles=frozenset({"admin"}))


def _client(rig: Rig, consumer: Any) -> Any:
    import httpx2
    from fastapi import FastAPI

    from booking_web.problem_handlers import install

    app = FastAPI()
    app.include_router(held_records_router(consumer, rig.database))
    install(app, {})
    app.state.authenticator = _AnAdmin()
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test")
