"""What the service does with each record that it consumes, inside the transaction that moves the version row."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg

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
from booking_inbox import Hold, Subscription
from consultation import people, sales
from consultation.errors import Refused
from consultation.handlers import Clock, give
from consultation.orders import Order, Origin
from consultation.session.commands import Actor, ChangePractitioner, Fail

Connection = psycopg.AsyncConnection[Any]


class Subscribers:
    """The service's subscriptions; `clock` dates the events that other services' events lead to."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def all(self) -> tuple[Subscription, ...]:
        """One for each topic that events.md lets this service read."""
        return (
            Subscription(TRANSACTIONS, self.transactions),
            Subscription(PRACTITIONERS, people.PEOPLE.follow),
            Subscription(CONTACTS, self.contacts),
            Subscription(ERASURES, self.erasures),
            Subscription(ASSESSMENTS, self.assessments),
        )

    async def transactions(self, conn: Connection, decoded: Decoded) -> None:
        """Keep the entitlement, then let an open session follow (P2, P5).

        The entitlement is changed by a statement before the one that looks for sessions: a request that came before is
        seen by the second, one that comes after fails its guard (test_request__racing_a_refund).
        """
        event = decoded.event
        if not isinstance(event, TransactionEvent):
            return
        await sales.note(conn, event, decoded.meta.sequence or 0)
        match event:
            case PractitionerReassigned():
                await self._change_practitioner(conn, event, decoded)
            case RefundRequested() | TransactionRefunded() if event.review_id is None:
                await self._reverse(conn, event.transaction_id, decoded)
            case _:
                pass

    async def contacts(self, conn: Connection, decoded: Decoded) -> None:
        """Name and number of a person as they are now; a tombstone erases, also what a late command left (E4)."""
        if decoded.kind == "tombstone":
            await people.erase(conn, UUID(decoded.meta.subject), decoded.meta.time)
        else:
            await people.PEOPLE.follow(conn, decoded)

    async def erasures(self, conn: Connection, decoded: Decoded) -> None:
        """E4."""
        if isinstance(decoded.event, PersonErased):
            await people.erase(conn, UUID(decoded.meta.subject), decoded.meta.time)

    async def assessments(self, conn: Connection, decoded: Decoded) -> None:
        """R1: whose an assessment is, written once; a record that says another member is held."""
        event = decoded.event
        if not isinstance(event, AssessmentCompleted):
            return
        try:
            await sales.keep_assessment(conn, event.assessment_id, event.user_id, event.completed_at)
        except sales.OtherOwner as error:
            raise Hold(str(error)) from error

    async def _change_practitioner(self, conn: Connection, event: PractitionerReassigned, decoded: Decoded) -> None:
        """P2: an open session moves to the new practitioner, who gets the full time to answer; a begun one stays."""
        sale = await sales.sale_of(conn, event.transaction_id)
        practitioner_id = event.practitioner_id
        if sale is None or practitioner_id is None:
            return
        now = self._clock()
        respond_by = now + timedelta(minutes=sale.request_limit_minutes)

        def command(actor: Actor) -> ChangePractitioner:
            return ChangePractitioner(actor, now, practitioner_id, respond_by)

        await self._follow(conn, event.transaction_id, Order(command), decoded)

    async def _reverse(self, conn: Connection, transaction_id: UUID, decoded: Decoded) -> None:
        """P5: the open session fails; a completed one stays."""
        now = self._clock()
        await self._follow(conn, transaction_id, Order(lambda actor: Fail(actor, now, "payment_reversed")), decoded)

    async def _follow(self, conn: Connection, transaction_id: UUID, order: Order, decoded: Decoded) -> None:
        cursor = await conn.execute(
            "SELECT id FROM feedback_session WHERE transaction_id = %s AND status NOT IN ('canceled', 'failed')",
            [transaction_id],
        )
        origin = Origin(decoded.meta.correlation_id, str(decoded.meta.id), decoded.meta.traceparent)
        for (session_id,) in await cursor.fetchall():
            try:
                await give(conn, session_id, order.by_system, origin=origin)
            except Refused as refused:
                # The session has the last word: it began, or ended, before this was told (P2, P5).
                if refused.refusal.code != "wrong_status":
                    raise
