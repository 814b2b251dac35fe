"""The judge of flatness must catch a leak in any incarnation, and let warm-up, noise and restarts pass."""

import os
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.chaos.flatness import JUDGED_FROM_SECONDS, TOLERANCES, Sample, growing, judged, left_over, summarise
from tests.chaos.samples import of_process

STARTS = {"rss_kib": 90_000.0, "descriptors": 40.0, "threads": 12.0, "connections": 10.0}
LEAKS = {"rss_kib": 40.0, "descriptors": 0.05, "threads": 0.02, "connections": 0.02}
"""How much a second."""


def life(quantity: str, value: Callable[[float], float], *, since: float = 0, until: float = 1500, pid: str = "7"):
    return [Sample(at, "notifier-all", pid, {quantity: value(at - since)}) for at in range(int(since), int(until), 5)]


@pytest.mark.parametrize("quantity", TOLERANCES)
def test_a_leak__is_caught(quantity: str):
    leak = life(quantity, lambda age: STARTS[quantity] + LEAKS[quantity] * age)
    assert [quantity in words for words in growing(leak, 1500)] == [True]


@pytest.mark.parametrize("quantity", TOLERANCES)
def test_noise_and_warm_up__are_no_leak(quantity: str):
    chance = random.Random(1)
    start = STARTS[quantity]
    flat = life(quantity, lambda age: start * (0.5 + min(age, 100) / 200) + chance.uniform(0, 0.05) * start)
    assert judged(flat) == 1
    assert growing(flat, 1500) == []


def test_a_leak_between_two_kills__is_caught_in_its_own_incarnation():
    calm = life("rss_kib", lambda _: 90_000.0, until=700, pid="7")
    leak = life("rss_kib", lambda age: 90_000 + 100 * age, since=700, pid="8")
    assert growing(calm, 1500) == []
    assert ["(8)" in words for words in growing([*calm, *leak], 1500)] == [True]


def test_the_larger_second_incarnation__is_no_leak():
    first = life("rss_kib", lambda _: 60_000.0, until=700, pid="7")
    second = life("rss_kib", lambda _: 120_000.0, since=700, pid="8")
    assert growing([*first, *second], 1500) == []


def test_what_was_seen_too_briefly__is_not_judged():
    brief = life("rss_kib", lambda age: 90_000 + 1000 * age, until=300)
    assert (judged(brief), growing(brief, 1500)) == (0, ["no process was seen long enough to tell"])
    assert growing(life("rss_kib", lambda age: 90_000 + 1000 * age), JUDGED_FROM_SECONDS - 1) == []


def test_what_keeps_on_purpose__may_grow_and_java_up_to_its_heap():
    def named(name: str, grows: float) -> list[Sample]:
        return [replace(one, name=name) for one in life("rss_kib", lambda age: 90_000 + grows * age)]

    assert growing([*named("mailbox", 100), *named("kafka", 100), *life("threads", lambda _: 5)], 1500) == []
    assert [
        "more than it was allowed" in words
        for words in growing([*named("kafka", 900), *life("threads", lambda _: 5)], 1500)
    ] == [True]
    assert growing(named("mailbox", 100), 1500) == ["no process was seen long enough to tell"]


def test_queues__must_be_empty_at_the_end_only():
    full = [Sample(5, "queues notifier", "", {"outbox": 9, "due": 3, "held": 1})]
    assert left_over(full) == ["9 rows in outbox of queues notifier", "3 rows in due of queues notifier"]
    assert left_over([*full, Sample(10, "queues notifier", "", {"outbox": 0, "due": 0, "held": 1})]) == []


def test_summary__names_quarters_and_the_most():
    (line,) = summarise(life("descriptors", lambda age: 40 if age < 800 else 44))
    assert (line["first"], line["last"], line["max"]) == (40, 44, 44)


def test_a_living_process__is_seen():
    assert all(value > 0 for value in of_process(os.getpid()).values())
