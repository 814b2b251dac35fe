"""F44, T24: a record that breaks the language is Undecodable with a reason, and never anything else."""

import contextlib
import dataclasses
import json
import re
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_contracts.corpus import NAMES, golden
from booking_contracts.decode import Record, decode
from booking_contracts.errors import ContractError, Undecodable

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


def with_metadata(**changed: Any) -> Record:
    told = json.loads(dict(GOOD.headers)["ce_metadata"] or b"")
    told = {name: value for name, value in {**told, **changed}.items() if value is not ...}
    return with_header("ce_metadata", json.dumps(told).encode())


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
    "null known header": with_header("ce_metadata", None),
    "non-UTF-8 known header": with_header("ce_id", b"\xff\xfe"),
    "a known header in another case": dataclasses.replace(
        GOOD, headers=tuple(("Ce_Id" if name == "ce_id" else name, value) for name, value in GOOD.headers)
    ),
    "NUL in a header": with_header("ce_metadata", b"{}\x00"),
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
    "metadata of words": with_header("ce_metadata", b"practitioner"),
    "metadata empty": with_header("ce_metadata", b""),
    "metadata an array": with_header("ce_metadata", b"[]"),
    "metadata null": with_header("ce_metadata", b"null"),
    "metadata cut": with_header("ce_metadata", (dict(GOOD.headers)["ce_metadata"] or b"")[:-1]),
    "metadata without end": with_header("ce_metadata", b'{"actor":' * 5_000),
    "actor of no kind": with_metadata(actor="root"),
    "actor without id": with_metadata(actor="member:me"),
    "actor of a line too many": with_metadata(actor="system\n"),
    "actor no text": with_metadata(actor=1),
    "no actor": with_metadata(actor=...),
    "correlation null": with_metadata(correlation_id=None),
    "causation a number": with_metadata(causation_id=7),
    "NUL in the metadata": with_metadata(correlation_id="a\x00"),
    "lone surrogate in the metadata": with_metadata(causation_id="\ud800"),
    "lone surrogate in what we don't know": with_metadata(more="\ud800"),
    "another key than the value's": dataclasses.replace(GOOD, key=str(uuid4()).encode()),
    "no key": dataclasses.replace(GOOD, key=None),
    "binary key": dataclasses.replace(GOOD, key=b"\xff"),
    "key no UUID": dataclasses.replace(GOOD, key=b"me"),
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
            "ce_time",
            "ce_sequence",
            "ce_metadata",
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
    for name in ("ce_metadata", "traceparent"):
        record = without_header(name, record)
    record = with_header("ce_source", b"/booking/assessment-service", record)
    assert decode(record).meta.actor == "service:assessment-service"
    assert decode(with_header("ce_subject", b"what it likes", record)).meta == decode(record).meta
    with pytest.raises(Undecodable):
        decode(with_header("ce_source", b"/elsewhere", record))
    with pytest.raises(Undecodable):
        decode(with_header("ce_metadata", b"what it likes", record))


def test_metadata_of_a_later_release_are_ignored_and_what_may_be_absent_has_a_default():
    plain = decode(GOOD).meta
    assert decode(with_metadata(tenant={"a": [1, None]})).meta == plain
    lacking = decode(with_metadata(correlation_id=..., causation_id=...)).meta
    assert (lacking.actor, lacking.correlation_id, lacking.causation_id) == (plain.actor, str(plain.id), None)


STRANGE = {
    "null": (("x-any", None),),
    "empty": (("x-any", b""),),
    "bytes": (("dd-pathway-ctx", b"\x5e\x45\x09\xf5\xae"),),
    "NUL": (("x-any", b"a\x00"),),
    "NUL in its name": (("x\x00", b"a"),),
    "repeated": (("x-any", b"1"), ("x-any", b"2"), ("tracestate", b"a=1"), ("tracestate", b"a=1")),
    "nearly ours": (
        ("CE_ID", None),
        ("ce-id", b"\xff"),
        ("ce_unheardof", None),
        ("ce_", b""),
        ("Content-Type", b"text/x"),
    ),
    "once ours": (("ce_subject", b"me"), ("ce_dataschema", None), ("ce_actor", b"\xff"), ("ce_correlationid", b"")),
    "traceparent null": (("traceparent", None),),
    "traceparent of bytes": (("traceparent", b"\xff\xfe"),),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("strange", STRANGE)
def test_a_header_that_is_not_ours_is_ignored_whatever_it_holds(name: str, strange: str):
    """KIP-82: agents and brokers add headers of any bytes, any number of times."""
    record = golden(name)
    plain = decode(record)
    for headers in ((*record.headers, *STRANGE[strange]), (*STRANGE[strange], *record.headers)):
        read = decode(dataclasses.replace(record, headers=headers))
        assert (read.meta, read.event) == (plain.meta, plain.event)


OURS = [name for name, _ in GOOD.headers if name != "traceparent"]


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize(
    ("bad", "why"),
    [((None,), "is null"), ((b"\xff",), "is not UTF-8"), ((b"a\x00",), "holds a NUL"), ((b"1", b"2"), "appears twice")],
)
def test_a_header_of_ours_that_is_bad_is_named(name: str, bad: tuple[bytes | None, ...], why: str):
    kept = tuple(pair for pair in GOOD.headers if pair[0] != name)
    with pytest.raises(Undecodable) as caught:
        decode(dataclasses.replace(GOOD, headers=(*kept, *((name, value) for value in bad))))
    assert caught.value.reason.startswith(f"{name} {why}")


TRACE, OTHER = (b"00-%032x-%016x-01" % (number, number) for number in (1, 2))


@pytest.mark.parametrize(
    ("values", "taken"),
    [
        ((TRACE,), TRACE),
        ((TRACE, TRACE), TRACE),
        ((TRACE, b"nonsense", None), TRACE),
        ((TRACE, OTHER), None),
        ((b"00-" + b"0" * 32 + b"-%016x-01" % 1,), None),
        ((b"00-%032x-" % 1 + b"0" * 16 + b"-01",), None),
        ((TRACE.replace(b"00-", b"ff-", 1),), None),
        ((TRACE + b"-more",), None),
        ((TRACE.replace(b"00-", b"01-", 1) + b"-more",), TRACE.replace(b"00-", b"01-", 1) + b"-more"),
        ((b"00-%032X-%016x-01" % (2**128 - 1, 1),), None),
        ((TRACE + b"\n",), None),
        ((), None),
    ],
)
def test_a_traceparent_that_is_malformed_or_one_of_several_is_as_none(
    values: tuple[bytes | None, ...], taken: bytes | None
):
    """W3C Trace Context §3.2: an invalid one is ignored, never a reason to refuse what carries it."""
    kept = tuple(pair for pair in GOOD.headers if pair[0] != "traceparent")
    read = decode(dataclasses.replace(GOOD, headers=(*kept, *(("traceparent", value) for value in values))))
    assert read.meta.traceparent == (taken.decode() if taken else None)


# A recipient is a text, `admins` or a person's id, which we alone write.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "NotificationRequested.v1"])
@pytest.mark.parametrize("where", ["key", "ce_id", "ce_metadata", "value", "all"])
def test_a_uuid_in_capitals_is_the_same_uuid(name: str, where: str):
    """RFC 9562 §4: input is case-insensitive."""
    record, uuid = golden(name), re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
    plain = decode(record)

    def capitals(text: bytes | None, here: str) -> bytes | None:
        return uuid.sub(lambda found: found[0].upper(), text) if text and where in {here, "all"} else text

    written = dataclasses.replace(
        record,
        key=capitals(record.key, "key"),
        value=capitals(record.value, "value"),
        headers=tuple((header, capitals(value, header)) for header, value in record.headers),
    )
    read = decode(written)
    assert (read.meta.id, read.meta.subject, read.meta.actor) == (plain.meta.id, plain.meta.subject, plain.meta.actor)
    ids = {name: value for name, value in plain.event or () if isinstance(value, UUID)}
    assert {name: value for name, value in read.event or () if isinstance(value, UUID)} == ids


def test_a_key_in_capitals_is_the_same_key():
    assert decode(dataclasses.replace(GOOD, key=(GOOD.key or b"").upper())).meta == decode(GOOD).meta


ASSESSMENT = golden("AssessmentCompleted.v1")


@pytest.mark.parametrize("id_", [b"01JDXN6QZC4P7B9M3R8T5V2W0Y", b"1", "é:7".encode(), b"a/b c"])
def test_another_systems_id_is_any_text_and_the_same_text_is_the_same_event(id_: bytes):
    """CloudEvents 1.0 §3.1.1: source and id together name an event."""
    once, again = (decode(with_header("ce_id", id_, ASSESSMENT)).meta.id for _ in range(2))
    elsewhere = with_header("ce_source", b"/booking/assessment-service", with_header("ce_id", id_, ASSESSMENT))
    assert once == again != decode(elsewhere).meta.id
    with pytest.raises(Undecodable):
        decode(with_header("ce_id", b"", ASSESSMENT))


@pytest.mark.parametrize("sequence", [None, b"", b"00001", b"\xff", b"x"])
def test_another_systems_sequence_is_not_ours_to_read(sequence: bytes | None):
    """CloudEvents' sequence extension is any text; this topic has no versions."""
    assert decode(with_header("ce_sequence", sequence, ASSESSMENT)).meta.sequence is None


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
