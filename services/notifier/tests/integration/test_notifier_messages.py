"""From a record to the message at the provider: N1 to N3, N5, E4 on real servers."""

from datetime import timedelta
from email import message_from_bytes, policy
from uuid import uuid4

import pytest
from services.notifier.tests.given import Case, now

from booking_contracts.decode import from_store
from booking_contracts.topics import CONTACTS
from notifier.ledger.store import PUBLISHED

pytestmark = pytest.mark.servers


async def test_requested__the_practitioner_is_told_by_mail_and_whatsapp(notifier):
    """N1, R3."""
    case, running = Case(), await notifier()
    await running.tell(*case.contacts(), case.profile(), case.requested())
    rows = await running.settled(recipient_id=case.practitioner, template="session_requested")
    assert [(r["channel"], r["state"], r["attempts"]) for r in rows] == [("email", "sent", 1), ("whatsapp", "sent", 1)]
    (mail,) = running.inbox.to("sari@example.com")
    assert "Budi" in mail["Subject"]
    assert running.inbox.to("budi@example.com") == []
    (message,) = running.meta.messages
    assert message["to"] == "6281234567891"
    assert message["template"]["name"] == "session_requested"
    assert message["biz_opaque_callback_data"] == str(next(r["id"] for r in rows if r["channel"] == "whatsapp"))


async def test_scheduled_and_moved_and_canceled__the_members_calendar_follows(notifier):
    """N1, N2: REQUEST, REQUEST, CANCEL with rising SEQUENCE, in that order; times in the member's zone (E3)."""
    case, running = Case(), await notifier()
    await running.tell(
        case.contact(case.member, timezone="Asia/Jayapura"),
        case.requested(),
        case.scheduled(),
        case.rescheduled(),
        case.canceled(),
    )
    await running.until(lambda: len(running.inbox.to("budi@example.com")) == 3)
    methods, sequences = [], []
    for mail in running.inbox.to("budi@example.com"):
        (part,) = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
        methods.append(part.get_param("method"))
        sequences += [line for line in part.get_content().splitlines() if line.startswith("SEQUENCE")]
        assert f"UID:session-{case.session}@booking" in part.get_content()
        assert "WIT (GMT+09:00, Asia/Jayapura)" in mail.get_body(("plain",)).get_content()
    assert methods == ["REQUEST", "REQUEST", "CANCEL"]
    assert sequences == ["SEQUENCE:1", "SEQUENCE:2", "SEQUENCE:3"]


async def test_every_step__says_what_was_told_to_whom_and_about_what(notifier):
    """Steps may be missing on the topic: whoever has only the last one knows the message."""
    case, running = Case(), await notifier(sending=False)
    await running.tell(*case.contacts(), case.profile(), case.requested())
    row, *_ = await running.ledger(recipient_id=case.practitioner, template="session_requested", channel="email")
    about = {
        "recipient_id": str(case.practitioner),
        "channel": "email",
        "template": "session_requested",
        "session_id": case.session,
        "transaction_id": case.transaction,
    }
    for state in ("pending", "sent", "delivered", "failed", "ambiguous", "skipped"):
        await running.execute_as_owner(
            "UPDATE notification SET state = %s, attempts = 1, reason = 'why', delivered_at = now() WHERE id = %s",
            state,
            row["id"],
        )
        (step,) = await running.query(PUBLISHED.query % {"keys": "%s"}, [str(row["id"])])
        event = from_store(step["type"], 1, step["value"])
        assert {name: getattr(event, name) for name in about} == about, state


async def test_admins__are_told_by_one_mail_to_all_of_them(notifier):
    """N1: `admin_emails`, email only."""
    case, running = Case(), await notifier()
    await running.tell(case.created(), case.assigned(), case.needs_review())
    (row,) = await running.settled(recipient_id="admins")
    assert (row["channel"], row["state"], row["template"]) == ("email", "sent", "payment_review")
    ((recipients, _),) = running.inbox.mails
    assert recipients == ["ops@booking.test", "lead@booking.test"]


async def test_preferences_and_locale__decide_channels_and_language(notifier):
    """N2: mail only, in English."""
    case, running = Case(), await notifier()
    await running.execute_as_owner("INSERT INTO preference VALUES (%s, true, false, 1)", case.member)
    await running.tell(case.contact(case.member, locale="en-GB"), case.created(), case.assigned(), case.paid())
    (row,) = await running.settled(template="transaction_paid")
    assert (row["channel"], row["locale"]) == ("email", "en")
    (mail,) = running.inbox.to("budi@example.com")
    assert mail["Subject"] == "Payment received: IDR 250,000"
    assert "Konseling 60 menit" in mail.get_body(("plain",)).get_content()


async def test_redelivered__the_ledger_decides_once_even_without_version_rows(notifier):
    """N3, F40, F41: unique by (event, recipient, channel, template) in the database itself."""
    case, running = Case(), await notifier()
    records = [*case.contacts(), case.requested()]
    await running.tell(*records)
    await running.settled(template="session_requested")
    before = await running.ledger()
    for _ in range(2):
        await running.tell(*records)
        await running.execute_as_owner("DELETE FROM inbox")
        await running.tell(*records)
    assert await running.ledger() == before
    assert len(running.inbox.mails) == 1
    assert len(running.meta.messages) == 1


async def test_redelivered__a_channel_chosen_since_gets_no_old_news(notifier):
    """N3: everything is replayed without version rows after somebody switched WhatsApp on."""
    case, running = Case(), await notifier()
    await running.execute_as_owner("INSERT INTO preference VALUES (%s, true, false, 1)", case.practitioner)
    records = [*case.contacts(), case.requested()]
    await running.tell(*records)
    await running.settled(template="session_requested")
    before = await running.ledger()
    await running.execute_as_owner("UPDATE preference SET whatsapp = true")
    await running.execute_as_owner("DELETE FROM inbox")
    await running.tell(*records)
    assert await running.ledger() == before


async def test_before_send_from__events_are_skipped_and_due_timers_of_them_stay(notifier):
    """N3: history is recorded and not mailed; a reminder that is still to come is no history."""
    case, running = Case(), await notifier()
    old = now() - timedelta(days=30)
    await running.tell(*case.contacts(), case.requested(at=old), case.scheduled(now() + timedelta(days=3), at=old))
    rows = await running.ledger()
    assert {(r["template"], r["state"], r["reason"]) for r in rows} == {
        ("session_requested", "skipped", "before_send_from"),
        ("request_unanswered", "skipped", "before_send_from"),
        ("request_unanswered_admins", "skipped", "before_send_from"),
        ("session_scheduled", "skipped", "before_send_from"),
        ("reminder_24h", "pending", None),
        ("reminder_1h", "pending", None),
    }
    assert running.inbox.mails == []


# Addresses ------------------------------------------------------------------------------------------------------------


async def test_missing_address__is_waited_for_and_used_when_it_comes(notifier):
    """N5, F42: topics have no order among each other; the contact may come after the event."""
    case, running = Case(), await notifier()
    await running.tell(case.requested(), case.scheduled())
    await running.until(lambda: running.ledger(template="session_scheduled", channel="email", reason="no_address"))
    await running.tell(*case.contacts())
    rows = await running.settled(template="session_scheduled")
    assert {(r["channel"], r["state"]) for r in rows} == {("email", "sent"), ("whatsapp", "sent")}


async def test_missing_address__after_the_wait_is_recorded_and_stops_nobody_else(notifier):
    """N4, N5: no phone: failed with a code; the same person's mail and the other person's messages go out at once."""
    case, running = Case(), await notifier(address_wait_seconds=0.5)
    await running.tell(case.contact(case.member, phone=None), case.contacts()[1], case.scheduled(), case.canceled())
    rows = await running.settled(template="session_canceled")
    assert {(r["recipient_id"] == str(case.member), r["channel"], r["state"], r["reason"]) for r in rows} == {
        (True, "email", "sent", None),
        (True, "whatsapp", "failed", "no_address"),
        (False, "email", "sent", None),
        (False, "whatsapp", "sent", None),
    }


async def test_bad_address__fails_for_good_without_asking_the_provider(notifier):
    """N5, T15."""
    case, running = Case(), await notifier()
    await running.tell(
        case.contact(case.member, email="budi@example.com\r\nRCPT TO:<x@y>", phone="call me"), case.scheduled()
    )
    rows = await running.settled(template="session_scheduled")
    assert {(r["channel"], r["state"], r["reason"], r["attempts"]) for r in rows} == {
        ("email", "failed", "bad_address", 0),
        ("whatsapp", "failed", "bad_address", 0),
    }
    assert running.inbox.conversations == 0


async def test_unrenderable__one_broken_message_stops_no_other(notifier):
    """N4: an event whose link is not harmless cannot be rendered; everything after it leaves."""
    case, running = Case(), await notifier(sending=False)
    await running.tell(*case.contacts(), case.scheduled(), case.canceled())
    await running.execute_as_owner(
        """UPDATE cause SET data = replace(data::text, 'https://meet', 'javascript:meet')::json
           WHERE type = 'SessionScheduled'"""
    )
    await notifier.begin(running)
    rows = await running.settled(template="session_canceled")
    assert {r["state"] for r in rows} == {"sent"}
    rows = await running.settled(template="session_scheduled")
    assert {(r["state"], r["reason"]) for r in rows} == {
        ("failed", "unrenderable_UndefinedError"),
        ("failed", "unrenderable_KeyError"),
    }


# Erasure --------------------------------------------------------------------------------------------------------------


async def test_erased__contact_name_and_preferences_go_and_nothing_waiting_leaves(notifier):
    """E4, T21."""
    case, running = Case(), await notifier(sending=False)
    await running.execute_as_owner("INSERT INTO preference VALUES (%s, true, true, 1)", case.member)
    await running.tell(*case.contacts(), case.profile(), case.requested(), case.scheduled())
    await running.execute_as_owner(
        """INSERT INTO held (consumer, topic, partition, "offset", key, headers, value, timestamp_ms, digest, reason)
           VALUES ('notifier', %s, 0, 1, %s, '[]', 'budi', 0, 'x', 'failed')""",
        CONTACTS.name,
        str(case.member),
    )
    await running.tell(case.erased(case.member), case.contact(case.member, name="Late"))
    await notifier.begin(running)
    await running.settled(recipient_id=case.practitioner, template="session_requested")
    rows = await running.ledger(recipient_id=case.member)
    assert rows
    assert {(r["state"], r["reason"]) for r in rows} == {("skipped", "erased")}
    assert await running.query("SELECT FROM contact WHERE person_id = %s", case.member) == []
    left = await running.query("SELECT email, whatsapp FROM preference WHERE person_id = %s", case.member)
    assert left == [{"email": None, "whatsapp": None}]
    assert await running.query("SELECT FROM held WHERE key = %s", str(case.member)) == []
    assert running.inbox.to("budi@example.com") == []
    (mail,) = running.inbox.to("sari@example.com")
    assert "Budi" not in mail["Subject"] + mail.get_body(("plain",)).get_content()


async def test_tombstone__the_contact_row_goes(notifier):
    """E4."""
    case, running = Case(), await notifier(sending=False)
    await running.tell(case.contact(case.member), case.no_contact(case.member))
    assert await running.query("SELECT FROM contact") == []


async def test_contact_data__stays_in_its_table_alone(notifier):
    """E4, T20: canary values appear in no other table, whatever was sent or refused."""
    case, running = Case(), await notifier()
    running.inbox.rcpt = lambda a: f"550 no such user {a}" if a.startswith("canary") else None
    await running.tell(
        case.contact(case.member, name="Canarya", email="canary@example.com", phone="+6281200009999"),
        case.contacts()[1],
        case.requested(),
        case.scheduled(),
    )
    await running.settled(template="session_scheduled")
    tables = await running.query(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    )
    for table in {t["tablename"] for t in tables} - {"contact"}:
        found = await running.query(
            f"SELECT FROM {table} t WHERE t::text ILIKE '%%canary%%' OR t::text LIKE '%%81200009999%%'"
        )
        assert found == [], table


# Texts of the parts ---------------------------------------------------------------------------------------------------


async def test_practitioner_changed__three_people_are_told_and_old_nudges_go(notifier):
    """N1, P2."""
    case, running = Case(), await notifier()
    old, new = case.practitioner, uuid4()
    await running.tell(*case.contacts(), case.contact(new, name="Dewi", email="dewi@example.com"), case.requested())
    await running.tell(case.changed(new))
    await running.settled(template="practitioner_changed")
    await running.until(lambda: len(running.inbox.mails) == 4)
    assert {r["recipient_id"] for r in await running.ledger(template="practitioner_released")} == {str(old)}
    assert {r["recipient_id"] for r in await running.ledger(template="session_requested")} == {str(old), str(new)}
    nudges = await running.ledger(template="request_unanswered")
    assert {(r["recipient_id"], r["state"]) for r in nudges} == {(str(old), "skipped"), (str(new), "pending")}


async def test_mail__is_parseable_as_sent(notifier):
    """N2: what arrives is what was meant, through a real server."""
    case, running = Case(), await notifier()
    await running.tell(case.contact(case.member, name="Bùdi 🎉"), case.scheduled())
    await running.until(lambda: running.inbox.mails)
    (mail,) = running.inbox.to("budi@example.com")
    again = message_from_bytes(mail.as_bytes(), policy=policy.default)
    body = again.get_body(("plain",))
    assert body is not None
    assert "Bùdi 🎉" in body.get_content()
