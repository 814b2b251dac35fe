"""`booking-ops audit` on messages: none missing, none made up (I11), by the very rule that decides them."""

import psycopg
import pytest
from services.notifier.tests.given import Case

from booking_contracts.decode import decode
from booking_contracts.envelope import metadata
from booking_ops.audit.consumers import audit_messages

pytestmark = pytest.mark.servers

_INSERT = """
    INSERT INTO events (stream_type, stream_id, version, id, type, type_version, data, metadata, occurred_at,
        recorded_at)
    VALUES (%s, %s, %s, %s, %s, 1, %s, %s, %s, now())"""


async def store(url, stream_type, records):
    """Keep records as the owner's events."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        for record in records:
            meta, event = decode(record).meta, decode(record).event
            assert event is not None
            values = [stream_type, meta.subject, meta.sequence, meta.id, event.TYPE, record.value.decode()]
            await conn.execute(_INSERT, [*values, metadata(meta.actor, meta.correlation_id), meta.time])


async def test_audit__finds_what_is_missing_and_what_was_made_up(notifier, fresh_database):
    """I11, peers 9: a reconciliation of events with ledger rows."""
    case, running = Case(), await notifier(sending=False)
    owners = [fresh_database(name).owner_url for name in ("checkout", "consultation")]
    sale, session = (
        [case.created(), case.assigned(), case.paid()],
        [case.requested(), case.scheduled(), case.canceled()],
    )
    await store(owners[0], "transaction", sale)
    await store(owners[1], "session", session)
    await running.tell(*sale, *session[:2])
    section = await audit_messages(running.owner_url, owners)
    missing = [difference.what.split(" has no ")[1].split(" to ")[0] for difference in section.differences]
    assert missing == ["session_canceled"] * 2
    await running.tell(session[2])
    section = await audit_messages(running.owner_url, owners)
    assert section.proven
    assert section.counts["asked for"] == 1 + 3 + 5 + 2
    other = Case()
    await running.tell(other.requested())
    section = await audit_messages(running.owner_url, owners)
    assert [d.what for d in section.differences] == ["1 causes in the ledger are no stored events"]


async def test_audit__who_switched_everything_off_misses_nothing(notifier, fresh_database):
    """N2."""
    case, running = Case(), await notifier(sending=False)
    owner = fresh_database("checkout").owner_url
    sale = [case.created(), case.assigned(), case.paid()]
    await running.execute_as_owner("INSERT INTO preference VALUES (%s, false, false, 1)", case.member)
    await store(owner, "transaction", sale)
    await running.tell(*sale)
    section = await audit_messages(running.owner_url, [owner])
    assert section.proven
    assert section.counts["by choice of none"] == 1


@pytest.mark.parametrize("present", ["true, true", "NULL, NULL"], ids=["switched on again", "erased since"])
async def test_audit__what_came_while_everything_was_off_is_no_difference_later(notifier, fresh_database, present):
    """N2, E4: the choice of then is not kept; one that is as it was then hides nothing."""
    case, running = Case(), await notifier(sending=False)
    owner = fresh_database("checkout").owner_url
    sale = [case.created(), case.assigned(), case.paid()]
    await running.execute_as_owner("INSERT INTO preference VALUES (%s, false, false, 1)", case.member)
    await store(owner, "transaction", sale)
    await running.tell(*sale)
    await running.execute_as_owner(
        f"UPDATE preference SET (email, whatsapp) = ROW ({present}), version = 2, updated_at = now()"
    )
    section = await audit_messages(running.owner_url, [owner])
    assert section.proven, section.differences
    assert (section.counts["by choice of none"], section.counts["before another choice"]) == (0, 1)


async def test_audit__what_is_missing_since_the_present_choice_is_a_difference(notifier, fresh_database):
    case, running = Case(), await notifier(sending=False)
    owner = fresh_database("checkout").owner_url
    sale = [case.created(), case.assigned(), case.paid()]
    await running.execute_as_owner(
        "INSERT INTO preference VALUES (%s, true, true, 2, now() - interval '1 day')", case.member
    )
    await store(owner, "transaction", sale)  # and the notifier was never told
    section = await audit_messages(running.owner_url, [owner])
    assert [one.what.split(" has no ")[1].split(" to ")[0] for one in section.differences] == ["transaction_paid"]
