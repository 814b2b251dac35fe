"""A program in another language: Node, its Kafka client and its CloudEvents SDK read what the relay sends."""

import asyncio
import dataclasses
import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from booking_contracts.corpus import NAMES, golden
from booking_contracts.decode import Record, decode
from booking_contracts.topics import PRACTITIONERS, TOPICS
from booking_contracts.wire import VARINT, header
from booking_local.packages import UnavailableError, node_with
from booking_outbox._encoding import Batch, Outgoing
from booking_outbox._publisher import MAX_BATCH_BYTES, Publisher

pytestmark = pytest.mark.servers
PROGRAM = Path(__file__).parents[1] / "node_client"


async def test_node__reads_every_golden_record_and_a_tombstone_as_we_do(kafka):
    try:
        node, folder = await node_with(PROGRAM)
    except UnavailableError as reason:
        pytest.skip(str(reason))
    prefix = kafka.prefix()
    kafka.create_topics(prefix)
    now = int(time.time() * 1000) - 60_000
    await _publish(kafka.bootstrap, prefix, now)
    told = await _read(node, folder / "read.mjs", kafka.bootstrap, prefix)
    tombstones = [one for one in told if one["event"] is None]
    assert [(one["topic"], one["key"]) for one in tombstones] == [(prefix + PRACTITIONERS.name, _ERASED)]
    by_type = {one["event"]["type"]: one for one in told if one["event"] is not None}
    assert len(by_type) == len(NAMES)
    for name in NAMES:
        record = golden(name)
        meta, one = decode(record).meta, by_type[decode(record).meta.type]
        event = one["event"]
        assert (one["topic"], one["key"]) == (prefix + record.topic, (record.key or b"").decode())
        assert (event["id"], event["source"], event["type"]) == (str(meta.id), meta.source, meta.type)
        assert datetime.fromisoformat(event["time"]) == _milliseconds(meta.time)
        assert event.get("sequence") == (str(meta.sequence) if meta.sequence else None)
        who = json.loads(event["metadata"])
        assert (who["actor"], who["correlation_id"]) == (meta.actor, meta.correlation_id)
        assert who.get("causation_id") == meta.causation_id
        assert event["data"] == json.loads(record.value or b"")
        assert one["headers"] == {name: (value or b"").decode() for name, value in record.headers}
        if not next(topic for topic in TOPICS if topic.name == record.topic).state:
            assert one["timestamp"] == now, "the time that the relay gave it"


_ERASED = "0198d2a0-9999-7000-8000-000000000009"
_TOMBSTONE = dataclasses.replace(golden("PractitionerProfile.v1"), key=_ERASED.encode(), value=None)


async def _publish(bootstrap: str, prefix: str, at: int) -> None:
    """One packed batch for each topic, framed as the relay frames them."""
    records: dict[str, list[Outgoing]] = {}
    for record in (*map(golden, NAMES), _TOMBSTONE):
        records.setdefault(record.topic, []).append(Outgoing(b"1", _bytes(record), at))
    batches = {topic: Batch(MAX_BATCH_BYTES, "zstd") for topic in records}
    for topic, batch in batches.items():
        assert batch.fill(records[topic], 0, at) == len(records[topic])
    publisher = await Publisher.start(bootstrap)
    try:
        for topic, batch in batches.items():
            await publisher.send(prefix + topic, 0, batch)
    finally:
        await publisher.stop()


def _bytes(record: Record) -> bytes:
    key, value, headers = record.key or b"", record.value, record.headers
    body = b"\x01" if value is None else VARINT[len(value)] + value
    block = b"".join(header(name, text or b"") for name, text in headers)
    return VARINT[len(key)] + key + body + VARINT[len(headers)] + block


async def _read(node: Path, program: Path, bootstrap: str, prefix: str) -> list[dict[str, Any]]:
    words = [bootstrap, str(len(NAMES) + 1), *(prefix + topic.name for topic in TOPICS)]
    process = await asyncio.create_subprocess_exec(
        node, program, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    return [json.loads(line) for line in output.decode().splitlines()]


def _milliseconds(instant: datetime) -> datetime:
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
