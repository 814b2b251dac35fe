"""What each field of an event means, its unit, and whose data it is: one meaning for each name, whatever the event.

The schemas, the AsyncAPI document and the page of events are made of it; a test asks for every field of every event.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from booking_contracts.event import Schema
from booking_contracts.money import DECIMALS

Personal = Literal["pseudonym", "contact", "public", "access"]
"""`pseudonym`: an id that stands for a person; after an erasure it stands for nobody. `contact`: how a person is called
and reached; erased by a tombstone. `public`: what a practitioner shows to everybody. `access`: whoever has it may join
a meeting."""


class Meaning(NamedTuple):
    """A field in words; `unit` where it is a number or a text with one."""

    text: str
    unit: str | None = None
    personal: Personal | None = None


_OPEN = " Open: expect names that are not known yet."
_INSTANT = "UTC instant, RFC 3339"
_LOCAL = "local wall clock of `timezone`, HH:MM"
_PERSON: Personal = "pseudonym"

FIELDS: Mapping[str, Meaning] = {
    "active": Meaning("Whether members may choose the practitioner."),
    "amount": Meaning("How much, a whole number of the currency's smallest unit here (`x-decimals`).", "10^-decimals"),
    "assessment_id": Meaning("The assessment that the member finished; another system's id."),
    "at": Meaning("When the provider says that it arrived.", _INSTANT),
    "attempt": Meaning("Which try it was, from 1; 0 before the first.", "tries"),
    "auto_start": Meaning("Whether the session starts by itself at its start time."),
    "bio": Meaning("The practitioner's own words about themselves.", None, "public"),
    "cause": Meaning("Why the money does not simply pay."),
    "cause_event_id": Meaning("`ce_id` of the event that asked for the message."),
    "channel": Meaning("How the message goes."),
    "code": Meaning("Why it failed, a name made for machines." + _OPEN),
    "completed_at": Meaning("When the member finished the assessment.", _INSTANT),
    "created_at": Meaning("When it was sold.", _INSTANT),
    "currency": Meaning("ISO 4217. How many decimals an amount has is said here, not by ISO: IDR has none."),
    "direction": Meaning("Whether money came in or went out; absent for in."),
    "due_at": Meaning("When the message should leave.", _INSTANT),
    "duration_minutes": Meaning("How long a session of the product lasts.", "minutes"),
    "email": Meaning("The address.", None, "contact"),
    "ended_at": Meaning(
        "When the meeting was over, as the practitioner said; absent where nobody did. Not the time of the result.",
        _INSTANT,
    ),
    "ends_at": Meaning("When the session ends, as scheduled.", _INSTANT),
    "ends_next_day": Meaning("Whether `time_end` is on the day after `scheduled_date`."),
    "expected": Meaning("What should have come in."),
    "expires_at": Meaning("Until when it can be paid.", _INSTANT),
    "first": Meaning("The offset of its first record.", "offset"),
    "fold": Meaning("Which of two equal wall clocks the start is, where clocks went back (0 first, 1 second)."),
    "fold_end": Meaning("The same of the end."),
    "has_link": Meaning("Whether the result has a link. The link itself is read from consultation."),
    "has_notes": Meaning("Whether the result has notes. They are read from consultation."),
    "id": Meaning("The practitioner, key of the topic.", None, _PERSON),
    "kind": Meaning("What was bought."),
    "last": Meaning("The offset of its last record.", "offset"),
    "locale": Meaning("The language of the person's messages and pages, BCP 47." + _OPEN),
    "meeting_host": Meaning("The host of the meeting's link, a name of DNS: by what they meet. The link stays out."),
    "meeting_link": Meaning("Where the session takes place.", "URL", "access"),
    "name": Meaning("What the person is called.", None, "contact"),
    "notice_id": Meaning("One operator's deed on one topic."),
    "notification_id": Meaning("The message: one recipient, one channel, one template, one cause."),
    "outcome": Meaning("How an admin settled the review."),
    "paid_at": Meaning("When checkout took the provider's notification, not when the money moved.", _INSTANT),
    "partition": Meaning("The topic's partition.", "number from 0"),
    "payment_ttl_minutes": Meaning("How long a purchase waits for its payment.", "minutes"),
    "person_id": Meaning("The person.", None, _PERSON),
    "phone": Meaning("The number, E.164.", None, "contact"),
    "photo_url": Meaning("The practitioner's picture.", "URL", "public"),
    "practitioner_id": Meaning("The practitioner.", None, _PERSON),
    "previous": Meaning("What was given up."),
    "previous_practitioner_id": Meaning("The practitioner before.", None, _PERSON),
    "previous_result_id": Meaning("The result that was replaced."),
    "previous_status": Meaning("The session's status before."),
    "price": Meaning("What it costs, as sold."),
    "product": Meaning("What was sold, as it was then."),
    "product_id": Meaning("The product."),
    "profession": Meaning("What the practitioner is by profession.", None, "public"),
    "provider": Meaning("The payment provider." + _OPEN),
    "provider_message_id": Meaning("The message at its provider; absent where it gives none."),
    "provider_payment_id": Meaning("The payment at its provider."),
    "provider_refund_id": Meaning("The refund at its provider; absent where it gives none."),
    "reason": Meaning("Why the message was not sent, a name made for machines." + _OPEN),
    "reason_code": Meaning("Why."),
    "reason_id": Meaning("Where the reason's words are kept, apart and erasable; absent if there are none."),
    "received": Meaning("What came in by this payment."),
    "recipient_id": Meaning("The person, or `admins`.", None, _PERSON),
    "records": Meaning("How many were sent, or of a state topic how many rows are to be.", "records"),
    "reference": Meaning("The order at the payment provider."),
    "refund": Meaning("The latest refund of the sale; absent if there was none."),
    "refund_id": Meaning("The refund."),
    "refundable": Meaning("Whether settling the review may give something back; absent if unknown."),
    "request_limit_minutes": Meaning("How long the practitioner has to answer a request.", "minutes"),
    "requested_at": Meaning("When the member asked for the session.", _INSTANT),
    "respond_by": Meaning("Until when the practitioner must answer.", _INSTANT),
    "result_id": Meaning("The result."),
    "returned": Meaning("What is known to have gone back of it; absent for nothing."),
    "review_id": Meaning("The payment review; absent if the money belongs to none."),
    "schedule_version": Meaning("0 before the first schedule, then one more by every change of it.", "changes"),
    "scheduled_date": Meaning("The day of the start, in `timezone`.", "local date of `timezone`"),
    "session_id": Meaning("The session."),
    "started_at": Meaning("When the session was started.", _INSTANT),
    "settled_at": Meaning(
        "When the money came, by the provider's clock; not before the sale, nor after `paid_at`.", _INSTANT
    ),
    "starts_at": Meaning("When the session begins, as scheduled.", _INSTANT),
    "status": Meaning("The session's status after this."),
    "stretches": Meaning("Which records, by partition and offset."),
    "template": Meaning("Which text was to be sent." + _OPEN),
    "tier": Meaning("The class of product and practitioner." + _OPEN),
    "tiers": Meaning("The classes that the practitioner serves." + _OPEN),
    "time_end": Meaning("When it ends, as the practitioner gave it.", _LOCAL),
    "time_start": Meaning("When it begins, as the practitioner gave it.", _LOCAL),
    "timezone": Meaning("An IANA zone.", "IANA name"),
    "topic": Meaning("The topic's name, without a deployment's prefix."),
    "topic_id": Meaning("Kafka's id of the topic as it was created then; another one after it was made anew."),
    "transaction_id": Meaning("The purchase."),
    "user_id": Meaning("The member.", None, _PERSON),
    "whatsapp": Meaning("Whether the person wants WhatsApp messages."),
    "whole": Meaning("Whether all of the topic is sent again; else one stream, or a time range."),
}
"""By name; where a name must mean something else, `ELSEWHERE` says it."""

ELSEWHERE: Mapping[str, Meaning] = {
    "CatalogueProduct.active": Meaning("Whether it is sold now."),
    "CatalogueProduct.id": Meaning("The product."),
    "CatalogueProduct.name": Meaning("What the product is called now."),
    "CatalogueProduct.price": Meaning("What it costs now."),
    "PersonPreferences.email": Meaning("Whether the person wants mails."),
    "PractitionerProfile.name": Meaning("What the practitioner is called.", None, "public"),
    "Product.id": Meaning("The product."),
    "Product.name": Meaning("What the product was called then."),
    "Refund.requested_at": Meaning("When it was asked for.", _INSTANT),
    "Refund.settled_at": Meaning("When the provider's answer to it was known; absent before.", _INSTANT),
    "Refund.status": Meaning("`requested` until the provider has answered."),
    "SessionState.closed_at": Meaning("When it was completed, canceled or failed; absent before.", _INSTANT),
    "SessionState.has_link": Meaning("Whether the present result has a link."),
    "SessionState.has_notes": Meaning("Whether the present result has notes."),
    "SessionState.reason_code": Meaning("Why it was canceled or failed."),
    "SessionState.respond_by": Meaning("Until when the practitioner must answer, or had to.", _INSTANT),
    "SessionState.result_id": Meaning("The present result; absent before there is one."),
    "SessionState.status": Meaning("The session's status now."),
    "TransactionState.closed_at": Meaning("When it expired or was canceled, unpaid; absent otherwise.", _INSTANT),
    "TransactionState.practitioner_id": Meaning("The practitioner now.", None, _PERSON),
    "TransactionState.status": Meaning("The Transaction's status now; money that is reviewed has none."),
    "PersonContact.timezone": Meaning("The person's IANA zone.", "IANA name"),
    **{
        f"Notification{step}.{field}": Meaning(f"The {thing} that it is about; absent if none.")
        for step in ("Requested", "Sent", "Delivered", "Failed", "Ambiguous", "Skipped")
        for field, thing in (("session_id", "session"), ("transaction_id", "purchase"))
    },
}
"""By the title of the event, or of the shared part, and the field's name."""


def meaning(title: str, field: str) -> Meaning:
    """Of a field of an event or shared part; KeyError for a name that the glossary lacks."""
    told = ELSEWHERE.get(f"{title}.{field}") or FIELDS.get(field)
    if told is None:
        raise KeyError(f"{title}.{field} has no meaning yet: tell readers in booking_contracts/glossary.py")
    return told


def described(schema: Schema) -> Schema:
    """The schema with each field's description, `x-unit` and `x-personal-data`."""
    title = schema["title"]
    properties = {name: {**_annotations(title, name), **value} for name, value in schema["properties"].items()}
    return {**schema, "properties": properties}


def _annotations(title: str, field: str) -> dict[str, Any]:
    about = meaning(title, field)
    told: dict[str, Any] = {"description": about.text}
    if about.unit is not None:
        told["x-unit"] = about.unit
    if about.personal is not None:
        told["x-personal-data"] = about.personal
    if field == "currency":
        told["x-decimals"] = DECIMALS
    return told
