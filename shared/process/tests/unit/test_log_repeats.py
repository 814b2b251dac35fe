"""A library's complaint that repeats several times a second must not bury the log."""

import logging

import pytest

from booking_process.logs import Repeats


def line(name: str, text: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, __file__, 1, text, values, None)


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("booking_process.logs.time.monotonic", lambda: now[0])
    return now


def test_complaint_of_a_library__passes_once_in_ten_seconds_and_counts_the_others(clock):
    repeats = Repeats()
    texts = ("Topic %s not found in cluster metadata", "Unable connect to node with id %s: %s")
    assert repeats.filter(line("aiokafka.cluster", texts[0], "a"))
    assert not any(repeats.filter(line("aiokafka.cluster", texts[0], topic)) for topic in "abc" * 1000)
    assert repeats.filter(line("aiokafka", texts[1], 0, "refused")), "another complaint is another line"
    clock[0] += 9.9
    assert not repeats.filter(line("aiokafka.cluster", texts[0], "b"))
    clock[0] += 0.1
    again = line("aiokafka.cluster", texts[0], "b")
    assert repeats.filter(again)
    assert again.getMessage() == "Topic b not found in cluster metadata (3001 more like this were left out)"
    assert not repeats.filter(line("aiokafka.cluster", texts[0], "b"))


@pytest.mark.parametrize("library", ["aiokafka", "faststream", "psycopg", "sqlalchemy", "asyncio"])
def test_library__passes_once_whatever_part_of_it_complains(clock, library: str):
    repeats = Repeats()
    assert repeats.filter(line(f"{library}.part", "It failed"))
    assert not repeats.filter(line(f"{library}.part", "It failed"))
    assert repeats.filter(line(f"{library}.other", "It failed")), "of another part it is another complaint"


def test_complaint_that_never_stops__passes_every_ten_seconds_all_the_same(clock):
    """What is left out does not make the next one wait longer."""
    repeats, passed = Repeats(), []
    for _ in range(60):
        passed.append(repeats.filter(line("asyncio", "It failed")))
        clock[0] += 1
    assert [second for second, passes in enumerate(passed) if passes] == [0, 10, 20, 30, 40, 50]


def test_line_of_ours__always_passes_where_it_complains_of_nothing(clock):
    repeats = Repeats()
    for name, text in (("booking_outbox.relay", "relay: leading"), ("checkout.api", "payment_received")):
        told = [logging.LogRecord(name, logging.INFO, __file__, 1, text, (), None) for _ in range(1000)]
        assert all(repeats.filter(one) for one in told)


@pytest.mark.parametrize("level", [logging.WARNING, logging.ERROR])
def test_complaint_of_ours__passes_fifty_times_in_ten_seconds_and_counts_the_others(clock, level: int):
    """A database that is away makes one of every request."""
    repeats = Repeats()

    def passed(event: str) -> tuple[bool, logging.LogRecord]:
        one = logging.LogRecord("http", level, __file__, 1, "", (), None)
        one.msg = {"event": event, "request_id": "another each time"}  # as structlog hands it on
        return repeats.filter(one), one

    assert sum(passed("http_request")[0] for _ in range(1000)) == 50
    assert passed("unhandled_error")[0], "another complaint is another line"
    clock[0] += 10
    passes, one = passed("http_request")
    assert passes
    assert one.msg == {"event": "http_request", "request_id": "another each time", "left_out": 950}
    assert all(passed("http_request")[0] for _ in range(49))
    clock[0] += 10
    assert "left_out" not in passed("http_request")[1].msg, "of fifty none was left out"


def test_texts_that_hold_their_values__do_not_pile_up(clock):
    repeats = Repeats()
    assert all(repeats.filter(line("aiokafka", f"node {number}")) for number in range(5_000))
    assert len(repeats._seen) <= 1_001
