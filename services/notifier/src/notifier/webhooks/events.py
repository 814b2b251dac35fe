"""What an endpoint may subscribe to, and the body that its receiver is sent.

A body is made once and kept as those bytes: what is signed is what is sent, at every try. Of an endpoint that asked for
an earlier version of the type it is turned into that one on its way out. It says what the event says and no more (ids,
times and links; never contact data or free text), with the `version` that the object has since: no order is promised,
so a receiver leaves out what is older than what it has.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from booking_contracts.decode import Decoded
from booking_contracts.envelope import rfc3339
from booking_contracts.topics import topic_named


class WebhookEventType(StrEnum):
    """The kinds of event that can be subscribed to, by their CloudEvents types (docs/events.md)."""

    TRANSACTION_CREATED = "com.booking.checkout.TransactionCreated.v1"
    PRACTITIONER_ASSIGNED = "com.booking.checkout.PractitionerAssigned.v1"
    PRACTITIONER_REASSIGNED = "com.booking.checkout.PractitionerReassigned.v1"
    TRANSACTION_PAID_V1 = "com.booking.checkout.TransactionPaid.v1"
    TRANSACTION_PAID = "com.booking.checkout.TransactionPaid.v2"
    PAYMENT_DECLINED = "com.booking.checkout.PaymentDeclined.v1"
    PAYMENT_NEEDS_REVIEW = "com.booking.checkout.PaymentNeedsReview.v1"
    PAYMENT_REVIEW_SETTLED = "com.booking.checkout.PaymentReviewSettled.v1"
    TRANSACTION_EXPIRED = "com.booking.checkout.TransactionExpired.v1"
    TRANSACTION_CANCELED = "com.booking.checkout.TransactionCanceled.v1"
    REFUND_REQUESTED = "com.booking.checkout.RefundRequested.v1"
    TRANSACTION_REFUNDED = "com.booking.checkout.TransactionRefunded.v1"
    REFUND_FAILED = "com.booking.checkout.RefundFailed.v1"
    SCHEDULE_REQUESTED = "com.booking.consultation.ScheduleRequested.v1"
    SESSION_SCHEDULED = "com.booking.consultation.SessionScheduled.v1"
    SESSION_RESCHEDULED = "com.booking.consultation.SessionRescheduled.v1"
    PRACTITIONER_CHANGED = "com.booking.consultation.PractitionerChanged.v1"
    SESSION_STARTED = "com.booking.consultation.SessionStarted.v1"
    RESULT_UPLOADED = "com.booking.consultation.ResultUploaded.v1"
    RESULT_REPLACED = "com.booking.consultation.ResultReplaced.v1"
    SESSION_CANCELED = "com.booking.consultation.SessionCanceled.v1"
    SESSION_FAILED = "com.booking.consultation.SessionFailed.v1"
    PERSON_ERASED = "com.booking.directory.PersonErased.v1"

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        reference = handler(core)
        handler.resolve_ref_schema(reference)["x-extensible-enum"] = True  # a new event is one more
        return reference


_Data = dict[str, Any]

_EARLIER: Mapping[str, Mapping[str, Callable[[_Data], _Data]]] = {
    WebhookEventType.TRANSACTION_PAID: {
        WebhookEventType.TRANSACTION_PAID_V1: lambda paid: {k: v for k, v in paid.items() if k != "settled_at"},
    },
}
"""Today's type to those before it, the newest first, each with the function that makes its data of today's."""

TEST_TYPE = "com.booking.notifier.WebhookTest.v1"
"""Nobody subscribes to it: an admin sends it to one endpoint."""


def type_of(record: Decoded) -> str:
    """The CloudEvents type of the event as this release reads it."""
    assert record.event is not None
    return record.event.full_type()


def types_of(record: Decoded) -> list[str]:
    """That, and the earlier versions of it that an endpoint may have asked for."""
    told = type_of(record)
    return [told, *_EARLIER.get(told, ())]


def body_of(record: Decoded) -> str:
    """The body that tells of this record."""
    assert record.event is not None
    key = topic_named(record.record.topic).key
    # An erasure names its person by the key alone.
    data = {key: record.meta.subject, **json.loads(record.event.to_json())}
    return _body(type_of(record), record.meta.time, record.meta.sequence, data)


def as_asked(type_: str, body: str, asked: Sequence[str]) -> str:
    """The body in the version that the endpoint asked for: today's, unless it asked for an earlier one alone."""
    earlier = _EARLIER.get(type_, {})
    version = None if type_ in asked else next((one for one in earlier if one in asked), None)
    if version is None:
        return body
    whole = json.loads(body)
    return _text({**whole, "type": version, "data": earlier[version](whole["data"])})


def test_body(endpoint_id: UUID, at: datetime) -> str:
    """The body of a test, which says whose it is."""
    return _body(TEST_TYPE, at, 1, {"endpoint_id": str(endpoint_id)})


def _body(type_: str, at: datetime, version: int | None, data: dict[str, Any]) -> str:
    return _text({"type": type_, "timestamp": rfc3339(at), "version": version, "data": data})


def _text(whole: dict[str, Any]) -> str:
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
