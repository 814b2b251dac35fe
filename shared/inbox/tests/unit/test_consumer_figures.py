"""What several readers of one name in one process show together, and that nothing stays of what went."""

import asyncio
from typing import Any

from aiokafka import TopicPartition
from prometheus_client import REGISTRY

from booking_inbox.figures import Monitor
from booking_inbox.patience import Tuning
from booking_inbox.reader import Reader

NAME = "calendar.figures"


def _monitor() -> Monitor:
    async def take(_batch: Any) -> bool:
        return True

    return Reader(name=NAME, group_id="g", topics=["t"], bootstrap="-", take=take, tuning=Tuning()).monitor


def _assigned() -> float | None:
    return REGISTRY.get_sample_value("booking_consumer_assigned_partitions", {"consumer": NAME})


def _lag(partition: int) -> float | None:
    labels = {"consumer": NAME, "topic": "t", "partition": str(partition)}
    return REGISTRY.get_sample_value("booking_consumer_lag_events", labels)


def _behind(*partitions: int) -> dict[TopicPartition, int]:
    return {TopicPartition("t", partition): 10 + partition for partition in partitions}


async def test_assigned__is_the_sum_of_all_readers_of_the_name():
    """A rebuild reads with several: three partitions each are six."""
    one, other = _monitor(), _monitor()
    one._publish(_behind(0, 1, 2), paused=0)
    other._publish(_behind(3, 4, 5), paused=1)
    one._publish(_behind(0, 1, 2), paused=0)
    assert _assigned() == 6
    assert REGISTRY.get_sample_value("booking_consumer_paused_partitions", {"consumer": NAME}) == 1
    other._publish(_behind(3), paused=0)
    assert _assigned() == 4
    one.ended(asyncio.Event())
    other.ended(asyncio.Event())
    assert _assigned() == 0


async def test_lag__of_a_partition_that_went_elsewhere_is_shown_no_more():
    """Its last figure would stand for ever, and alarm."""
    one = _monitor()
    one._publish(_behind(0, 1), paused=0)
    assert (_lag(0), _lag(1)) == (10, 11)
    one._publish(_behind(1), paused=0)
    assert (_lag(0), _lag(1)) == (None, 11)
    one.ended(asyncio.Event())
    assert _lag(1) is None
