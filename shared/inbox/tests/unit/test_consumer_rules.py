"""The pure rules: verdicts, what comes next, what is transient, what bytes mean."""

import asyncio
from uuid import uuid4

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from shared.inbox.tests.consumer_rig import Message, session_event

from booking_contracts.decode import Decoded, Record
from booking_contracts.topics import ASSESSMENTS, PRACTITIONERS, SESSIONS, Topic
from booking_inbox.held import Reason, Waiting
from booking_inbox.inbox import next_of, verdict
from booking_inbox.patience import Backoff, is_transient
from booking_inbox.reading import Poison, describe, digest_of, key_text, read, version_in
from booking_process.database import DatabaseDownError


def waiting(version: int | None, reason: Reason = "gap", digest: bytes = b"other") -> Waiting:
    return Waiting(uuid4(), version, reason, digest)


@pytest.mark.parametrize(
    ("topic", "last", "version", "held", "expected"),
    [
        (SESSIONS, 0, 1, [], "apply"),
        (SESSIONS, 4, 5, [], "apply"),
        (SESSIONS, 4, 4, [], "duplicate"),
        (SESSIONS, 4, 1, [], "duplicate"),
        (SESSIONS, 4, 6, [], "hold"),
        (SESSIONS, 0, 2, [], "hold"),
        (SESSIONS, 4, 5, [waiting(7)], "apply"),
        (SESSIONS, 4, 6, [waiting(5, "failed")], "hold"),
        (SESSIONS, 4, 5, [waiting(5, "failed")], "apply"),
        (SESSIONS, 4, 5, [waiting(None, "undecodable")], "hold"),
        (SESSIONS, 4, 5, [waiting(2, "undecodable")], "apply"),
        (SESSIONS, 4, 4, [waiting(None, "undecodable")], "duplicate"),
        (PRACTITIONERS, 0, 9, [], "apply"),
        (PRACTITIONERS, 4, 9, [], "apply"),
        (PRACTITIONERS, 4, 4, [], "duplicate"),
        (PRACTITIONERS, 4, 3, [], "ignored"),
        (PRACTITIONERS, 4, 9, [waiting(7, "failed")], "hold"),
        (PRACTITIONERS, 4, 6, [waiting(7, "failed")], "apply"),
        (ASSESSMENTS, 3, None, [], "apply"),
        (ASSESSMENTS, 3, None, [waiting(None, "failed")], "hold"),
    ],
)
def test_verdict(topic: Topic, last: int, version: int | None, held: list[Waiting], expected: str):
    assert verdict(topic, last, version, b"this", held) == expected


def test_verdict__what_is_held_already_is_a_duplicate():
    assert verdict(SESSIONS, 4, 6, b"this", [waiting(6, digest=b"this")]) == "duplicate"


@pytest.mark.parametrize(
    ("topic", "last", "held", "retry", "expected"),
    [
        (SESSIONS, 1, [waiting(3), waiting(2)], False, 2),
        (SESSIONS, 1, [waiting(3)], False, None),
        (SESSIONS, 1, [waiting(2, "failed"), waiting(3)], False, None),
        (SESSIONS, 1, [waiting(2, "failed"), waiting(3)], True, 2),
        (SESSIONS, 1, [waiting(2), waiting(None, "undecodable")], False, None),
        (PRACTITIONERS, 1, [waiting(9), waiting(5)], False, 5),
        (SESSIONS, 1, [], True, None),
    ],
)
def test_next_of(topic: Topic, last: int, held: list[Waiting], retry: bool, expected: int | None):
    following = next_of(topic, last, held, retry=retry)
    assert (following.version if following else None) == expected


def test_next_of__without_a_sequence_the_oldest_is_first():
    first, second = waiting(None), waiting(None)
    assert next_of(ASSESSMENTS, 5, [first, second], retry=False) is first


class DeclaredError(Exception):
    """What a service names as transient."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (psycopg.OperationalError("lost"), True),
        (psycopg.errors.DeadlockDetected(), True),
        (psycopg.errors.SerializationFailure(), True),
        (psycopg.errors.AdminShutdown(), True),
        (psycopg.errors.QueryCanceled(), True),
        (psycopg.errors.DiskFull(), True),
        (psycopg.InterfaceError("closed"), True),
        (DatabaseDownError(), True),
        (TimeoutError(), True),
        (ConnectionResetError(), True),
        (DeclaredError(), True),
        (ExceptionGroup("both", [ValueError(), ConnectionRefusedError()]), True),
        (psycopg.errors.ProgramLimitExceeded(), False),
        (psycopg.errors.UniqueViolation(), False),
        (psycopg.errors.NumericValueOutOfRange(), False),
        (FileNotFoundError(), False),
        (ValueError(), False),
        (RecursionError(), False),
        (SystemExit(), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_transient(error: BaseException, expected: bool):
    assert is_transient(error, (DeclaredError,)) is expected


def test_transient__through_a_cause():
    error = ValueError("wrapped")
    error.__cause__ = psycopg.OperationalError("lost")
    assert is_transient(error)
    error.__cause__.__cause__ = error  # a circle must end
    assert is_transient(error)


async def test_backoff__grows_to_its_cap_and_a_stop_cuts_it_short():
    stop = asyncio.Event()
    backoff = Backoff(first=0.001, cap=0.004)
    assert [await backoff.wait(stop) for _ in range(5)] == [True] * 5
    assert backoff._next == 0.004
    stop.set()
    assert not await Backoff(first=60).wait(stop)


def test_describe__quotes_no_values():
    class Model(BaseModel):
        email: int

    with pytest.raises(ValidationError) as caught:
        Model.model_validate({"email": "rina@example.com"})
    assert describe(caught.value) == "ValidationError: email int_parsing"
    assert describe(ValueError("a\x00b\ud800")) == "ValueError: a\\0b?"


KEYS = [(None, None), (b"", None), (b"k", "k"), (b"a\x00", None), (b"\xff", None), (b"k" * 513, None)]


@pytest.mark.parametrize(("key", "expected"), KEYS)
def test_key_text(key: bytes | None, expected: str | None):
    assert key_text(key) == expected


SEQUENCES = [(b"7", 7), (b"0", None), (b"-1", None), (b"9" * 19, None), (b"9" * 30, None), (b"", None), (None, None)]


@pytest.mark.parametrize(("text", "expected"), SEQUENCES)
def test_version_in(text: bytes | None, expected: int | None):
    assert version_in(record(session_event(uuid4(), 1).with_header("ce_sequence", text))) == expected


def test_version_in__two_sequences_are_none():
    message = session_event(uuid4(), 1)
    assert version_in(record(message.changed(headers=[*message.headers, ("ce_sequence", b"2")]))) is None


def test_digest__tells_every_part_apart_and_not_the_place():
    message = session_event(uuid4(), 1)
    base = record(message)
    from dataclasses import replace

    assert digest_of(replace(base, partition=5, offset=99, timestamp_ms=1)) == digest_of(base)
    parts = [replace(base, key=b"x"), replace(base, value=None), replace(base, value=b""), replace(base, headers=())]
    moved = [(base.headers[1][0], base.headers[0][1]), (base.headers[0][0], base.headers[1][1]), *base.headers[2:]]
    assert len({digest_of(r) for r in (base, *parts, replace(base, headers=tuple(moved)))}) == 6


def test_read__a_good_record_is_decoded():
    assert isinstance(read(record(session_event(uuid4(), 1)), sequenced=True), Decoded)


@settings(max_examples=300, deadline=None)
@given(
    key=st.none() | st.binary(max_size=40),
    value=st.none() | st.binary(max_size=80),
    headers=st.lists(st.tuples(st.text(max_size=10), st.none() | st.binary(max_size=20)), max_size=6),
)
def test_read__no_bytes_whatever_raise(key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]):
    hostile = Record(SESSIONS.name, 0, 0, key, value, tuple(headers), 0)
    assert isinstance(read(hostile, sequenced=True), Poison)
    assert len(digest_of(hostile)) == 32


@settings(max_examples=300, deadline=None)
@given(
    where=st.integers(0, 12),
    by=st.none() | st.binary(max_size=40),
    cut=st.integers(0, 200),
    noise=st.binary(max_size=8),
)
def test_read__no_mutation_of_a_good_record_raises(where: int, by: bytes | None, cut: int, noise: bytes):
    message = session_event(uuid4(), 1)
    assert message.value is not None
    name = message.headers[where % len(message.headers)][0]
    mutated = message.with_header(name, by).changed(value=message.value[:cut] + noise + message.value[cut:])
    assert isinstance(read(record(mutated), sequenced=True), Decoded | Poison)


def record(message: Message) -> Record:
    return Record(message.topic.name, 0, 0, message.key, message.value, tuple(message.headers), 0)
