"""Every version of every event ever published is read by today's code (F49)."""

import dataclasses
import json
from typing import Any

import pytest

from booking_contracts import decode as decoding
from booking_contracts.corpus import NAMES, golden
from booking_contracts.decode import Record, Upcaster, decode, from_store, upcast
from booking_contracts.errors import NewerVersion, Undecodable
from booking_contracts.sessions import SessionScheduled
from booking_contracts.topics import EVENTS
from booking_contracts.transactions import TransactionPaid


def test_every_version_of_every_type_has_a_golden_record():
    wanted = {f"{e.TYPE}.v{v}" for e in EVENTS.values() for v in range(1, e.TYPE_VERSION + 1)}
    assert set(NAMES) == wanted


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_record_is_read_and_written_again_as_it_was(name: str):
    decoded = decode(golden(name))
    assert decoded.kind == "event"
    assert decoded.event is not None
    assert json.loads(decoded.event.to_json()) == _today(name, json.loads(golden(name).value or b""))
    assert tuple(decoded.meta.headers()) == golden(name).headers


@pytest.mark.parametrize("name", NAMES)
def test_a_field_of_a_later_release_is_ignored_at_every_depth(name: str):
    value = json.loads(golden(name).value or b"")
    widened = json.dumps(_widened(value)).encode()
    assert decode(dataclasses.replace(golden(name), value=widened)).event == decode(golden(name)).event


@pytest.mark.parametrize("name", NAMES)
def test_a_required_field_that_is_missing_is_noticed(name: str):
    record = golden(name)
    event = decode(record).event
    assert event is not None
    for field, info in type(event).model_fields.items():
        value = json.loads(record.value or b"")
        told = value.pop(field, None) is not None  # else its upcaster tells it
        lacking = dataclasses.replace(record, value=json.dumps(value).encode())
        if info.is_required() and told:
            with pytest.raises(Undecodable):
                decode(lacking)
        else:
            assert decode(lacking).event is not None


def test_a_producer_is_refused_a_field_that_does_not_exist():
    told = json.loads(golden("SessionScheduled.v1").value or b"")
    with pytest.raises(ValueError, match="nope"):
        SessionScheduled.model_validate_json(json.dumps({**told, "nope": 1}))


def test_a_producer_is_refused_a_nul_character():
    event = decode(golden("SessionScheduled.v1")).event
    assert event is not None
    with pytest.raises(ValueError, match="NUL"):
        event.model_copy(update={"meeting_link": "a\x00b"}).to_json()
    assert event.model_copy(update={"meeting_link": "\\u0000"}).to_json()


def test_an_unknown_type_is_no_error():
    assert _typed("com.booking.consultation.SessionDreamt.v1").kind == "unknown"


def test_a_newer_version_of_a_known_type_is_held():
    with pytest.raises(NewerVersion):
        _typed("com.booking.consultation.SessionScheduled.v2")
    with pytest.raises(NewerVersion):
        from_store("SessionScheduled", 2, "{}")


def test_a_stored_type_that_nobody_knows_is_undecodable():
    with pytest.raises(Undecodable):
        from_store("SessionDreamt", 1, "{}")


@pytest.mark.parametrize(
    "wrong", ['"schedule_version":NaN', '"schedule_version":1e400', '"meeting_link":"\\ud800"', '"status":null']
)
def test_a_stored_event_whose_fields_do_not_fit_is_undecodable(wrong: str):
    """What no release of ours reads is not looked at in a stored row; what it reads is."""
    text = (golden("SessionScheduled.v1").value or b"").decode()
    assert from_store("SessionScheduled", 1, f'{text[:-1]},"of_a_newer_release":1}}').TYPE == "SessionScheduled"
    with pytest.raises(Undecodable):
        from_store("SessionScheduled", 1, f"{text[:-1]},{wrong}}}")


def test_an_old_version_is_upcast_step_by_step(monkeypatch: pytest.MonkeyPatch):
    steps: dict[tuple[str, int], Upcaster] = {
        ("X", 1): lambda data: {**data, "b": data["a"]},
        ("X", 2): lambda data: {**data, "c": data["b"]},
    }
    monkeypatch.setattr(decoding, "UPCASTERS", steps)
    assert upcast("X", 1, 3, {"a": 1}) == {"a": 1, "b": 1, "c": 1}
    assert upcast("X", 3, 3, {"a": 1}) == {"a": 1}


def test_an_old_version_without_upcaster_is_undecodable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(SessionScheduled, "TYPE_VERSION", 2)
    with pytest.raises(Undecodable):
        decode(golden("SessionScheduled.v1"))


def test_an_old_version_with_its_upcaster_is_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(SessionScheduled, "TYPE_VERSION", 2)
    monkeypatch.setattr(decoding, "UPCASTERS", {("SessionScheduled", 1): lambda data: {**data, "schedule_version": 9}})
    event = decode(golden("SessionScheduled.v1")).event
    assert isinstance(event, SessionScheduled)
    assert event.schedule_version == 9


def _today(name: str, value: dict[str, Any]) -> dict[str, Any]:
    """What a golden record says in today's version of its type."""
    type_, _, version = name.rpartition(".v")
    return upcast(type_, int(version), EVENTS[type_].TYPE_VERSION, value)


def test_payment_of_version_1_was_settled_when_it_was_heard_of():
    old, new = decode(golden("TransactionPaid.v1")).event, decode(golden("TransactionPaid.v2")).event
    assert isinstance(old, TransactionPaid)
    assert isinstance(new, TransactionPaid)
    assert old.settled_at == old.paid_at == new.paid_at > new.settled_at


def _typed(full: str):
    record = golden("SessionScheduled.v1")
    headers = tuple((name, full.encode() if name == "ce_type" else value) for name, value in record.headers)
    return decode(Record(record.topic, 0, 0, record.key, record.value, headers, 0))


def _widened(value: object) -> object:
    match value:
        case dict():
            return {**{name: _widened(inner) for name, inner in value.items()}, "of_a_later_release": [1, {"a": None}]}
        case _:
            return value
