"""The rules: which event asks for which message to whom and when, row by row (N1); by which channels
(N2), and what may leave at the moment of sending (N3, N4, N5).
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from services.notifier.tests.given import Case, now

from booking_contracts.decode import decode
from booking_contracts.topics import EVENTS
from notifier.rules import (
    ADMINS,
    TABLE,
    CurrentState,
    Fence,
    PlannedMessage,
    Preferences,
    channels,
    channels_to_write,
    messages_for,
    skip_reason,
    skipped_from_the_start,
)

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


NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HERE = CurrentState(schedule_version=2, status="scheduled", recipient_erased=False, channel_wanted=True)
FENCE = Fence(2, "scheduled")


@pytest.mark.parametrize(
    ("fence", "useful_until", "changes", "reason"),
    [
        (FENCE, NOON, {}, None),
        (None, None, {}, None),
        (None, None, {"schedule_version": 9, "status": "canceled"}, None),
        (FENCE, NOON, {"schedule_version": 3}, "superseded"),
        (FENCE, NOON, {"status": "canceled"}, "superseded"),
        (FENCE, NOON, {"status": "on_progress"}, "superseded"),
        (FENCE, NOON, {"schedule_version": None, "status": None}, "superseded"),
        (FENCE, NOON - timedelta(seconds=1), {}, "late"),
        (FENCE, NOON, {"channel_wanted": False}, "channel_off"),
        (None, None, {"recipient_erased": True}, "erased"),
        (None, None, {"overtaken": True}, "superseded"),
        (FENCE, NOON, {"overtaken": True}, None),
    ],
)
def test_due__a_message_leaves_only_while_it_is_relevant(fence, useful_until, changes, reason):
    """N4, E4, N2: late or moved timers, erased people, closed channels, old news; a fact is never too late."""
    assert skip_reason(fence, useful_until, replace(HERE, **changes), NOON) == reason


def test_older_than_this_notifier__a_message_is_history():
    """N3: `send_from`."""
    before, after = NOON - timedelta(seconds=1), NOON + timedelta(seconds=1)
    assert skipped_from_the_start(before, before, NOON) == "before_send_from"
    assert skipped_from_the_start(NOON, NOON, NOON) is None
    assert skipped_from_the_start(before, after, NOON) is None, "a timer that an old event set for later"
    assert skipped_from_the_start(after, before, NOON) is None, "a late timer of a new event"


def test_preferences__each_person_chooses_and_admins_get_mail_only():
    """N1, N2."""
    assert channels("p", Preferences()) == ("email", "whatsapp")
    assert channels("p", Preferences(email=False, whatsapp=True)) == ("whatsapp",)
    assert channels("p", Preferences(email=False, whatsapp=False)) == ()
    assert channels("admins", Preferences()) == ("email",)


def test_preferences__who_wants_nothing_has_timers_written_down_by_each_channel():
    """N2: somebody may switch one on before they are due."""
    neither, mail = Preferences(email=False, whatsapp=False), Preferences(whatsapp=False)
    assert channels_to_write("p", neither, is_timer=True) == ("email", "whatsapp")
    assert channels_to_write("p", neither, is_timer=False) == ()
    assert channels_to_write("p", mail, is_timer=True) == ("email",)
    assert channels_to_write("admins", Preferences(), is_timer=True) == ("email",)
