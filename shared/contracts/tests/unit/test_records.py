"""What clients read, as records: topics without the deployment's prefix, bytes untouched."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from booking_contracts.decode import Record
from booking_contracts.records import from_aiokafka, from_confluent
from booking_contracts.topics import SESSIONS

HOSTILE = Record(SESSIONS.name, 3, 9, b"\xff", None, (("a", None),), 0)


def _message(**differs):
    told = {
        "error": None, "topic": "t1." + SESSIONS.name, "partition": 3, "offset": 9, "key": b"\xff", "value": None,
        "headers": [("a", None)], "timestamp": (0, -1), **differs,
    }  # fmt: skip
    return SimpleNamespace(**{name: lambda value=value: value for name, value in told.items()})


def test_record_of_aiokafka__has_no_prefix_and_the_same_bytes():
    raw = SimpleNamespace(
        topic="t1." + SESSIONS.name, partition=3, offset=9, key=b"\xff", value=None, headers=(("a", None),),
        timestamp=None,
    )  # fmt: skip
    assert from_aiokafka(raw, "t1.") == HOSTILE


def test_message_of_confluent__has_no_prefix_and_the_same_bytes():
    assert from_confluent(_message(), "t1.") == HOSTILE


def test_message_of_confluent__without_headers_and_with_a_time():
    record = from_confluent(_message(headers=None, timestamp=(1, 1_764_000_000_123)), "t1.")
    assert (record.headers, record.timestamp_ms) == ((), 1_764_000_000_123)
    assert record.recorded_at == datetime(2025, 11, 24, 16, 0, 0, 123_000, tzinfo=UTC)


def test_message_that_is_an_error__is_no_record():
    with pytest.raises(ValueError, match="Broker: Unknown topic"):
        from_confluent(_message(error="Broker: Unknown topic"))


def test_nothing_within_the_time__is_no_record():
    with pytest.raises(ValueError, match="nothing came"):
        from_confluent(None)


@pytest.mark.parametrize("differs", [{"key": "text"}, {"value": {"parsed": True}}])
def test_what_a_deserializer_made__is_refused_in_words(differs: dict):
    (what,) = differs
    with pytest.raises(TypeError, match=f"the {what} is (str|dict) and not bytes: read without a deserializer"):
        from_confluent(_message(**differs))
    told = {"topic": SESSIONS.name, "partition": 0, "offset": 0, "key": b"k", "value": b"{}", "headers": None}
    with pytest.raises(TypeError, match=f"the {what} is "):
        from_aiokafka(SimpleNamespace(**{**told, "timestamp": -1, **differs}))


def test_header_that_is_text__is_refused_in_words():
    with pytest.raises(TypeError, match="the header ce_id is str and not bytes"):
        from_confluent(_message(headers=[("ce_id", "text")]))


def test_record_of_kafka_python__may_have_no_headers_and_no_time():
    told = {"topic": SESSIONS.name, "partition": 3, "offset": 9, "key": b"k", "value": None, "headers": None}
    record = from_aiokafka(SimpleNamespace(**told, timestamp=-1))
    assert (record.headers, record.timestamp_ms) == ((), 0)
