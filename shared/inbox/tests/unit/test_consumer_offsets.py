"""Commits of offsets never end unseen, and a revocation always cleans up, whatever Kafka's client raises."""

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaConnectionError

from booking_inbox.client import Assignment, OffsetCommits
from booking_inbox.patience import Tuning
from booking_inbox.reader import Reader

HERE, ELSEWHERE = TopicPartition("t", 0), TopicPartition("t", 1)


class Client:
    """Kafka's client as far as commits go; like the real one it refuses to commit nothing."""

    def __init__(self, *assigned: TopicPartition) -> None:
        self.assigned = set(assigned)
        self.failures: list[BaseException] = []
        self.taken: list[dict[TopicPartition, int]] = []

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if not offsets:
            raise ValueError("Invalid offsets")
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append(offsets)


def _commits(client: Client) -> OffsetCommits:
    return OffsetCommits(lambda: client, deadline=5.0)  # type: ignore[arg-type, return-value]


async def test_settled__where_all_partitions_went_elsewhere_nothing_is_committed_and_nothing_waits():
    client = Client(HERE)
    commits = _commits(client)
    commits.settle(ELSEWHERE, 7)
    assert await commits.flush()
    client.assigned = {ELSEWHERE}
    assert await commits.flush()
    assert client.taken == []
    assert not commits.failing


@pytest.mark.parametrize("error", [ValueError("bug"), RuntimeError("bug"), KafkaConnectionError(), CommitFailedError()])
async def test_run__goes_on_after_any_failure_and_what_failed_is_committed_later(error: Exception):
    client = Client(HERE)
    client.failures = [error]
    commits = _commits(client)
    running = asyncio.create_task(commits.run())
    commits.settle(HERE, 3)
    async with asyncio.timeout(30):
        while not client.taken:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert client.taken == [{HERE: 3}]
    assert not running.done()
    running.cancel()


async def test_run__while_commits_fail_by_a_bug_it_says_so():
    """The monitor replaces a client whose commits fail for long although the broker answers."""
    client = Client(HERE)
    client.failures = [ValueError("bug")]
    commits = _commits(client)
    commits.settle(HERE, 3)
    assert not await commits.flush()
    assert commits.failing


class Broken(OffsetCommits):
    """Whose flush fails in a way that nobody thought of."""

    async def flush(self) -> bool:
        raise ValueError("bug")


async def test_revoked__cleans_up_whatever_the_last_commit_does():
    async def take(_batch: Any) -> bool:
        return True

    async def starts(_partitions: Any) -> dict[TopicPartition, int]:
        return {}

    reader = Reader(name="n", group_id="n", topics=["t"], bootstrap="-", take=take, tuning=Tuning(), starts=starts)
    reader.offsets = Broken(lambda: None, deadline=1.0)
    reader.offsets.settle(HERE, 3)
    reader.paused.add(HERE)
    assert reader.positions is not None
    reader.positions[HERE] = 3
    reader.assignment.partitions = frozenset({HERE})
    with pytest.raises(ValueError, match="bug"):
        await reader.assignment.on_partitions_revoked([HERE])
    assert (reader.offsets._pending, reader.paused, reader.positions) == ({}, set(), {})
    assert (reader.assignment.partitions, reader.assignment.epoch) == (None, 1)


async def test_assignment__counts_a_revocation_also_when_its_hook_fails():
    async def fails(_partitions: frozenset[TopicPartition]) -> None:
        raise RuntimeError("bug")

    assignment = Assignment(on_revoked=fails, on_assigned=fails)
    with pytest.raises(RuntimeError):
        await assignment.on_partitions_revoked([HERE])
    assert assignment.epoch == 1
