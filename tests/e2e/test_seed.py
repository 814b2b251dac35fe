"""`booking seed` on a running stack: all event types are in the topics, and the audit is green."""

import asyncio
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from tests.e2e.system import booking, local_stack

from booking_contracts.deadlines import connected
from booking_contracts.topics import EVENTS, NOTICES, TOPICS

pytestmark = [pytest.mark.servers, pytest.mark.e2e, pytest.mark.timeout(900)]


async def types_in(bootstrap: str) -> set[str]:
    """The short names of all events that are in the topics."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    async with connected(consumer):
        parts = [TopicPartition(topic.name, number) for topic in TOPICS for number in range(topic.partitions)]
        consumer.assign(parts)
        ends, found = await consumer.end_offsets(parts), set[str]()
        await consumer.seek_to_beginning(*parts)
        waiting = {part for part in parts if ends[part]}
        while waiting:
            for records in (await consumer.getmany(timeout_ms=1000, max_records=5000)).values():
                found |= {dict(one.headers)["ce_type"].decode().split(".")[-2] for one in records if one.value}
            waiting = {part for part in waiting if await consumer.position(part) < ends[part]}
        return found


def test_seeded__every_type_is_in_its_topic_and_nothing_differs(tmp_path: Path) -> None:
    state = tmp_path / "stack"
    with local_stack(state):
        seeded = booking("seed", "--json", state=state)
        assert seeded.returncode == 0, seeded.stdout + seeded.stderr
        assert json.loads(seeded.stdout)["purchases"] == 200
        endpoints = json.loads((state / "endpoints.json").read_text())
        # Nothing writes states, and nobody published a topic again here.
        unwritten = {event.TYPE for event in NOTICES.events}
        assert asyncio.run(types_in(endpoints["kafka"])) | unwritten == set(EVENTS)
        _told_again(state, endpoints, json.loads(seeded.stdout))
        audited = booking("audit", state=state)
        assert audited.returncode == 0, audited.stdout + audited.stderr

        (state / "seeds.json").unlink()  # as where an earlier release told it: known only once it is half told
        unkept = booking("seed", "--sessions", "500", state=state)
        assert unkept.returncode == 1, unkept.stdout
        assert "Something of seed 1 is here already" in unkept.stderr


def _told_again(state: Path, endpoints: dict[str, Any], first: dict[str, Any]) -> None:
    """The same goes on, and has nothing to do; another size of the same number is refused; another number adds."""

    def stored() -> int:
        with psycopg.connect(endpoints["postgres"]["checkout"]) as conn:
            return conn.execute("SELECT count(*) FROM events WHERE type = 'TransactionCreated'").fetchall()[0][0]

    before = stored()
    again = booking("seed", "--json", state=state)
    assert again.returncode == 0, again.stderr
    assert (json.loads(again.stdout)["until"], stored()) == (first["until"], before)
    otherwise = booking("seed", "--sessions", "30", state=state)
    assert (otherwise.returncode, stored()) == (1, before)
    assert "Seed 1 was told here otherwise" in otherwise.stderr
    another = booking("seed", "--json", "--seed", "2", "--sessions", "30", state=state)
    assert another.returncode == 0, another.stderr
    assert stored() == before + 30
