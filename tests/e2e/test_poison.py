"""F44, I13: the whole corpus of poison between good records, on a real broker, for every service that consumes."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from shared.inbox.tests.consumer_rig import Message
from shared.inbox.tests.poison import spoiled
from tests.e2e.kafka_log import everything
from tests.e2e.system import Cast, System, booking, until

from booking_contracts.ids import partition_of
from booking_contracts.topics import SESSIONS, TRANSACTIONS, Topic

pytestmark = [pytest.mark.servers, pytest.mark.e2e, pytest.mark.timeout(900)]
READERS = {TRANSACTIONS: ("consultation", "notifier"), SESSIONS: ("checkout", "notifier", "calendar")}


def test_poison_between_good_records__every_service_holds_it_and_goes_on(state: Path, story: Cast) -> None:
    """The story's own events lie in the very partition, before the poison and behind it."""
    system, before = story.system, unreadable(state)
    sale = story.buy()
    story.consultation_knows(sale)
    bad = put_poison(system, TRANSACTIONS, sale["id"])
    story.pay(sale)
    session = until("consultation to see the payment behind the poison", lambda: requested(story, sale))
    until("the notifier to tell it", lambda: system.whatsapps_to(story.practitioner.phone))

    bad |= put_poison(system, SESSIONS, session["id"])
    story.schedule(session)
    until("the calendar to show it", lambda: story.calendar(story.member, session["id"]))
    until("the notifier to tell the time", lambda: len(system.mails_to(story.member.email)) >= 2)

    wanted = {(service, topic.name): len(bad) // 2 for topic, services in READERS.items() for service in services}
    until("each to be held by each of its readers", lambda: held(story, bad) == wanted)
    settle(story, bad)
    assert held(story, bad) == {}
    after = unreadable(state)
    assert {name: after[name] - before[name] for name in after} == {TRANSACTIONS.name: 3, SESSIONS.name: 3}


def unreadable(state: Path) -> dict[str, int]:
    """How many records of each topic the audit cannot read, and reads past."""
    audited = json.loads(booking("audit", "--json", state=state).stdout)
    counts = {section["name"]: section["counts"].get("unreadable") for section in audited["sections"]}
    return {topic.name: counts[topic.name] for topic in READERS}


def requested(story: Cast, sale: dict[str, Any]) -> dict[str, Any] | None:
    body = {"transaction_id": sale["id"]}
    answer = story.system.call(story.member, "consultation", "POST", "/v1/sessions", json=body)
    return answer.json() if answer.status_code == 201 else None


def put_poison(system: System, topic: Topic, good_key: str) -> dict[str, str]:
    """Spoiled copies of that key's first event into its partition, each with a key of its own; names by key."""
    bootstrap = system.endpoints["kafka"]
    first = next(raw for raw in everything(bootstrap) if raw.topic == topic.name and raw.key == good_key.encode())
    partition = partition_of(good_key.encode(), topic.partitions)
    names: dict[str, str] = {}
    messages: list[Message] = []
    for name in spoiled(_copy(topic, first, good_key, partition)):
        key = str(uuid4())
        names[key] = name
        messages.append(spoiled(_copy(topic, first, good_key, partition, key))[name])
    asyncio.run(_send(bootstrap, messages))
    return names


def _copy(topic: Topic, raw: Any, old: str, partition: int, new: str = "") -> Message:
    key, before = (new or old).encode(), old.encode()
    headers = [(name, value.replace(before, key)) for name, value in raw.headers]
    return Message(topic, key, raw.value.replace(before, key), headers, partition)


async def _send(bootstrap: str, messages: list[Message]) -> None:
    made = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=2_000_000)
    async with made as producer:
        for one in messages:
            await producer.send_and_wait(
                one.topic.name, one.value, key=one.key, headers=one.headers, partition=one.partition
            )


def _items(story: Cast, service: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = story.system.get(story.admin, service, f"/v1/held-records?limit=100{cursor}")
        items += page["items"]
        if not page["next_cursor"]:
            return items
        cursor = f"&cursor={page['next_cursor']}"


def held(story: Cast, bad: dict[str, str]) -> dict[tuple[str, str], int]:
    """How many of them each service holds of each topic, by its admin API."""
    services = {service for services in READERS.values() for service in services}
    return dict(
        Counter(
            (service, item["topic"])
            for service in services
            for item in _items(story, service)
            if item["key"] in bad and item["reason"] == "undecodable"
        )
    )


def settle(story: Cast, bad: dict[str, str]) -> None:
    """An admin looks at each, finds its place and why, and discards it."""
    for service in {service for services in READERS.values() for service in services}:
        for item in _items(story, service):
            if item["key"] in bad:
                path = f"/v1/held-records/{item['id']}"
                shown = story.system.get(story.admin, service, path)
                assert shown["error"], bad[item["key"]]
                assert shown["partition"] is not None
                story.system.post(story.admin, service, f"{path}/discard")
