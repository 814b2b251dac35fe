"""What the service does with each record that it consumes, inside the transaction that moves the version row."""

from datetime import timedelta
from uuid import UUID

from booking_contracts.assessments import AssessmentCompleted
from booking_contracts.decode import Decoded
from booking_contracts.directory import PersonErased
from booking_contracts.topics import ASSESSMENTS, CONTACTS, ERASURES, PRACTITIONERS, TRANSACTIONS
from booking_contracts.transactions import (
    PractitionerReassigned,
    RefundRequested,
    TransactionEvent,
    TransactionRefunded,
)
from booking_inbox import Hold, InboxRouter
from booking_store import Cause, CommandContext, Connection, Refused, handle
from consultation import people
from consultation.dependencies import now
from consultation.entitlements import store as entitlements
from consultation.entitlements import told
from consultation.sessions.commands import ChangePractitioner, Fail
from consultation.sessions.store import SESSION, Draft, by_system

router = InboxRouter()
router.subscriber(PRACTITIONERS)(people.PEOPLE.follow)


@router.subscriber(TRANSACTIONS)
async def transactions(conn: Connection, decoded: Decoded) -> None:
    """Keep the entitlement, then let an open session follow (P2, P5).

    The entitlement is changed by a statement before the one that looks for sessions: a request that came before is
    seen by the second, one that comes after fails its guard (test_request__racing_a_refund).
    """
    event = decoded.event
    if not isinstance(event, TransactionEvent):
        return
    await entitlements.note(conn, event, decoded.meta.sequence or 0)
    match event:
        case PractitionerReassigned():
            await _change_practitioner(conn, event, decoded)
        case RefundRequested() | TransactionRefunded() if event.review_id is None:
            await _reverse(conn, event.transaction_id, decoded)
        case _:
            pass


@router.subscriber(CONTACTS)
async def contacts(conn: Connection, decoded: Decoded) -> None:
    """Name and number of a person as they are now; a tombstone erases, also what a late command left (E4)."""
    if decoded.kind == "tombstone":
        await people.erase(conn, UUID(decoded.meta.subject), decoded.meta.time)
    else:
        await people.PEOPLE.follow(conn, decoded)


@router.subscriber(ERASURES)
async def erasures(conn: Connection, decoded: Decoded) -> None:
    """E4."""
    if isinstance(decoded.event, PersonErased):
        await people.erase(conn, UUID(decoded.meta.subject), decoded.meta.time)


@router.subscriber(ASSESSMENTS)
async def assessments(conn: Connection, decoded: Decoded) -> None:
    """R1: whose an assessment is, written once; a record that says another member is held. Our own records say what was
    told here by HTTP: they may be older than what has been told since."""
    event = decoded.event
    if not isinstance(event, AssessmentCompleted) or decoded.meta.source == told.PUBLISHED.source:
        return
    try:
        await entitlements.keep_assessment(conn, event.assessment_id, event.user_id, event.completed_at)
    except entitlements.OtherOwner as error:
        raise Hold(str(error)) from error


async def _change_practitioner(conn: Connection, event: PractitionerReassigned, decoded: Decoded) -> None:
    """P2: an open session moves to the new practitioner, who gets the full time to answer; a begun one stays."""
    entitlement = await entitlements.entitlement_of(conn, event.transaction_id)
    practitioner_id = event.practitioner_id
    if entitlement is None or practitioner_id is None:
        return
    full_time = timedelta(minutes=entitlement.request_limit_minutes)
    await _follow(
        conn,
        event.transaction_id,
        lambda actor, at: ChangePractitioner(actor, at, practitioner_id, at + full_time),
        decoded,
    )


async def _reverse(conn: Connection, transaction_id: UUID, decoded: Decoded) -> None:
    """P5: the open session fails; a completed one stays."""
    await _follow(conn, transaction_id, lambda actor, at: Fail(actor, at, "payment_reversed"), decoded)


async def _follow(conn: Connection, transaction_id: UUID, draft: Draft, decoded: Decoded) -> None:
    cursor = await conn.execute(
        "SELECT id FROM feedback_session WHERE transaction_id = %s AND status NOT IN ('canceled', 'failed')",
        [transaction_id],
    )
    meta, at = decoded.meta, now()
    context = CommandContext(Cause("system", meta.correlation_id, str(meta.id), meta.traceparent), at)
    for (session_id,) in await cursor.fetchall():
        try:
            await handle(conn, SESSION, session_id, by_system(draft, at), context)
        except Refused as refused:
            # The session has the last word: it began, or ended, before this was told (P2, P5).
            if refused.refusal.code != "wrong_status":
                raise
