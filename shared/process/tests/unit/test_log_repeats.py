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
    clock[0] += 10
    again = line("aiokafka.cluster", texts[0], "b")
    assert repeats.filter(again)
    assert again.getMessage() == "Topic b not found in cluster metadata (3000 more like this were left out)"
    assert not repeats.filter(line("aiokafka.cluster", texts[0], "b"))


def test_line_of_ours__always_passes_where_it_complains_of_nothing(clock):
    repeats = Repeats()
    for name, text in (("booking_outbox.relay", "relay: leading"), ("checkout.api", "payment_received")):
        told = [logging.LogRecord(name, logging.INFO, __file__, 1, text, (), None) for _ in range(1000)]
        assert all(repeats.filter(one) for one in told)


def test_complaint_of_ours__passes_fifty_times_in_ten_seconds_and_counts_the_others(clock):
    """A database that is away makes one of every request."""
    repeats = Repeats()

    def passed(event: str) -> tuple[bool, logging.LogRecord]:
        one = line("http", "")
        one.msg = {"event": event, "request_id": "another each time"}  # as structlog hands it on
        return repeats.filter(one), one

    assert sum(passed("http_request")[0] for _ in range(1000)) == 50
    assert passed("unhandled_error")[0], "another complaint is another line"
    clock[0] += 10
    passes, one = passed("http_request")
    assert passes
    assert one.msg == {"event": "http_request", "request_id": "another each time", "left_out": 950}


def test_texts_that_hold_their_values__do_not_pile_up(clock):
    repeats = Repeats()
    assert all(repeats.filter(line("aiokafka", f"node {number}")) for number in range(5_000))
    assert len(repeats._seen) <= 1_001
