"""What a store holds of each topic, counted, against the records that its topics hold."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import LiteralString
from uuid import UUID

import pytest
from shared.outbox.tests.conftest import EVENTS, PROFILES, Outbox, header, key_of, put_profile

from booking_contracts.topics import NOTIFICATIONS, PRACTITIONERS, SESSIONS
from booking_outbox import Count, StateTopic, counts

pytestmark = pytest.mark.servers
OF_88_DAYS: LiteralString = (
    "SELECT id::text AS key, version, value, now() - interval '88 days' AS occurred_at "
    "FROM profile WHERE id::text = ANY(%(keys)s::text[])"
)
OF_90_DAYS: LiteralString = OF_88_DAYS.replace("88", "90")


async def _counted(outbox: Outbox, topic: str, until: datetime | None = None) -> dict[str, Count]:
    found = await counts(outbox.url, [EVENTS, PROFILES], until or datetime.now(UTC) + timedelta(days=1))
    return {one.range: one for one in found if one.topic == topic}


def _sums(records) -> dict[str, tuple[int, int, int]]:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for record in records:
        id_ = UUID(header(record, "ce_id"))
        add = (1, int(header(record, "ce_sequence")), int(id_.hex[-12:], 16))
        sums[key_of(record)[-1]] = [a + b for a, b in zip(sums[key_of(record)[-1]], add, strict=True)]
    return {range_: (a, b, c) for range_, (a, b, c) in sums.items()}


async def test_counts__are_what_a_reader_of_the_topic_has(outbox: Outbox):
    conn = await outbox.connect()
    await outbox.sessions(conn, 40)
    people = [await put_profile(conn, version=version) for version in (1, 3, 7)]
    waiting = await _counted(outbox, SESSIONS.name)
    assert {one.waiting for one in waiting.values()} == {80}
    await outbox.start(outbox.relay())
    await outbox.until_empty()
    for topic, many in ((SESSIONS.name, 80), (PRACTITIONERS.name, len(people))):
        counted = await _counted(outbox, topic)
        assert sorted(counted) == list("0123456789abcdef"), "an empty range is told too"
        told = {range_: (one.events, one.versions, one.ids) for range_, one in counted.items() if one.events}
        assert told == _sums(await outbox.records(topic))
        assert (sum(one.events for one in counted.values()), {one.waiting for one in counted.values()}) == (many, {0})


async def test_events__are_those_recorded_before_the_instant(outbox: Outbox):
    conn = await outbox.connect()
    await outbox.sessions(conn, 3)
    row = await (await conn.execute("SELECT min(recorded_at) FROM events")).fetchone()
    assert row is not None
    first = row[0]
    assert sum(one.events for one in (await _counted(outbox, SESSIONS.name, first)).values()) == 0
    before = first + timedelta(microseconds=1)
    assert 0 < sum(one.events for one in (await _counted(outbox, SESSIONS.name, before)).values()) < 6


async def test_rows_without_a_value__are_not_counted(outbox: Outbox):
    """A tombstone is compacted away some day: who reads later never sees it."""
    conn = await outbox.connect()
    await put_profile(conn, value=None)
    assert sum(one.events for one in (await _counted(outbox, PRACTITIONERS.name)).values()) == 0


@pytest.mark.parametrize(("query", "counted"), [(OF_88_DAYS, 1), (OF_90_DAYS, 0)], ids=["younger", "older"])
async def test_rows_that_the_topic_may_have_dropped_by_their_age__are_not_counted(
    outbox: Outbox, query: LiteralString, counted: int
):
    await put_profile(await outbox.connect())
    messages = StateTopic(NOTIFICATIONS, query, all_keys="SELECT id AS key FROM profile")
    found = await counts(outbox.url, [messages], datetime.now(UTC))
    assert sum(one.events for one in found) == counted
    assert {one.since for one in found} == {one.until - timedelta(days=89) for one in found}
