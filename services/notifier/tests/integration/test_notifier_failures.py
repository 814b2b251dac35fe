"""Providers that are down, slow, refuse or break off: F80 to F88, N3 to N5."""

import asyncio
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY
from services.notifier.tests.given import Case, now
from services.notifier.tests.providers import Misdeed
from structlog.testing import capture_logs

pytestmark = pytest.mark.servers


async def several(running, number):
    """`number` paid members, by mail and WhatsApp."""
    cases = [Case() for _ in range(number)]
    for n, case in enumerate(cases):
        await running.tell(
            case.contact(case.member, email=f"member{n}@example.com", phone=f"+62812345678{n:02}"),
            case.created(),
            case.paid(),
        )
    return cases


async def has_no_next_try(running, row):
    """A moment without a third message would prove nothing: the ledger itself must know of no further try."""
    return await running.query("SELECT 1 FROM notification WHERE id = %s AND not_before IS NULL", row["id"])


async def mail_only(running, case):
    await running.execute_as_owner("INSERT INTO preference VALUES (%s, true, false, 1)", case.member)


async def whatsapp_only(running, case):
    await running.execute_as_owner("INSERT INTO preference VALUES (%s, false, true, 1)", case.member)


def calls_a_person(channel):
    return REGISTRY.get_sample_value("notifier_provider_refuses_us", {"channel": channel}) == 1


def figure(name):
    return REGISTRY.get_sample_value(name, {"template": "reminder_1h"}) or 0.0


# Mail -----------------------------------------------------------------------------------------------------------------


async def test_smtp_down__mail_waits_whatsapp_does_not_and_all_leave_once_it_is_back(notifier):
    """F80, N5: delayed, each sent once, few attempts wasted."""
    running = await notifier()
    port = running.inbox.port
    running.inbox.greeting = "421 4.3.2 not available"
    await several(running, 5)
    await running.until(lambda: len(running.meta.messages) == 5)
    await running.until(lambda: running.inbox.conversations >= 2)
    assert running.inbox.mails == []
    assert running.inbox.port == port
    running.inbox.greeting = None
    rows = await running.settled(channel="email")
    assert {r["state"] for r in rows} == {"sent"}
    assert len(running.inbox.mails) == 5
    assert sum(r["attempts"] for r in rows) <= 5 + running.inbox.conversations


async def test_smtp_unreachable__is_no_recipients_fault(notifier):
    """F80: connection refused."""
    running = await notifier(smtp_port=1)
    (case,) = await several(running, 1)
    row = await running.until(
        lambda: running.ledger(recipient_id=case.member, channel="email", reason="smtp_unreachable")
    )
    assert row[0]["state"] in ("pending", "sending")


async def test_smtp_silent__the_deadline_holds_and_others_are_not_kept(notifier):
    """F81: silence after the final dot is ambiguous for that mail alone; others leave meanwhile."""
    running = await notifier(send_timeout_seconds=3.0, email_ambiguous_wait_seconds=600)
    running.inbox.silent_for = frozenset({"member0@example.com"})
    (silent,) = await several(running, 1)
    await running.until(lambda: running.ledger(recipient_id=silent.member, channel="email", state="sending"))
    other = Case()
    await running.tell(other.contact(other.member, email="other@example.com"), other.created(), other.paid())
    await running.until(lambda: running.ledger(recipient_id=other.member, channel="email", state="sent"))
    (row,) = await running.until(lambda: running.ledger(recipient_id=silent.member, channel="email", state="ambiguous"))
    assert row["reason"] == "smtp_silent"


@pytest.mark.parametrize("step", ["rcpt", "data"])
@pytest.mark.parametrize("code", [550, 552, 554])
async def test_smtp_5xx__is_terminal_for_that_recipient_alone(notifier, step, code):
    """F82, N5."""
    running = await notifier()
    setattr(running.inbox, step, lambda a: f"{code} no" if a == "member0@example.com" else None)
    cases = await several(running, 2)
    (refused,) = await running.settled(recipient_id=cases[0].member, channel="email")
    (other,) = await running.settled(recipient_id=cases[1].member, channel="email")
    assert (refused["state"], refused["reason"], refused["attempts"]) == ("failed", f"smtp_{code}", 1)
    assert other["state"] == "sent"


@pytest.mark.parametrize("step", ["rcpt", "data"])
async def test_smtp_4xx__is_tried_again_later_and_others_leave_at_once(notifier, step):
    """F82: 450 with backoff per recipient."""
    running = await notifier()
    answers = ["450 greylisted", "451 again", None]
    setattr(
        running.inbox, step, lambda a: (answers.pop(0) if answers else None) if a == "member0@example.com" else None
    )
    cases = await several(running, 2)
    await running.until(lambda: running.ledger(recipient_id=cases[1].member, channel="email", state="sent"))
    (row,) = await running.until(
        lambda: running.ledger(recipient_id=cases[0].member, channel="email", reason="smtp_450")
    )
    assert row["state"] == "pending"
    (row,) = await running.until(
        lambda: running.ledger(recipient_id=cases[0].member, channel="email", state="sent"), 40
    )
    assert row["attempts"] == 3


async def test_smtp_4xx__a_recipient_that_is_never_ready_is_given_up_and_recorded(notifier):
    """N5: nothing is tried for ever in silence."""
    running = await notifier(give_up_after_seconds=1)
    running.inbox.rcpt = lambda _: "452 mailbox full"
    (case,) = await several(running, 1)
    rows = await running.until(lambda: running.ledger(recipient_id=case.member, channel="email", state="failed"))
    assert rows[0]["reason"] == "smtp_452"


async def test_smtp_password_refused__alarms_and_delays_and_blames_no_recipient(notifier):
    """N5: our account's trouble is nobody's bad address."""
    running = await notifier()
    running.inbox.rcpt = lambda _: "530 5.7.0 Authentication required"
    (case,) = await several(running, 1)
    await running.until(lambda: running.ledger(recipient_id=case.member, channel="email", reason="smtp_530"))
    running.inbox.rcpt = lambda _: None
    (row,) = await running.settled(recipient_id=case.member, channel="email")
    assert row["state"] == "sent"


@pytest.mark.parametrize(
    ("step", "reply"),
    [
        ("mail", "550 5.1.0 sender rejected"),
        ("mail", "452 4.2.2 not now"),
        ("rcpt", "553 5.7.1 <no-reply@booking.test>: Sender address rejected: not owned by user"),
        ("data", "550 5.4.5 Daily user sending limit exceeded"),
        ("data", "554 Message rejected: Email address is not verified"),
    ],
)
async def test_smtp_refuses_us__every_mail_waits_a_person_is_called_and_none_is_lost(notifier, step, reply):
    """N5, F82: our sender, our account and our quota are no recipient's fault."""
    running = await notifier()
    setattr(running.inbox, step, lambda _: reply)
    await several(running, 3)
    await running.until(lambda: running.inbox.conversations >= 2)
    if reply.startswith("5"):
        await running.until(lambda: calls_a_person("email"))
    rows = await running.ledger(channel="email")
    assert {r["state"] for r in rows} <= {"pending", "sending"}
    assert sum(r["attempts"] for r in rows) <= running.inbox.conversations + 1, "one at a time asks"
    setattr(running.inbox, step, lambda _: None)
    rows = await running.settled(channel="email")
    assert {r["state"] for r in rows} == {"sent"}
    assert len(running.inbox.mails) == 3
    await running.until(lambda: not calls_a_person("email"))


async def test_smtp_refuses_us_for_one_message_alone__it_is_given_up_and_recorded(notifier):
    """N5: words about the sender that one recipient's server uses for ever stop nobody else, and have an end."""
    running = await notifier(give_up_after_seconds=1)
    running.inbox.rcpt = lambda a: "550 5.7.1 Sender not welcome here" if a == "member0@example.com" else None
    cases = await several(running, 3)
    (row,) = await running.until(lambda: running.ledger(recipient_id=cases[0].member, channel="email", state="failed"))
    assert row["reason"] == "smtp_550"
    for case in cases[1:]:
        (row,) = await running.settled(recipient_id=case.member, channel="email")
        assert row["state"] == "sent"


async def test_cut_after_the_final_dot__is_ambiguous_and_tried_once_more_with_the_same_id(notifier):
    """F83, RFC 1047."""
    running = await notifier()
    running.inbox.cut_after_dot = True
    case = Case()
    await mail_only(running, case)
    await running.tell(case.contact(case.member), case.created(), case.paid())
    rows = await running.until(lambda: running.ledger(recipient_id=case.member, ambiguities=2))
    assert (rows[0]["state"], rows[0]["reason"], rows[0]["attempts"]) == ("ambiguous", "smtp_cut", 2)
    assert await has_no_next_try(running, rows[0])
    first, second = running.inbox.to("budi@example.com")
    assert first["Message-ID"] == second["Message-ID"]
    running.inbox.cut_after_dot = False
    other = Case()
    await running.tell(other.contact(other.member, email="other@example.com"), other.created(), other.paid())
    await running.until(lambda: running.inbox.to("other@example.com"))
    assert len(running.inbox.to("budi@example.com")) == 2, "never a third time"


async def test_cut_once__the_second_try_is_recorded_as_sent(notifier):
    """F83."""
    running = await notifier(email_ambiguous_wait_seconds=1)
    running.inbox.cut_after_dot = True
    case = Case()
    await running.tell(case.contact(case.member), case.created(), case.paid())
    await running.until(lambda: running.ledger(recipient_id=case.member, channel="email", state="ambiguous"))
    running.inbox.cut_after_dot = False
    (row,) = await running.until(lambda: running.ledger(recipient_id=case.member, channel="email", state="sent"))
    assert (row["attempts"], row["ambiguities"]) == (2, 1)


async def test_ambiguous_then_refused_for_now__its_one_more_try_is_not_spent(notifier):
    """N3: what the provider certainly did not take was no try."""
    running = await notifier(email_ambiguous_wait_seconds=0.5)
    running.inbox.cut_after_dot = True
    case = Case()
    await mail_only(running, case)
    await running.tell(case.contact(case.member), case.created(), case.paid())
    await running.until(lambda: running.ledger(recipient_id=case.member, state="ambiguous"))
    running.inbox.cut_after_dot = False
    running.inbox.rcpt = lambda _: "450 later"
    await running.until(lambda: running.ledger(recipient_id=case.member, state="ambiguous", reason="smtp_450"))
    running.inbox.rcpt = lambda _: None
    (row,) = await running.until(lambda: running.ledger(recipient_id=case.member, state="sent"))
    assert row["ambiguities"] == 1


async def test_overtaken__an_old_schedule_never_arrives_after_the_newer_one(notifier):
    """N3: a message that waits after a refusal is skipped once a newer one about the same session has left."""
    case, running = Case(), await notifier(sending=False)
    await mail_only(running, case)
    await running.tell(*case.contacts(), case.scheduled(), case.rescheduled())
    await running.execute_as_owner(
        "UPDATE notification SET not_before = now() + interval '1 hour' WHERE template = 'session_scheduled'"
    )
    await notifier.begin(running)
    await running.until(lambda: running.ledger(template="session_rescheduled", state="sent"))
    await running.execute_as_owner("UPDATE notification SET not_before = now() WHERE template = 'session_scheduled'")
    (row,) = await running.settled(template="session_scheduled")
    assert (row["state"], row["reason"], row["attempts"]) == ("skipped", "superseded", 0)
    assert len(running.inbox.to("budi@example.com")) == 1
    await running.execute_as_owner(
        """UPDATE notification SET state = 'pending', reason = NULL, not_before = now(), queued_at = now()
           WHERE template = 'session_scheduled'"""
    )
    (row,) = await running.until(lambda: running.ledger(template="session_scheduled", state="sent"))
    assert row["attempts"] == 1, "an admin sends again what they decide to"


async def test_overtaken_while_ambiguous__is_not_tried_again_and_stays_ambiguous(notifier):
    """N3, F83: nobody learns whether it was taken; a second copy of old news would come after the newer."""
    case, running = Case(), await notifier(email_ambiguous_wait_seconds=6.0)
    await mail_only(running, case)
    running.inbox.cut_after_dot = True
    await running.tell(*case.contacts(), case.scheduled())
    await running.until(lambda: running.ledger(template="session_scheduled", state="ambiguous"))
    running.inbox.cut_after_dot = False
    await running.tell(case.rescheduled())
    await running.until(lambda: running.ledger(template="session_rescheduled", state="sent"))
    (row,) = await running.until(lambda: running.ledger(template="session_scheduled", reason="superseded"))
    assert (row["state"], row["attempts"]) == ("ambiguous", 1)
    assert await has_no_next_try(running, row)


@pytest.mark.parametrize(
    ("end", "reason"),
    [("erased", "erased"), ("channel off", "channel_off"), ("late", "late"), ("no address", "bad_address")],
)
async def test_ambiguous_and_then_not_to_be_sent__stays_ambiguous(notifier, end, reason):
    """N3: it may have been taken; that nobody tries it again changes nothing about what is known of it."""
    case, running = Case(), await notifier(email_ambiguous_wait_seconds=600)
    await mail_only(running, case)
    running.inbox.cut_after_dot = True
    await running.tell(*case.contacts(), case.scheduled(now() + timedelta(minutes=59)))
    where = {"recipient_id": case.member, "template": "reminder_1h", "channel": "email"}
    await running.until(lambda: running.ledger(**where, state="ambiguous"))
    running.inbox.cut_after_dot = False
    match end:
        case "erased":
            await running.tell(case.erased(case.member))
        case "channel off":
            await running.execute_as_owner("UPDATE preference SET email = false")
        case "late":
            await running.execute_as_owner("UPDATE notification SET useful_until = now()")
        case _:
            await running.tell(case.contact(case.member, email="nobody"))
    await running.execute_as_owner("UPDATE notification SET not_before = now() WHERE state = 'ambiguous'")
    (row,) = await running.until(lambda: running.ledger(**where, reason=reason))
    assert (row["state"], row["attempts"]) == ("ambiguous", 1)
    assert await has_no_next_try(running, row)


async def test_ambiguous_and_then_refused_for_good__stays_ambiguous(notifier):
    """N3: the first may have been taken, whatever the server says to the second."""
    case, running = Case(), await notifier(email_ambiguous_wait_seconds=0.5)
    await mail_only(running, case)
    running.inbox.cut_after_dot = True
    await running.tell(case.contact(case.member), case.created(), case.paid())
    await running.until(lambda: running.ledger(recipient_id=case.member, state="ambiguous"))
    running.inbox.rcpt = lambda _: "550 5.1.1 no such user"
    (row,) = await running.until(lambda: running.ledger(recipient_id=case.member, reason="smtp_550"))
    assert row["state"] == "ambiguous"
    assert await has_no_next_try(running, row)


# WhatsApp -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("misdeed", "state", "reason"),
    [
        (Misdeed(400, 131026), "failed", "whatsapp_131026"),
        (Misdeed(400, 131047), "failed", "whatsapp_131047"),
        (Misdeed(404, 132001), "failed", "whatsapp_132001"),
        (Misdeed(400, 132015), "failed", "whatsapp_132015"),
        (Misdeed(400, 131008), "failed", "whatsapp_131008"),
        (Misdeed(400, 100), "failed", "whatsapp_100"),
        (Misdeed(429, 130429, retry_after=1), "sent", None),
        (Misdeed(429, None), "sent", None),
        (Misdeed(400, 131056), "sent", None),
        (Misdeed(500, 131000), "sent", None),
        (Misdeed(503, 131016), "sent", None),
        (Misdeed(401, 190), "sent", None),
        (Misdeed(raw=b"HTTP/1.1 503 Bad\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>"), "sent", None),
        (
            Misdeed(
                raw=b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
                b"Content-Length: 0\r\nConnection: close\r\n\r\n"
            ),
            "sent",
            None,
        ),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, Misdeed) else None,
)
async def test_whatsapp_refuses_once__terminal_codes_end_and_the_others_are_tried_again(
    notifier, misdeed, state, reason
):
    """F84, T28."""
    running = await notifier()
    running.meta.script = [misdeed]
    case = Case()
    await whatsapp_only(running, case)
    await running.tell(case.contact(case.member), case.created(), case.paid())
    (row,) = await running.settled(recipient_id=case.member)
    assert (row["state"], row["reason"]) == (state, reason)
    assert len(running.meta.messages) == (1 if state == "sent" else 0)
    assert row["attempts"] == (2 if state == "sent" else 1)


@pytest.mark.parametrize("status", [502, 504])
async def test_whatsapp_gateway_without_metas_word__is_ambiguous(notifier, status):
    """N3, F85: what stands between had handed the message on; Meta may have taken it."""
    running = await notifier()
    running.meta.always = Misdeed(
        raw=f"HTTP/1.1 {status} X\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>".encode()
    )
    case = Case()
    await whatsapp_only(running, case)
    await running.tell(case.contact(case.member), case.created(), case.paid())
    (row,) = await running.until(lambda: running.ledger(recipient_id=case.member, ambiguities=2))
    assert (row["state"], row["reason"], row["attempts"]) == ("ambiguous", f"whatsapp_http_{status}", 2)
    assert await has_no_next_try(running, row)


async def test_whatsapp_token_refused__a_person_is_called_until_it_is_taken_again(notifier):
    """F84: 190 is nobody's fault but ours: a metric, a line in the log, and the message waits."""
    running = await notifier()
    running.meta.always = Misdeed(401, 190)
    case = Case()
    await whatsapp_only(running, case)
    await running.tell(case.contact(case.member), case.created(), case.paid())
    await running.until(lambda: calls_a_person("whatsapp"))
    (row,) = await running.until(lambda: running.ledger(recipient_id=case.member, state="pending", attempts=1))
    assert row["reason"] == "whatsapp_190"
    running.meta.always = None
    await running.until(lambda: running.ledger(recipient_id=case.member, state="sent"))
    await running.until(lambda: not calls_a_person("whatsapp"))


async def test_whatsapp_throttled__retry_after_is_honoured_for_the_whole_channel(notifier):
    """F84: 130429."""
    running = await notifier()
    running.meta.always = Misdeed(429, 130429, retry_after=3)
    await several(running, 4)
    await running.until(lambda: running.meta.asked >= 1)
    asked_at, asked = asyncio.get_running_loop().time(), running.meta.asked
    running.meta.always = None
    await running.settled(channel="whatsapp")
    assert asyncio.get_running_loop().time() - asked_at > 2
    assert asked <= 4
    assert len(running.meta.messages) == 4


async def test_whatsapp_pair_rate__one_person_is_paced_and_others_are_not(notifier):
    """F84: 131056, about one message in six seconds to one person."""
    running = await notifier(whatsapp_pace_seconds=1.5, whatsapp_burst=1)
    case, other = Case(), Case()
    for one in (case, other):
        await whatsapp_only(running, one)
    started = asyncio.get_running_loop().time()
    await running.tell(case.contact(case.member), case.created(), case.paid(), case.scheduled(), case.canceled())
    await running.tell(other.contact(other.member, phone="+6281111111111"), other.created(), other.paid())
    await running.until(lambda: running.ledger(recipient_id=other.member, state="sent"))
    await running.until(lambda: len([m for m in running.meta.messages if m["to"] == "6281234567890"]) == 3)
    assert asyncio.get_running_loop().time() - started > 2 * 1.5 - 0.5
    assert running.meta.messages[-1]["to"] == "6281234567890", "the other one did not wait for the third"
    names = [m["template"]["name"] for m in running.meta.messages if m["to"] == "6281234567890"]
    assert names == ["transaction_paid", "session_scheduled", "session_canceled"]


async def test_whatsapp_burst__is_allowed_and_paid_back_by_waiting(notifier):
    """F84: Meta lends a burst; what would borrow more waits."""
    running = await notifier(whatsapp_pace_seconds=600, whatsapp_burst=2)
    case = Case()
    await whatsapp_only(running, case)
    await running.tell(case.contact(case.member), case.created(), case.paid(), case.scheduled(), case.canceled())
    await running.until(lambda: len(running.meta.messages) == 2)
    await running.until(
        lambda: running.query(
            """SELECT 1 FROM notification WHERE template = 'session_canceled' AND recipient_id = %s
               AND not_before > now() + interval '500 s'""",
            str(case.member),
        )
    )


async def test_whatsapp_cut_after_acceptance__is_tried_at_most_once_more(notifier):
    """F85."""
    running = await notifier()
    running.meta.always = Misdeed(cut_after_accept=True)
    case = Case()
    await whatsapp_only(running, case)
    await running.tell(case.contact(case.member), case.created(), case.paid())
    (row,) = await running.until(lambda: running.ledger(recipient_id=case.member, ambiguities=2))
    assert row["state"] == "ambiguous"
    assert await has_no_next_try(running, row)
    assert len(running.meta.messages) == 2
    assert len({m["biz_opaque_callback_data"] for m in running.meta.messages}) == 1


async def test_whatsapp_strange_success__is_not_taken_for_sent(notifier):
    """T28: a 200 without Meta's id is a stranger's answer."""
    running = await notifier(whatsapp_ambiguous_wait_seconds=600)
    running.meta.script = [Misdeed(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nokay")]
    (case,) = await several(running, 1)
    (row,) = await running.until(
        lambda: running.ledger(recipient_id=case.member, channel="whatsapp", state="ambiguous")
    )
    assert row["reason"] == "whatsapp_strange_answer"


async def test_whatsapp_down__mail_does_not_wait_and_messages_leave_when_it_is_back(notifier):
    """F80 for WhatsApp: connection refused."""
    running = await notifier(sending=False)
    real, running.settings = (
        running.settings,
        running.settings.model_copy(update={"whatsapp_api_url": "http://127.0.0.1:1/v23.0"}),
    )
    await notifier.begin(running)
    (case,) = await several(running, 1)
    await running.until(lambda: running.ledger(recipient_id=case.member, channel="email", state="sent"))
    await running.until(
        lambda: running.ledger(recipient_id=case.member, channel="whatsapp", reason="whatsapp_unreachable")
    )
    assert real.whatsapp_api_url != running.settings.whatsapp_api_url


# Timers ---------------------------------------------------------------------------------------------------------------


async def test_reminder__leaves_when_due_to_both_sides(notifier):
    """N1, N4."""
    case, running = Case(), await notifier()
    await running.tell(*case.contacts(), case.scheduled(now() + timedelta(hours=1, seconds=4)))
    assert {r["state"] for r in await running.ledger(template="reminder_1h")} == {"pending"}
    await running.until(lambda: running.inbox.to("sari@example.com"))
    rows = await running.settled(template="reminder_1h")
    assert {(r["recipient_id"], r["channel"], r["state"]) for r in rows} == {
        (str(person), channel, "sent")
        for person in (case.member, case.practitioner)
        for channel in ("email", "whatsapp")
    }


async def test_lateness__is_measured_once_and_not_by_what_a_provider_delays(notifier):
    """N4: how late the timer is, not how long the mail server refused."""
    taken, late = figure("notifier_timer_lateness_seconds_count"), figure("notifier_timer_lateness_seconds_sum")
    case, running = Case(), await notifier()
    running.inbox.rcpt = lambda _: "450 not now"
    for person in (case.member, case.practitioner):
        await running.execute_as_owner("INSERT INTO preference VALUES (%s, true, false, 1)", person)
    await running.tell(*case.contacts(), case.scheduled(now() + timedelta(minutes=30)))
    await running.until(
        lambda: running.query(
            "SELECT 1 WHERE (SELECT min(attempts) FROM notification n WHERE template = 'reminder_1h') > 1"
        ),
        30,
    )
    assert figure("notifier_timer_lateness_seconds_count") - taken == 2
    assert 3600 < figure("notifier_timer_lateness_seconds_sum") - late < 3700, "two reminders, half an hour late each"


async def test_reminder__late_it_still_leaves_and_too_late_it_is_recorded(notifier):
    """N4: `due <= now`, never only at the exact minute; too late to be useful is skipped."""
    case, running = Case(), await notifier()
    await running.tell(*case.contacts(), case.scheduled(now() + timedelta(minutes=30)))
    assert {r["state"] for r in await running.settled(template="reminder_1h")} == {"sent"}
    assert {(r["state"], r["reason"]) for r in await running.settled(template="reminder_24h")} == {("skipped", "late")}


@pytest.mark.parametrize("change", ["moved", "canceled", "started"])
async def test_reminder__of_a_schedule_that_no_longer_holds_never_leaves(notifier, change):
    """N4, F87."""
    case, running = Case(), await notifier(sending=False)
    await running.tell(*case.contacts(), case.scheduled(now() + timedelta(minutes=59)))
    queued = await running.ledger(template="reminder_1h")
    assert {r["state"] for r in queued} == {"pending"}
    await running.tell({"moved": case.rescheduled, "canceled": case.canceled, "started": case.started}[change]())
    await notifier.begin(running)
    await running.until(lambda: len(running.inbox.mails) >= {"moved": 2, "canceled": 3, "started": 1}[change])
    old = [r for r in await running.ledger(template="reminder_1h") if r["id"] in {q["id"] for q in queued}]
    assert {(r["state"], r["reason"], r["attempts"]) for r in old} == {("skipped", "superseded", 0)}


async def test_reminder__queued_is_looked_at_again_in_the_moment_of_sending(notifier):
    """F87: even where nothing had marked it as superseded before."""
    case, running = Case(), await notifier(sending=False)
    await running.tell(*case.contacts(), case.scheduled(now() + timedelta(minutes=59)))
    await running.execute_as_owner("UPDATE session SET schedule_version = 2")
    await notifier.begin(running)
    rows = await running.settled(template="reminder_1h")
    assert {(r["state"], r["reason"]) for r in rows} == {("skipped", "superseded")}


@pytest.mark.parametrize("hours", [18.5, 21, 23.9])
async def test_set_less_than_a_day_ahead__the_days_reminder_does_not_come_with_the_invitation(notifier, hours):
    """N1, N4: it would tell nothing new."""
    case, running = Case(), await notifier()
    await running.tell(*case.contacts(), case.scheduled(now() + timedelta(hours=hours)))
    assert {r["state"] for r in await running.settled(template="session_scheduled")} == {"sent"}
    assert {(r["state"], r["reason"]) for r in await running.settled(template="reminder_24h")} == {("skipped", "late")}
    assert {r["state"] for r in await running.ledger(template="reminder_1h")} == {"pending"}


async def test_unanswered__the_practitioner_after_a_day_the_admins_after_three(notifier):
    """N1."""
    case, running = Case(), await notifier(sending=False)
    await running.execute_as_owner("UPDATE installation SET send_from = now() - interval '30 days'")
    await running.tell(*case.contacts(), case.requested(at=now() - timedelta(hours=73)))
    await notifier.begin(running)
    rows = await running.settled(template="request_unanswered")
    assert {(r["recipient_id"], r["state"]) for r in rows} == {(str(case.practitioner), "skipped")}, "49 hours late"
    (row,) = await running.settled(template="request_unanswered_admins")
    assert (row["recipient_id"], row["state"]) == ("admins", "sent")
    case = Case()
    await running.tell(*case.contacts(), case.requested(at=now() - timedelta(hours=25)))
    rows = await running.settled(recipient_id=case.practitioner, template="request_unanswered")
    assert {r["state"] for r in rows} == {"sent"}
    assert {r["state"] for r in await running.ledger(session_id=case.session, recipient_id="admins")} == {"pending"}


async def test_unanswered__an_answered_request_nags_nobody(notifier):
    """N1, N4."""
    case, running = Case(), await notifier(sending=False)
    await running.execute_as_owner("UPDATE installation SET send_from = now() - interval '30 days'")
    await running.tell(*case.contacts(), case.requested(at=now() - timedelta(hours=25)), case.scheduled())
    rows = await running.ledger(template="request_unanswered")
    assert {(r["state"], r["reason"]) for r in rows} == {("skipped", "superseded")}


# Workers --------------------------------------------------------------------------------------------------------------


async def test_several_senders__share_the_work_and_send_each_message_once(notifier):
    """N3: row locks and the committed `sending`."""
    running = await notifier(sending=False)
    await several(running, 30)
    for _ in range(3):
        await notifier.begin(running)
    rows = await running.settled()
    assert {(r["state"], r["attempts"]) for r in rows} == {("sent", 1)}
    assert len(running.inbox.mails) == 30
    assert len(running.meta.messages) == 30


async def test_dead_worker__its_attempt_becomes_ambiguous_for_the_others(notifier):
    """F86: `sending` without a sign of life."""
    case, running = Case(), await notifier(sending=False, email_ambiguous_wait_seconds=0.3)
    await running.tell(case.contact(case.member), case.scheduled())
    await running.execute_as_owner(
        """UPDATE notification SET state = 'sending', attempts = 1, sending_until = now() - interval '1 s'
           WHERE template = 'session_scheduled' AND channel = 'email'"""
    )
    await notifier.begin(running)
    (row,) = await running.until(lambda: running.ledger(template="session_scheduled", channel="email", state="sent"))
    assert (row["attempts"], row["ambiguities"]) == (2, 1)


async def test_slow_provider__is_no_dead_worker(notifier):
    """F81: an attempt longer than the lease keeps its lease."""
    running = await notifier(sending_lease_seconds=1.0, send_timeout_seconds=30)
    slow = asyncio.Event()

    async def handle(server, session, envelope):
        await slow.wait()
        return "250 OK"

    running.inbox.handle_DATA = handle
    (case,) = await several(running, 1)
    await running.until(lambda: running.ledger(recipient_id=case.member, channel="email", state="sending"))
    await asyncio.sleep(0)
    first = (await running.query("SELECT sending_until FROM notification WHERE state = 'sending'"))[0]["sending_until"]
    await running.until(
        lambda: running.query(
            "SELECT 1 FROM notification WHERE state = 'sending' AND sending_until > %s", first + timedelta(seconds=1)
        )
    )
    slow.set()
    (row,) = await running.settled(recipient_id=case.member, channel="email")
    assert (row["state"], row["ambiguities"]) == ("sent", 0)


async def test_database_gone_for_a_moment__sending_goes_on(notifier, postgres):
    """F8, F46: severed connections hold nothing up for long and lose nothing."""
    import psycopg

    running = await notifier()
    cases = await several(running, 3)
    for _ in range(5):
        async with await psycopg.AsyncConnection.connect(postgres.admin_url, autocommit=True) as admin:
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                [running.owner_url.rsplit("/", 1)[1]],
            )
    rows = await running.settled()
    assert {r["state"] for r in rows} <= {"sent"}
    assert len(rows) == len(cases) * 2


async def test_waiting__is_not_told_and_what_comes_of_it_is_with_message_and_trace(notifier):
    """Lines of the log say what happened: one that waits for an address is looked at again and again."""
    with capture_logs() as lines:
        running = await notifier(address_wait_seconds=1.0)
        case = Case()
        await running.tell(case.created(), case.paid())
        rows = await running.until(lambda: running.ledger(recipient_id=case.member, state="failed"))
        await running.until(lambda: any(line["event"] == "message_settled" for line in lines))
    told = [line for line in lines if line["event"] == "message_settled"]
    assert {line["state"] for line in told} == {"failed"}
    assert {line["notification_id"] for line in told} >= {str(row["id"]) for row in rows[:1]}
    traces = await running.query("SELECT id, traceparent FROM notification")
    for line in told:
        (parent,) = [row["traceparent"] for row in traces if str(row["id"]) == line["notification_id"]]
        assert line.get("trace_id") == (parent[3:35] if parent else None)
