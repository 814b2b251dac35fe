"""The CloudEvents SDK as an oracle: it reads our records, and we read what it writes."""

import dataclasses
import json

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event, to_binary_event
from cloudevents.core.exceptions import CloudEventValidationError

from booking_contracts.corpus import NAMES, golden
from booking_contracts.decode import Record, decode


def _read(record: Record):
    headers = {name: value or b"" for name, value in record.headers}
    return from_binary_event(KafkaMessage(headers, record.key, record.value or b""))


@pytest.mark.parametrize("name", NAMES)
def test_the_sdk_reads_our_record_as_we_meant_it(name: str):
    record = golden(name)
    meta, theirs = decode(record).meta, _read(record)
    assert (theirs.get_id(), theirs.get_source(), theirs.get_type()) == (str(meta.id), meta.source, meta.type)
    assert (theirs.get_subject(), theirs.get_time(), theirs.get_dataschema()) == (None, meta.time, None)
    told = json.loads(theirs.get_extension("metadata"))
    assert (told["actor"], told["correlation_id"]) == (meta.actor, meta.correlation_id)
    assert told.get("causation_id") == meta.causation_id
    assert theirs.get_extension("sequence") == (str(meta.sequence) if meta.sequence else None)
    assert theirs.get_data() == json.loads(record.value or b"")


@pytest.mark.parametrize("name", NAMES)
def test_we_read_what_the_sdk_writes(name: str):
    record = golden(name)
    message = to_binary_event(_read(record), key_mapper=lambda _: (record.key or b"").decode())
    assert isinstance(message.key, str | bytes)
    key = message.key.encode() if isinstance(message.key, str) else message.key
    again = dataclasses.replace(record, key=key, value=message.value, headers=tuple(message.headers.items()))
    assert decode(again).event == decode(record).event
    assert dataclasses.replace(decode(again).meta, traceparent=None) == dataclasses.replace(
        decode(record).meta, traceparent=None
    )


def test_the_oracle_can_say_no():
    record = golden("SessionScheduled.v1")
    lacking = tuple(pair for pair in record.headers if pair[0] != "ce_source")
    with pytest.raises(CloudEventValidationError):
        _read(dataclasses.replace(record, headers=lacking))
