"""Writing a purchase into the services' own stores, command by command, each with the clock of its time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg

from booking_contracts.ids import uuid7
from booking_contracts.money import Money
from booking_contracts.transactions import ProductSnapshot
from booking_proof.seed.story import Purchase
from booking_store import Cause, CommandContext, FreeText, Outcome, Refused, handle
from checkout.transactions import commands as sale
from checkout.transactions.state import State as SaleState
from checkout.transactions.store import TRANSACTION
from consultation.entitlements.domain import Entitlement
from consultation.sessions import commands as session
from consultation.sessions.store import SESSION, Overlapped
from consultation.sessions.times import LocalTimes

Connection = psycopg.AsyncConnection[Any]
LINK = "https://meet.google.com/abc-defg-hij"
RESULT = "https://drive.google.com/file/d/1AbCdEfGhIjKlMnOpQrStUvWxYz012345/view"

SESSION_UNGUARDED = replace(
    SESSION, parameters=lambda change: {**SESSION.parameters(change), "entitlement_version": None}
)


class ImpossibleStoryError(Exception):
    """A decider refused what the seed asks: the story is impossible."""


@dataclass(frozen=True, slots=True)
class Product:
    """What is sold."""

    snapshot: ProductSnapshot
    price: Money
    request_limit_minutes: int


async def write_purchase(
    checkout: Connection, consultation: Connection, one: Purchase, who: UUID, product: Product
) -> bool:
    """Write a purchase and its session; False when the session's hour was taken (it then stays unscheduled).

    Each stream is one transaction: between two commands of months ago the timers would find it overdue and act.
    """
    async with checkout.transaction():
        paid = await _sale(checkout, one, who, product)
    if paid is None or one.end in ("unpaid", "paid"):
        return True
    async with consultation.transaction():
        return await _session(consultation, one, who, paid)


async def _session(conn: Connection, one: Purchase, who: UUID, paid: Entitlement) -> bool:
    writer = _SessionWriter(conn, one, who)
    await writer.handle(session.Request(writer.member, writer.at(0), writer.id, paid))
    if one.end == "pending":
        return True
    try:
        await writer.handle(session.Schedule(writer.practitioner, writer.at(1), _times(one), LINK))
    except Overlapped:
        return False
    await writer.end()
    return True


async def _sale(conn: Connection, one: Purchase, who: UUID, product: Product) -> Entitlement | None:
    made = uuid7()
    offer = sale.Offer(product.snapshot, product.price, product.request_limit_minutes, auto_start=False, active=True)
    candidate = sale.Candidate(who, frozenset({product.snapshot.tier}), active=True)
    expires = one.bought_at + timedelta(days=1)
    create = sale.Create(made, one.member, offer, candidate, "midtrans", expires)
    await _sell(conn, made, create, f"member:{one.member}", one.bought_at)
    if one.end == "unpaid":
        return None
    ids = sale.NewIds(uuid4(), uuid4(), uuid4(), uuid4())
    settled, at = (one.bought_at + timedelta(minutes=minutes) for minutes in (6, 7))
    pay = sale.ReportPayment("midtrans", f"seed-{made}", "paid", product.price, at, ids, settled_at=settled)
    paid = await _sell(conn, made, pay, "service:midtrans", at)
    return Entitlement(
        made,
        one.member,
        who,
        "paid",
        product.snapshot.kind,
        product.request_limit_minutes,
        auto_start=False,
        version=paid.version,
    )


async def _sell(conn: Connection, made: UUID, command: sale.Command, actor: str, at: datetime) -> Outcome[SaleState]:
    try:
        return await handle(conn, TRANSACTION, made, command, CommandContext(Cause(actor, str(made)), at))
    except Refused as refused:
        raise ImpossibleStoryError(f"{command}: {refused}") from refused


class _SessionWriter:
    """One session, command by command."""

    def __init__(self, conn: Connection, one: Purchase, who: UUID) -> None:
        self.id = uuid7()
        self.member = session.Actor("member", one.member)
        self.practitioner = session.Actor("practitioner", who)
        self._conn, self._one = conn, one

    def at(self, hours: float) -> datetime:
        """The clock, so long after the payment."""
        return self._one.bought_at + timedelta(minutes=10, hours=hours)

    async def handle(self, command: session.Command, text: FreeText | None = None) -> None:
        """As the service does it, but for the guard: the purchase is written here, not consumed. Raises Overlapped."""
        context = CommandContext(Cause("system", str(self._one.member)), command.at, text=text)
        try:
            await handle(self._conn, SESSION_UNGUARDED, self.id, command, context)
        except Refused as refused:
            raise ImpossibleStoryError(f"{command}: {refused}") from refused

    async def end(self) -> None:
        on = self._one.starts_at
        match self._one.end:
            case "canceled":
                words = FreeText(uuid7(), self._one.member, "Berhalangan hadir")
                await self.handle(session.Cancel(self.member, self.at(5), "canceled_by_member", words.id), words)
            case "failed":
                admin = session.Actor("admin", uuid4())
                words = FreeText(uuid7(), uuid4(), "Gangguan teknis")
                await self.handle(session.Fail(admin, on, "technical", words.id), words)
            case "on_progress":
                await self.handle(session.Start(self.practitioner, self.at(6)))
            case "completed":
                await self.handle(session.Start(self.practitioner, on))
                words = FreeText(uuid7(), self._one.member, "Catatan sesi", RESULT)
                done = session.UploadResult(
                    self.practitioner, on + timedelta(hours=1), words.id, has_link=True, has_notes=True
                )
                await self.handle(done, words)
            case _:
                return


def _times(one: Purchase) -> LocalTimes:
    return LocalTimes(one.day, time(one.hour), time(one.hour + 1), "Asia/Jakarta")


def snapshot(product_id: UUID, body: Mapping[str, Any]) -> Product:
    kept = ProductSnapshot(
        id=product_id,
        name=body["name"],
        kind=body["kind"],
        tier=body["tier"],
        duration_minutes=body["duration_minutes"],
    )
    return Product(kept, Money(**body["price"]), body["request_limit_minutes"])
