"""Everything again: every consumer of every service set back to the beginning, everything published once more (N3)."""

import asyncio
import json
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from tests.e2e.system import Cast, booking, until
from tests.e2e.test_crash import frozen, pid_of

from booking_contracts.deadlines import connected

pytestmark = [pytest.mark.servers, pytest.mark.e2e]
SERVICES = ("checkout", "consultation", "notifier", "calendar")
Positions = dict[str, dict[TopicPartition, int]]


def handed_over(story: Cast) -> Counter[str]:
    """All messages that the providers have taken, of whatever story: how often each one's body."""
    taken: Counter[str] = Counter()
    for name in ("mailbox", "whatsapp"):
        for item in story.system.http.get(f"{story.system.endpoints[name]}/messages").json()["items"]:
            taken[json.dumps(item, sort_keys=True)] += 1
    return taken


def waiting_of(story: Cast) -> int:
    """Messages that are due and have not left."""
    with psycopg.connect(story.system.endpoints["postgres"]["notifier"]) as conn:
        sql = "SELECT count(*) FROM notification WHERE state IN ('pending', 'sending') AND due_at <= now()"
        row = conn.execute(sql).fetchone()
    assert row is not None
    return row[0]


async def positions(bootstrap: str) -> Positions:
    """Where each group stands."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    async with connected(admin):
        found: Positions = {}
        for group, _ in await admin.list_consumer_groups():
            offsets = await admin.list_consumer_group_offsets(group)
            found[str(group)] = {place: meta.offset for place, meta in offsets.items()}
        return found


async def put_back(bootstrap: str, group: str, places: list[TopicPartition]) -> bool:
    """Set a group without members to the beginning; False while it still has some."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    async with connected(consumer):
        consumer.assign(places)
        try:
            await consumer.commit(dict.fromkeys(places, 0))
        except Exception:  # noqa: BLE001 - the broker refuses a stranger's commit as long as the group has members
            return False
        return True


def rewind(story: Cast, stood: Positions) -> None:
    """Set every group, and the calendar's own positions, to the beginning. The services are frozen."""
    bootstrap = story.system.endpoints["kafka"]
    for group, places in stood.items():
        until(
            f"group {group} without members",
            lambda group=group, places=places: asyncio.run(put_back(bootstrap, group, list(places))),
        )
    with psycopg.connect(story.system.endpoints["postgres"]["calendar"]) as conn:
        conn.execute("UPDATE projection_position SET next_offset = 0")


@pytest.mark.timeout(900)
def test_every_position_reset_and_all_published_again__nobody_is_told_again(state: Path, story: Cast) -> None:
    """N3, F88: told once is told for ever, whichever consumer reads it again."""
    session = story.request(story.paid())
    story.schedule(session)
    until("the schedule told", lambda: len(story.system.mails_to(story.member.email)) >= 2)
    until("nothing due any more", lambda: waiting_of(story) == 0)
    bootstrap, before = story.system.endpoints["kafka"], handed_over(story)
    stood = {group: places for group, places in asyncio.run(positions(bootstrap)).items() if places}
    assert {"notifier", "consultation", "checkout-sessions"} <= stood.keys()
    with ExitStack() as asleep:
        for service in SERVICES:
            asleep.enter_context(frozen(pid_of(state, service)))
        rewind(story, stood)
        put = asyncio.run(positions(bootstrap))
        assert {put[group][place] for group, places in stood.items() for place in places} == {0}

    def all_read_again() -> bool:
        now = asyncio.run(positions(bootstrap))
        return all(
            now[group].get(place, 0) >= offset for group, places in stood.items() for place, offset in places.items()
        )

    until("every group to have read everything again", all_read_again, within=300)
    assert booking("republish", state=state).returncode == 0
    assert booking("rebuild", "calendar", state=state).returncode == 0
    later = story.request(story.paid())
    until("a later request told", lambda: len(story.system.mails_to(story.practitioner.email)) >= 2)
    until("the later payment told", lambda: len(story.system.mails_to(story.member.email)) >= 3)
    until("nothing due any more", lambda: waiting_of(story) == 0)
    assert later["status"] == "pending_negotiation"
    told_since = handed_over(story) - before
    assert not before - handed_over(story)
    about_others = [body for body in told_since if later["id"] not in body and story.member.name not in body]
    assert not about_others
    assert len(story.system.mails_to(story.member.email)) == 3, "paid, scheduled, and the later sale paid"
    assert len(story.system.mails_to(story.practitioner.email)) == 2, "each request once"
