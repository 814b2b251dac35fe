"""Products: what is sold, at which price, with which limits."""

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from booking_contracts.money import Money
from booking_contracts.transactions import ProductSnapshot
from checkout.transactions.commands import Offer

_COLUMNS = (
    "id, name, kind, tier, amount, currency, duration_minutes, payment_ttl_minutes, request_limit_minutes, auto_start,"
    " active, version"
)


@dataclass(frozen=True, slots=True)
class Product:
    """A row of the catalogue; `payment_ttl_minutes` is the time to pay (P3)."""

    id: UUID
    name: str
    kind: Literal["verification", "counseling"]
    tier: str
    amount: int
    currency: str
    duration_minutes: int
    payment_ttl_minutes: int
    request_limit_minutes: int
    auto_start: bool
    active: bool
    version: int

    @property
    def offer(self) -> Offer:
        """What a sale copies (P1)."""
        snapshot = ProductSnapshot(
            id=self.id, name=self.name, kind=self.kind, tier=self.tier, duration_minutes=self.duration_minutes
        )
        price = Money(self.amount, self.currency)
        return Offer(snapshot, price, self.request_limit_minutes, self.auto_start, self.active)


async def find(conn: psycopg.AsyncConnection[Any], product_id: UUID, *, lock: bool = False) -> Product | None:
    """Return a product; `lock`: nobody else writes it until the transaction ends."""
    cursor = conn.cursor(row_factory=class_row(Product))
    if lock:  # of the id: a row that is not there yet can't be locked, and two first writes would both become version 1
        await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"product:{product_id}"])
    await cursor.execute(f"SELECT {_COLUMNS} FROM product WHERE id = %s", [product_id])  # noqa: S608 - constants
    return await cursor.fetchone()


async def page(conn: psycopg.AsyncConnection[Any], *, below: UUID | None, limit: int) -> list[Product]:
    """Return a page of the catalogue, highest id (newest) first."""
    cursor = conn.cursor(row_factory=class_row(Product))
    await cursor.execute(
        f"SELECT {_COLUMNS} FROM product WHERE %(below)s::uuid IS NULL OR id < %(below)s::uuid"  # noqa: S608 - constants
        " ORDER BY id DESC LIMIT %(limit)s",
        {"below": below, "limit": limit},
    )
    return await cursor.fetchall()


async def save(conn: psycopg.AsyncConnection[Any], product: Product) -> None:
    """Write a product; `version` is the new one."""
    await conn.execute(
        f"INSERT INTO product ({_COLUMNS}) VALUES (%(id)s, %(name)s, %(kind)s, %(tier)s, %(amount)s, %(currency)s,"  # noqa: S608
        " %(duration_minutes)s, %(payment_ttl_minutes)s, %(request_limit_minutes)s, %(auto_start)s, %(active)s,"
        " %(version)s) ON CONFLICT (id) DO UPDATE SET name = excluded.name, kind = excluded.kind, tier = excluded.tier,"
        " amount = excluded.amount, currency = excluded.currency, duration_minutes = excluded.duration_minutes,"
        " payment_ttl_minutes = excluded.payment_ttl_minutes, request_limit_minutes = excluded.request_limit_minutes,"
        " auto_start = excluded.auto_start, active = excluded.active, version = excluded.version,"
        " updated_at = statement_timestamp()",
        {
            "id": product.id,
            "name": product.name,
            "kind": product.kind,
            "tier": product.tier,
            "amount": product.amount,
            "currency": product.currency,
            "duration_minutes": product.duration_minutes,
            "payment_ttl_minutes": product.payment_ttl_minutes,
            "request_limit_minutes": product.request_limit_minutes,
            "auto_start": product.auto_start,
            "active": product.active,
            "version": product.version,
        },
    )
