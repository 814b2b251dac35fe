"""What is told by webhooks, and by which signature."""

import json
from datetime import UTC, datetime

import pytest
from services.notifier.tests.given import Case
from standardwebhooks import Webhook, WebhookVerificationError

from booking_contracts.decode import decode, upcast
from booking_contracts.topics import ERASURES, SESSIONS, TRANSACTIONS, full_type
from notifier.webhooks.events import TEST_TYPE, WebhookEventType, as_asked, body_of, types_of
from notifier.webhooks.schedule import DELAYS, Schedule
from notifier.webhooks.signing import new_secret, signed_headers

PAID, PAID_V1 = WebhookEventType.TRANSACTION_PAID.value, "com.booking.checkout.TransactionPaid.v1"


def test_types_on_offer__are_the_events_of_sales_sessions_and_erasures():
    """A new event of these topics is one more to subscribe to, a new version too; contact data are on none of them."""
    events = [event for topic in (TRANSACTIONS, SESSIONS, ERASURES) for event in topic.events]
    offered = {full_type(event.TYPE, n) for event in events for n in range(1, event.TYPE_VERSION + 1)}
    assert {one.value for one in WebhookEventType} == offered
    assert TEST_TYPE not in offered


def test_body__says_what_the_event_says_with_its_type_time_and_version():
    case = Case()
    record = case.created(), case.paid()
    told = json.loads(body_of(decode(record[1])))
    assert list(told) == ["type", "timestamp", "version", "data"]
    assert told["type"] == PAID
    assert told["version"] == 2
    assert told["data"] == json.loads(record[1].value or b"")
    assert datetime.fromisoformat(told["timestamp"]).tzinfo is not None


def test_endpoint_of_an_earlier_version__is_told_in_it():
    record = decode(Case().paid())
    assert types_of(record) == [PAID, PAID_V1]
    body = body_of(record)
    assert as_asked(PAID, body, [PAID_V1, PAID]) == as_asked(PAID, body, [PAID]) == body
    told, today = (
        json.loads(as_asked(PAID, body, ["com.booking.checkout.TransactionCreated.v1", PAID_V1])),
        json.loads(body),
    )
    settled_at = today["data"].pop("settled_at")
    assert told == {**today, "type": PAID_V1}
    assert upcast("TransactionPaid", 1, 2, told["data"])["settled_at"] == settled_at


def test_body_of_an_erasure__names_the_person():
    case = Case()
    told = json.loads(body_of(decode(case.erased(case.member))))
    assert told["data"] == {"person_id": str(case.member)}


def test_signature__is_verified_by_the_specifications_library_with_either_secret():
    old, new, other = new_secret(), new_secret(), new_secret()
    headers = signed_headers([new, old], "an-id", datetime.now(UTC), '{"a":"é"}')
    for secret in (old, new):
        assert Webhook(secret).verify('{"a":"é"}'.encode(), headers) == {"a": "é"}
    for secret, body in ((other, '{"a":"é"}'), (new, '{"a":"e"}')):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers)


def test_schedule__ten_tries_over_three_days():
    assert [round(sum(DELAYS[:n])) for n in range(10)] == [
        *(0, 5, 305, 2_105, 9_305, 27_305),
        *(63_305, 113_705, 174_905, 261_305),  # 72 h 35 min 5 s
    ]
    schedule = Schedule()
    for tries, delay in enumerate(DELAYS, start=1):
        waits = [schedule.wait(tries) or 0.0 for _ in range(50)]
        assert delay <= min(waits) <= max(waits) <= 1.1 * delay
        assert len(set(waits)) > 1, "what failed together does not come back together"
    assert schedule.wait(10) is None
    assert schedule.wait(1, retry_after=600.0) == 600.0
    assert (schedule.wait(9, retry_after=600.0) or 0) >= DELAYS[-1]
