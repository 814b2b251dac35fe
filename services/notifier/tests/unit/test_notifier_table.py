"""N1's table, row by row: which event asks for which message to whom, and when."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from services.notifier.tests.given import Case, now

from booking_contracts.decode import decode
from booking_contracts.topics import EVENTS
from notifier.rules.table import ADMINS, TABLE, Fence, PlannedMessage, messages_for

NEW = uuid4()


def asked(case, record):
    """What a record asks for: (recipient, template) pairs; people by their part in the case."""
    people = {
        str(case.member): "member",
        str(case.practitioner): "practitioner",
        str(NEW): "new practitioner",
        ADMINS: "admins",
    }
    meta = decode(record)
    assert meta.event is not None
    wanted = messages_for(meta.event, actor=meta.meta.actor, at=meta.meta.time)
    return {(people.get(w.recipient_id, "somebody else"), w.template) for w in wanted}


REMINDERS = {(who, f"reminder_{when}") for who in ("member", "practitioner") for when in ("24h", "1h")}
NUDGES = {("practitioner", "request_unanswered"), ("admins", "request_unanswered_admins")}

ROWS = [
    ("requested", lambda c: c.requested(), {("practitioner", "session_requested"), *NUDGES}),
    ("scheduled", lambda c: c.scheduled(), {("member", "session_scheduled"), *REMINDERS}),
    ("rescheduled", lambda c: c.rescheduled(), {("member", "session_rescheduled"), *REMINDERS}),
    (
        "canceled by the member",
        lambda c: c.canceled(c.by_member),
        {("member", "session_canceled"), ("practitioner", "session_canceled")},
    ),
    ("canceled by the practitioner", lambda c: c.canceled(c.by_practitioner), {("member", "session_canceled")}),
    ("failed", lambda c: c.failed(), {("member", "session_failed"), ("practitioner", "session_failed")}),
    ("started", lambda c: c.started(), set()),
    ("result", lambda c: c.result(), {("member", "result_uploaded")}),
    ("result replaced", lambda c: c.result_replaced(), set()),
    ("created", lambda c: c.created(), set()),
    ("assigned", lambda c: c.assigned(), set()),
    ("paid", lambda c: c.paid(), {("member", "transaction_paid")}),
    ("expired", lambda c: c.expired(), {("member", "transaction_expired")}),
    ("refunded", lambda c: c.refunded(), {("member", "transaction_refunded")}),
    ("payment review", lambda c: c.needs_review(), {("admins", "payment_review")}),
    ("refund failed", lambda c: c.refund_failed(), {("admins", "refund_failed")}),
]


@pytest.mark.parametrize(("name", "told", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_every_row_of_n1(name, told, expected):
    """N1."""
    case = Case()
    assert asked(case, told(case)) == expected


def test_practitioner_changed__new_one_old_one_and_member_are_told():
    """N1: the new practitioner is told as by a request."""
    case = Case()
    old = case.practitioner
    record = case.changed(NEW)
    meta = decode(record)
    assert meta.event is not None
    wanted = {
        (w.recipient_id, w.template) for w in messages_for(meta.event, actor="system", at=now()) if w.fence is None
    }
    assert wanted == {
        (str(NEW), "session_requested"),
        (str(old), "practitioner_released"),
        (str(case.member), "practitioner_changed"),
    }


def test_every_event_that_n1_names_is_known_to_the_contracts():
    assert {event.TYPE for event in TABLE} <= set(EVENTS)


def test_canceled_while_negotiating__the_member_is_told_all_the_same():
    """N1: "always the member"."""
    case = Case()
    assert ("member", "session_canceled") in asked(case, case.canceled(case.by_practitioner))


def test_scheduled__reminders_are_due_a_day_and_an_hour_before_and_fenced_by_the_schedule():
    """N1, N4."""
    case, starts_at = Case(), datetime(2026, 12, 24, 2, tzinfo=UTC)
    event = decode(case.scheduled(starts_at)).event
    assert event is not None
    timers = {w.template: w for w in messages_for(event, actor=case.by_practitioner, at=now()) if w.fence}
    assert timers["reminder_24h"].due_at == starts_at - timedelta(hours=24)
    assert timers["reminder_1h"].due_at == starts_at - timedelta(hours=1)
    assert {t.fence for t in timers.values()} == {Fence(1, "scheduled")}
    assert all(t.useful_until is not None and t.due_at < t.useful_until < starts_at for t in timers.values())


@pytest.mark.parametrize(("hours", "useful"), [(18.5, False), (23.99, False), (24, False), (24.01, True), (72, True)])
def test_scheduled__the_days_reminder_is_of_use_only_if_it_was_not_due_with_the_invitation(hours, useful):
    """N1, N4: a notifier that was down sends it late all the same."""
    case, at = Case(), now()
    event = decode(case.scheduled(at + timedelta(hours=hours), at)).event
    assert event is not None
    (wanted, _) = (w for w in messages_for(event, actor=case.by_practitioner, at=at) if w.template == "reminder_24h")
    assert wanted.useful_until == wanted.due_at + (timedelta(hours=6) if useful else timedelta())


def test_requested__nudges_are_due_after_one_and_three_days():
    """N1: the practitioner again after 24 h, the admins after 72 h, only while nobody answered."""
    case, at = Case(), datetime(2026, 11, 22, tzinfo=UTC)
    event = decode(case.requested(at)).event
    assert event is not None
    wanted = {w.template: w for w in messages_for(event, actor=case.by_member, at=at)}
    assert wanted["request_unanswered"].due_at == at + timedelta(hours=24)
    assert wanted["request_unanswered_admins"].due_at == at + timedelta(hours=72)
    assert wanted["request_unanswered"].fence == Fence(0, "pending_negotiation")
    assert wanted["session_requested"] == PlannedMessage(str(case.practitioner), "session_requested", at)
