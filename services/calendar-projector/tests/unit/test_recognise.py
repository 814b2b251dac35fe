"""What is recognised at a glance means what `decode` says it means; what decode refuses is never recognised."""

import dataclasses
import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_contracts.corpus import NAMES, golden
from booking_contracts.decode import Record
from booking_inbox.reading import Poison, read
from calendar_projector.projection.consumer import fold
from calendar_projector.projection.recognise import recognise

SESSION_EVENTS = [n for n in NAMES if golden(n).topic.endswith("sessions.v1")]


def _rows(record: Record, *, at_a_glance: bool) -> list[dict]:
    patches = fold([record], at_a_glance=at_a_glance).patches.values()
    rows: list[dict] = []
    for patch in patches:
        *who, at = patch.row()[:4]
        rest = [str(value) for value in patch.row()[4:]]
        rows.append({"who": who, "at": datetime.fromisoformat(str(at)), "rest": rest})
    return rows


@pytest.mark.parametrize("name", SESSION_EVENTS)
def test_every_golden_record_is_recognised_with_decodes_meaning(name: str):
    record = golden(name)
    assert recognise(record) is not None
    assert _rows(record, at_a_glance=True) == _rows(record, at_a_glance=False) != []


@given(name=st.sampled_from(SESSION_EVENTS), data=st.data())
def test_a_mutated_record_is_never_read_otherwise_than_by_decode(name: str, data: st.DataObject):
    record = golden(name)
    value = bytearray(record.value or b"")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(value) - 1))
        value[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from([b"", b'"', b"0", b"9", b"\\", b"}", b" "])
        )
        value = value or bytearray(b"x")
    _agree(dataclasses.replace(record, value=bytes(value)))


@given(name=st.sampled_from(SESSION_EVENTS), data=st.data())
def test_mutated_headers_are_never_read_otherwise_than_by_decode(name: str, data: st.DataObject):
    record = golden(name)
    headers = list(record.headers)
    at = data.draw(st.integers(0, len(headers) - 1))
    key, value = headers[at]
    change = data.draw(
        st.sampled_from(["drop", "double", "null", "cut", "space", "binary", "swap", "NUL", "capitals", "stranger"])
    )
    match change:
        case "drop":
            del headers[at]
        case "double":
            headers.append((key, value))
        case "null":
            headers[at] = (key, None)
        case "cut":
            headers[at] = (key, (value or b"x")[:-1])
        case "space":
            headers[at] = (key, (value or b"") + b" ")
        case "binary":
            headers[at] = (key, b"\xff")
        case "NUL":
            headers[at] = (key, (value or b"") + b"\0")
        case "capitals":
            headers[at] = (key, (value or b"").upper())
        case "stranger":
            headers.append(("x-any", data.draw(st.sampled_from([None, b"", b"\0", b"\xff", b"x"]))))
        case _:
            headers[at] = (key, headers[data.draw(st.integers(0, len(headers) - 1))][1])
    _agree(dataclasses.replace(record, headers=tuple(headers)))


@pytest.mark.parametrize(
    "change",
    [
        {"status": "canceled"},
        {"schedule_version": "1"},
        {"schedule_version": True},
        {"schedule_version": -1},
        {"schedule_version": 10**30},
        {"time_start": "24:00"},
        {"starts_at": "2026-12-01T02:00:00"},
        {"starts_at": "2026-12-01T02:00:00+07:00"},
        {"meeting_link": ""},
        {"meeting_link": "x" * 3000},
        {"meeting_link": "a\x00b"},
        {"session_id": "01938C1A-5B26-7006-8F00-A1B2C3D40006"},
        {"extra": 1},
    ],
)
def test_a_value_that_is_not_plain_is_decoded(change: dict):
    record = golden("SessionScheduled.v1")
    told = json.loads(record.value or b"")
    changed = dataclasses.replace(record, value=json.dumps({**told, **change}, separators=(",", ":")).encode())
    assert recognise(changed) is None
    for value in (None, b"", b"null", b"\xff", json.dumps(told).encode(), (record.value or b"") + b" "):
        assert recognise(dataclasses.replace(record, value=value)) is None


def _agree(record: Record) -> None:
    plain = recognise(record)
    item = read(record, sequenced=True)
    if plain is None:
        return
    if isinstance(item, Poison):
        # Only a date or time that no calendar has: PostgreSQL refuses it, and the batch is decoded the long way.
        assert "starts_at" in item.error or "date" in item.error or "_at" in item.error or "time" in item.error, (
            item.error
        )
    else:
        assert _rows(record, at_a_glance=True) == _rows(record, at_a_glance=False)
