"""F44, T24: a record that breaks the language is Undecodable with a reason, and never anything else."""

import contextlib
import dataclasses
import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_contracts.corpus import NAMES, golden
from booking_contracts.decode import decode
from booking_contracts.errors import ContractError, Undecodable
from booking_contracts.record import Record

GOOD = golden("SessionScheduled.v1")
CONTACT = golden("PersonContact.v1")


def with_header(name: str, value: bytes | None, record: Record = GOOD) -> Record:
    kept = tuple(pair for pair in record.headers if pair[0] != name)
    return dataclasses.replace(record, headers=(*kept, (name, value)))


def without_header(name: str, record: Record = GOOD) -> Record:
    return dataclasses.replace(record, headers=tuple(pair for pair in record.headers if pair[0] != name))


def with_extra(raw: str, record: Record = GOOD) -> Record:
    value = (record.value or b"").decode()
    return dataclasses.replace(record, value=(value[:-1] + ',"extra":' + raw + "}").encode("utf-8", "surrogatepass"))


def with_field(name: str, value: Any, record: Record = GOOD) -> Record:
    told = json.loads(record.value or b"")
    return dataclasses.replace(record, value=json.dumps({**told, name: value}).encode())


POISON = {
    "bad json": dataclasses.replace(GOOD, value=b"{nope"),
    "empty": dataclasses.replace(GOOD, value=b""),
    "truncated": dataclasses.replace(GOOD, value=(GOOD.value or b"")[:-7]),
    "binary": dataclasses.replace(GOOD, value=b"\xff\xfe\x00"),
    "an array": dataclasses.replace(GOOD, value=b"[]"),
    "null in JSON": dataclasses.replace(GOOD, value=b"null"),
    "tombstone on an event topic": dataclasses.replace(GOOD, value=None),
    "NaN in a known field": with_field("schedule_version", float("nan")),
    "NaN elsewhere": with_extra("NaN"),
    "Infinity elsewhere": with_extra("-Infinity"),
    "huge int in a known field": with_field("schedule_version", 10**30),
    "huge int elsewhere": with_extra("1" * 5_000),
    "int of 65 bits elsewhere": with_extra(str(2**63)),
    "U+0000 in a known field": with_field("meeting_link", "a\x00b"),
    "U+0000 elsewhere": with_extra('{"a":["\\u0000"]}'),
    "U+0000 in a name": with_extra('{"\\u0000":1}'),
    "lone surrogate": with_extra('"\\ud800"'),
    "lone low surrogate": with_extra('"\\uDC00x"'),
    "raw surrogate": with_extra('"\ud800"'),
    "deep nesting": with_extra("[" * 20_000 + "]" * 20_000),
    "deep objects": with_extra('{"a":' * 5_000 + "1" + "}" * 5_000),
    "null header": with_header("x-any", None),
    "null known header": with_header("ce_actor", None),
    "non-UTF-8 header": with_header("x-any", b"\xff\xfe"),
    "NUL in a header": with_header("ce_correlationid", b"a\x00"),
    "duplicate header": dataclasses.replace(GOOD, headers=(*GOOD.headers, ("ce_id", str(uuid4()).encode()))),
    "wrong content-type": with_header("content-type", b"text/plain"),
    "structured mode": with_header("content-type", b"application/cloudevents+json"),
    "wrong charset": with_header("content-type", b"application/json; charset=utf-16"),
    "no content-type": without_header("content-type"),
    "wrong specversion": with_header("ce_specversion", b"0.3"),
    "foreign source": with_header("ce_source", b"/booking/notifier"),
    "sequence zero": with_header("ce_sequence", b"0"),
    "sequence of words": with_header("ce_sequence", b"two"),
    "sequence in other digits": with_header("ce_sequence", "٢".encode()),
    "id no UUID": with_header("ce_id", b"1"),
    "type without version": with_header("ce_type", b"com.booking.consultation.SessionScheduled"),
    "time of words": with_header("ce_time", b"yesterday"),
    "time without zone": with_header("ce_time", b"2026-11-22T03:10:00"),
    "time of no calendar": with_header("ce_time", b"2026-02-30T03:10:00Z"),
    "actor of no kind": with_header("ce_actor", b"root"),
    "actor without id": with_header("ce_actor", b"member:me"),
    "key is not the subject": dataclasses.replace(GOOD, key=str(uuid4()).encode()),
    "no key": dataclasses.replace(GOOD, key=None),
    "binary key": dataclasses.replace(GOOD, key=b"\xff"),
    "subject no UUID": dataclasses.replace(with_header("ce_subject", b"me"), key=b"me"),
    "another session in the value": with_field("session_id", str(uuid4())),
    "status of another event": with_field("status", "canceled"),
    "a number as text": with_field("schedule_version", "1"),
    "a boolean as number": with_field("schedule_version", True),
    "seconds in a local time": with_field("time_start", "09:00:30"),
    "an instant without zone": with_field("starts_at", "2026-12-01T02:00:00"),
    "an instant before the first year": with_field("starts_at", "0001-01-01T00:00:00+14:00"),
    "an instant after the last year": with_field("starts_at", "9999-12-31T23:59:59-14:00"),
    "time before the first year": with_header("ce_time", b"0001-01-01T00:00:00+14:00"),
    "an instant as number": with_field("starts_at", 1_764_000_000),
    "topic of no catalogue": dataclasses.replace(GOOD, topic="booking.nope.v1"),
    **{
        f"no {name}": without_header(name)
        for name in (
            "ce_specversion",
            "ce_id",
            "ce_source",
            "ce_type",
            "ce_subject",
            "ce_time",
            "ce_sequence",
            "ce_actor",
        )
    },
}


@pytest.mark.parametrize("name", POISON)
def test_poison_is_undecodable_with_a_reason(name: str):
    with pytest.raises(Undecodable) as caught:
        decode(POISON[name])
    assert caught.value.reason


def test_the_golden_record_itself_is_no_poison():
    assert decode(GOOD).kind == "event"


@pytest.mark.parametrize(
    "raw",
    [
        '"NaN and Infinity in a text"',
        '"\\\\u0000"',
        '"12345678901234567890"',
        '"\\ud83d\\ude00"',
        str(2**63 - 1),
        "1e400",
    ],
)
def test_innocent_content_that_only_looks_hostile_is_read(raw: str):
    assert decode(with_extra(raw)).kind == "event"


def test_a_tombstone_on_a_compacted_topic_carries_its_version():
    decoded = decode(dataclasses.replace(CONTACT, value=None))
    assert (decoded.kind, decoded.event, decoded.meta.sequence) == ("tombstone", None, 3)
    with pytest.raises(Undecodable):
        decode(dataclasses.replace(without_header("ce_sequence", CONTACT), value=None))


def test_the_assessment_service_need_not_know_our_headers():
    record = golden("AssessmentCompleted.v1")
    for name in ("ce_actor", "ce_correlationid", "ce_dataschema", "ce_causationid", "traceparent"):
        record = without_header(name, record)
    record = with_header("ce_source", b"/booking/assessment-service", record)
    assert decode(record).meta.actor == "service:assessment-service"
    with pytest.raises(Undecodable):
        decode(with_header("ce_source", b"/elsewhere", record))


@given(value=st.binary(max_size=300))
def test_any_bytes_as_value_are_an_event_or_a_named_refusal(value: bytes):
    with contextlib.suppress(ContractError):
        decode(dataclasses.replace(GOOD, value=value))


@given(
    headers=st.lists(
        st.tuples(st.sampled_from([n for n, _ in GOOD.headers] + ["x"]), st.none() | st.binary(max_size=60))
    )
)
def test_any_headers_are_an_event_or_a_named_refusal(headers: list[tuple[str, bytes | None]]):
    with contextlib.suppress(ContractError):
        decode(dataclasses.replace(GOOD, headers=tuple(headers)))


@given(name=st.sampled_from(NAMES), data=st.data())
def test_a_mutated_record_is_an_event_or_a_named_refusal(name: str, data: st.DataObject):
    record = golden(name)
    value = bytearray(record.value or b"")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(value) - 1))
        value[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        value = value or bytearray(b"x")
    with contextlib.suppress(ContractError):
        decode(dataclasses.replace(record, value=bytes(value)))
