"""Claiming the next due message: everything about it is looked up now, and whether it may still leave is decided now.

One transaction: the row is locked, judged, and leaves this place either settled (skipped, failed, waiting) or as
`sending` with the number of its attempt. That commit comes before the send, so a crash in between can never look like
"not yet sent" (F86); other workers pass over the locked row.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from booking_contracts.decode import from_store
from booking_contracts.errors import ContractError
from booking_web.languages import language_for
from notifier.ledger.store import ledger_update
from notifier.ledger_worker import NoTry
from notifier.rules import ADMINS, CurrentState, Fence, Preferences, channels, skip_reason
from notifier.rules import Channel as ChannelName
from notifier.sending.breaker import may_probe
from notifier.sending.channel import BadAddress, Channel, Contact, NoAddress
from notifier.sending.pacing import RetryPolicy
from notifier.texts.formats import zone_of
from notifier.texts.letter import Letter, Names

# Chosen first, by indexes alone, however long the queue is; only then joined with what is told.
_NEXT: LiteralString = """
WITH chosen AS MATERIALIZED (
    SELECT * FROM notification n
    WHERE n.channel = %(channel)s AND n.state IN ('pending', 'ambiguous') AND n.not_before <= clock_timestamp()
      AND NOT EXISTS (SELECT 1 FROM refusal r WHERE r.channel = %(channel)s AND r.not_before > clock_timestamp()
                      AND (r.heals_at IS NULL OR r.heals_at > clock_timestamp()))
      AND NOT EXISTS (SELECT 1 FROM notification o
                      WHERE o.recipient_id = n.recipient_id AND o.channel = n.channel AND o.state = 'sending')
      AND (n.state = 'ambiguous'
           OR NOT EXISTS (SELECT 1 FROM notification o
                          WHERE o.recipient_id = n.recipient_id AND o.channel = n.channel AND o.state = 'pending'
                            AND (o.due_at, o.id) < (n.due_at, n.id) AND o.not_before <= clock_timestamp()))
    ORDER BY n.not_before, n.id LIMIT 1 FOR UPDATE OF n SKIP LOCKED)
SELECT n.id, n.recipient_id, n.template, n.attempts, n.due_at, n.queued_at, n.state, n.traceparent,
       n.fence_version, n.fence_status, n.useful_until, s.schedule_version, s.status, s.starts_at, s.ends_at,
       c.type, c.type_version, c.data::text AS data, c.actor, c.occurred_at, sale.product_name,
       clock_timestamp() AS now,
       EXISTS (SELECT 1 FROM refusal r WHERE r.channel = %(channel)s
               AND (r.heals_at IS NULL OR r.heals_at > clock_timestamp())) AS refused,
       -- By the order of decision, which one clock tells; what an admin sends again is decided anew, and leaves.
       EXISTS (SELECT 1 FROM notification o
               WHERE o.session_id = n.session_id AND o.recipient_id = n.recipient_id AND o.channel = n.channel
                 AND o.fence_version IS NULL AND o.state IN ('sent', 'delivered')
                 AND o.queued_at > n.queued_at) AS overtaken
FROM chosen n JOIN cause c ON c.event_id = n.cause_event_id
     LEFT JOIN session s ON s.id = n.session_id LEFT JOIN sale ON sale.transaction_id = n.transaction_id"""

_PEOPLE: LiteralString = """
SELECT p.id, coalesce(r.name, c.name) AS name, c.email, c.phone, c.locale, coalesce(c.timezone, r.timezone) AS timezone,
       e.email AS wants_email, e.whatsapp AS wants_whatsapp, x.person_id IS NOT NULL AS erased
FROM unnest(%s::uuid[]) p(id) LEFT JOIN contact c ON c.person_id = p.id LEFT JOIN practitioner r ON r.id = p.id
     LEFT JOIN preference e ON e.person_id = p.id LEFT JOIN erased x ON x.person_id = p.id"""

_END = ledger_update("state = %(state)s, reason = %(reason)s, not_before = NULL", "n.id = %(id)s")
_START = ledger_update(
    """state = 'sending', attempts = n.attempts + 1, reason = NULL, provider_message_id = NULL, locale = %(locale)s,
       sending_until = clock_timestamp() + make_interval(secs => %(lease)s)""",
    "n.id = %(id)s",
)
# No version and no mark: nobody outside is told that we go on waiting.
_WAIT: LiteralString = """
UPDATE notification SET reason = 'no_address', not_before = least(clock_timestamp() + interval '15 s', %(until)s)
WHERE id = %(id)s"""
_POSTPONE: LiteralString = """
UPDATE notification SET reason = 'unreadable', not_before = clock_timestamp() + interval '1 minute' WHERE id = %(id)s"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A message on its way: committed as `sending`, prepared, to be handed over now."""

    id: UUID
    number: int
    recipient_id: str
    template: str
    is_timer: bool
    lateness: float
    age: timedelta
    traceparent: str | None
    prepared: Any


@dataclass(frozen=True, slots=True)
class Settled(NoTry):
    """A message that needed no send: skipped, failed for good, or waiting for an address (`pending`: nothing came of it
    yet)."""

    id: UUID
    traceparent: str | None
    template: str
    state: str
    reason: str


async def claim_next(
    conn: psycopg.AsyncConnection[Any], channel: Channel, policy: RetryPolicy, platform_zone: str
) -> Attempt | Settled | None:
    """The next due message of this channel, within the caller's transaction; None if nothing is due."""
    cursor = conn.cursor(row_factory=dict_row)
    await cursor.execute(_NEXT, {"channel": channel.name})
    row = await cursor.fetchone()
    if row is None:
        return None
    try:
        row["event"] = from_store(row["type"], row["type_version"], row["data"])
    except ContractError:
        # Written by a newer release that was rolled back: it can read it again, so wait for it, beside the others' way.
        await conn.execute(_POSTPONE, {"id": row["id"]})
        return _settled(row, "pending", "unreadable")
    people = await _people(conn, row)
    fence = None if row["fence_version"] is None else Fence(row["fence_version"], row["fence_status"])
    current = _current_state(row, people, channel.name)
    if (reason := skip_reason(fence, row["useful_until"], current, row["now"])) is not None:
        return await _settle(conn, row, "skipped", reason)
    letter, contact = _letter(row, people, platform_zone), _contact(people.get(row["recipient_id"]))
    return await _start(conn, row, letter, contact, channel=channel, policy=policy)


async def _start(
    conn: psycopg.AsyncConnection[Any],
    row: dict[str, Any],
    letter: Letter,
    contact: Contact | None,
    *,
    channel: Channel,
    policy: RetryPolicy,
) -> Attempt | Settled | None:
    now, base = row["now"], max(row["due_at"], row["queued_at"])
    try:
        prepared = channel.prepare(row["id"], letter, contact, now)
    except NoAddress:
        if now >= base + policy.address_wait:
            return await _settle(conn, row, "failed", "no_address")
        await conn.execute(_WAIT, {"id": row["id"], "until": base + policy.address_wait})
        return _settled(row, "pending", "no_address")
    except BadAddress:
        return await _settle(conn, row, "failed", "bad_address")
    except Exception as error:  # noqa: BLE001 - one message's broken text must never stop another's (N4)
        return await _settle(conn, row, "failed", f"unrenderable_{type(error).__name__}")
    if row["refused"] and not await may_probe(conn, channel.name, row["id"]):
        return None
    await conn.execute(_START, {"id": row["id"], "locale": letter.language, "lease": policy.lease})
    return Attempt(
        id=row["id"],
        number=row["attempts"] + 1,
        recipient_id=row["recipient_id"],
        template=row["template"],
        is_timer=row["fence_version"] is not None,
        lateness=(now - row["due_at"]).total_seconds(),
        age=now - base,
        traceparent=row["traceparent"],
        prepared=prepared,
    )


async def _settle(conn: psycopg.AsyncConnection[Any], row: dict[str, Any], state: str, reason: str) -> Settled:
    """No try any more. What may have been taken stays ambiguous: that nobody tries again changes nothing about that."""
    state = "ambiguous" if row["state"] == "ambiguous" else state
    await conn.execute(_END, {"id": row["id"], "state": state, "reason": reason})
    return _settled(row, state, reason)


def _settled(row: dict[str, Any], state: str, reason: str) -> Settled:
    return Settled(row["id"], row["traceparent"], row["template"], state, reason)


async def _people(conn: psycopg.AsyncConnection[Any], row: dict[str, Any]) -> dict[str, dict[str, Any]]:
    event = row["event"]
    ids = {getattr(event, "user_id", None), getattr(event, "practitioner_id", None)} - {None}
    if row["recipient_id"] != ADMINS:
        ids.add(UUID(row["recipient_id"]))
    cursor = conn.cursor(row_factory=dict_row)
    await cursor.execute(_PEOPLE, [list(ids)])
    return {str(person["id"]): person for person in await cursor.fetchall()}


def _current_state(row: dict[str, Any], people: dict[str, dict[str, Any]], channel: ChannelName) -> CurrentState:
    recipient = people.get(row["recipient_id"], {})
    return CurrentState(
        schedule_version=row["schedule_version"],
        status=row["status"],
        recipient_erased=bool(recipient.get("erased")),
        channel_wanted=channel in channels(row["recipient_id"], _preferences(recipient)),
        overtaken=row["overtaken"],
    )


def _preferences(person: dict[str, Any]) -> Preferences:
    if person.get("wants_email") is None:
        return Preferences()
    return Preferences(person["wants_email"], person["wants_whatsapp"])


def _contact(person: dict[str, Any] | None) -> Contact | None:
    return None if person is None else Contact(person["email"], person["phone"])


def _letter(row: dict[str, Any], people: dict[str, dict[str, Any]], platform_zone: str) -> Letter:
    """What the message is rendered from: the stored event, and the people as they are called now."""
    event, recipient = row["event"], people.get(row["recipient_id"], {})

    def called(person_id: object) -> str | None:
        return people.get(str(person_id), {}).get("name")

    return Letter(
        template=row["template"],
        recipient_id=row["recipient_id"],
        language=language_for(recipient.get("locale")),
        zone=zone_of(recipient.get("timezone"), platform_zone),
        event=event,
        at=row["occurred_at"],
        actor=row["actor"],
        names=Names(
            recipient=called(row["recipient_id"]),
            member=called(getattr(event, "user_id", None)),
            practitioner=called(getattr(event, "practitioner_id", None)),
            product=row["product_name"],
        ),
        session_time=(row["starts_at"], row["ends_at"]) if row["starts_at"] and row["ends_at"] else None,
    )
