"""A topic's id, which Kafka gives anew whenever a topic is created (KIP-516): by it a notice's offsets mean one topic.

aiokafka asks for metadata in version 5, which has none; version 12 has (Kafka 3.1 and newer;
https://kafka.apache.org/protocol#The_Messages_Metadata).
"""
# aiokafka's own classes are half typed, hence not strict here.
# pyright: standard, reportIncompatibleMethodOverride=false, reportAssignmentType=false

import base64
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from booking_outbox._errors import Unpublished

_NONE = bytes(16)
_TEXT, _TAGS = CompactString("utf-8"), ("tags", TaggedFields)


class _Uuid(AbstractType[bytes]):
    """Sixteen bytes."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)


_BROKER = (("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT), _TAGS)
_PARTITION = (
    ("error_code", Int16),
    ("partition", Int32),
    ("leader", Int32),
    ("leader_epoch", Int32),
    ("replicas", CompactArray(Int32)),
    ("isr", CompactArray(Int32)),
    ("offline_replicas", CompactArray(Int32)),
    _TAGS,
)
_TOPIC = (
    ("error_code", Int16),
    ("name", _TEXT),
    ("topic_id", _Uuid),
    ("is_internal", Boolean),
    ("partitions", CompactArray(*_PARTITION)),
    ("authorized_operations", Int32),
    _TAGS,
)


class _Answer(Response):
    API_KEY, API_VERSION = 3, 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(*_BROKER)),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        ("topics", CompactArray(*_TOPIC)),
        _TAGS,
    )


class _Question(RequestStruct):
    API_KEY, API_VERSION, FLEXIBLE_VERSION, RESPONSE_TYPE = 3, 12, True, _Answer
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", _TEXT), _TAGS)),
        ("allow_auto_topic_creation", Boolean),
        ("include_authorized_operations", Boolean),
        _TAGS,
    )


class _Metadata(Request[_Question]):
    API_KEY = 3

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[_Question]) -> _Question:
        return request_struct_class([(_NONE, name, {}) for name in self._names], False, False, {})


async def topic_ids(client: Any, names: Sequence[str]) -> dict[str, str]:
    """Of each topic its id as Kafka's tools print it. Unpublished for one that the broker doesn't have."""
    answer = (await client.send(client.get_random_node(), _Metadata(names))).to_object()
    for topic in answer["topics"]:
        if topic["error_code"]:
            raise Unpublished(f"{topic['name']} is not there: Kafka's error {topic['error_code']}")
    return {one["name"]: base64.urlsafe_b64encode(one["topic_id"]).decode().rstrip("=") for one in answer["topics"]}
