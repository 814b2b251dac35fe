"""What several readers of one name in one process show together, and that nothing stays of what went."""

import asyncio
import time
from typing import Any

from aiokafka import TopicPartition
from prometheus_client import REGISTRY

from booking_inbox.figures import Monitor, begin
from booking_inbox.group_lag import Waiting
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


def _show(monitor: Monitor, *partitions: int, paused: int = 0) -> None:
    behind = {TopicPartition("t", partition): 10 + partition for partition in partitions}
    monitor._publish_assigned(frozenset(behind), paused=paused)
    monitor._publish_lag(behind)


async def test_assigned__is_the_sum_of_all_readers_of_the_name():
    """A rebuild reads with several: three partitions each are six."""
    one, other = _monitor(), _monitor()
    _show(one, 0, 1, 2)
    _show(other, 3, 4, 5, paused=1)
    _show(one, 0, 1, 2)
    assert _assigned() == 6
    assert REGISTRY.get_sample_value("booking_consumer_paused_partitions", {"consumer": NAME}) == 1
    _show(other, 3)
    assert _assigned() == 4
    one.ended(asyncio.Event())
    other.ended(asyncio.Event())
    assert _assigned() == 0


async def test_lag__of_a_partition_that_went_elsewhere_is_shown_no_more():
    """Its last figure would stand for ever, and alarm."""
    one = _monitor()
    _show(one, 0, 1)
    assert (_lag(0), _lag(1)) == (10, 11)
    _show(one, 1)
    assert (_lag(0), _lag(1)) == (None, 11)
    one.ended(asyncio.Event())
    assert _lag(1) is None


async def test_assigned__is_none_while_no_share_is_complete_and_the_lag_stays():
    """A group that can't settle reads nothing. Lag that came and went with each try would never alarm."""
    one = _monitor()
    _show(one, 0, 1)
    one._publish_assigned(None, paused=0)
    assert (_assigned(), _lag(0), _lag(1)) == (0, 10, 11)
    one._publish_assigned(frozenset({TopicPartition("t", 1)}), paused=0)
    assert (_assigned(), _lag(0), _lag(1)) == (1, None, 11)
    one.ended(asyncio.Event())
    assert _lag(1) is None


async def test_lag__of_the_first_record_after_a_quiet_night_is_not_the_night():
    """The last settled record is hours old, and nobody has waited since: an alarm looks at the one that waits now."""
    partition = TopicPartition("t", 7)
    one = _monitor()
    one._last_timestamp[partition] = int((time.time() - 36_000) * 1000)
    one._publish_lag({partition: 0})
    one._publish_lag({partition: 1})
    labels = {"consumer": NAME, "topic": "t", "partition": "7"}
    assert (REGISTRY.get_sample_value("booking_consumer_lag_seconds", labels) or 0) < 60
    one._level_at.clear()  # as after an assignment: nobody knows how long it has been behind
    one._publish_lag({partition: 1})
    assert (REGISTRY.get_sample_value("booking_consumer_lag_seconds", labels) or 0) >= 36_000
    one.ended(asyncio.Event())


def test_series__are_there_at_0_before_anything_happens():
    begin("calendar.fresh", ["t"])
    for outcome in ("applied", "gap", "undecodable", "failed"):
        labels = {"consumer": "calendar.fresh", "topic": "t", "outcome": outcome}
        assert REGISTRY.get_sample_value("booking_consumer_records_total", labels) == 0
    assert REGISTRY.get_sample_value("booking_consumer_clients_replaced_total", {"consumer": "calendar.fresh"}) == 0
    held = {"consumer": "calendar.fresh", "topic": "t", "reason": "failed"}
    assert REGISTRY.get_sample_value("booking_consumer_held_keys", held) == 0


def test_waiting__is_counted_from_when_the_end_was_first_seen_beyond_what_is_settled():
    waiting = Waiting()
    assert waiting.look(0.0, committed=5, end=5) == 0
    assert waiting.look(10.0, committed=5, end=7) == 0  # seen for the first time
    assert waiting.look(20.0, committed=5, end=9) == 10
    assert waiting.look(30.0, committed=6, end=9) == 20  # one of the two of then still waits
    assert waiting.look(40.0, committed=8, end=9) == 20  # those of 20 s
    assert waiting.look(50.0, committed=9, end=9) == 0


def test_waiting__remembers_the_oldest_however_long_an_outage_is():
    waiting = Waiting()
    seen = [waiting.look(float(second), committed=0, end=second + 1) for second in range(5_000)]
    assert seen[-1] == 4_999
    assert len(waiting._seen) <= 1_000
