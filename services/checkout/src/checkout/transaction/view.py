"""A Transaction as the API shows it (api.md)."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from booking_contracts.event import Instant
from checkout.transaction.row import read_row
from checkout.transaction.state import Existing, Status

EXAMPLE_ID = "0198d2a0-1111-7000-8000-000000000001"


class MoneyView(BaseModel):
    """An integer in the currency's unit: 250000 IDR is Rp250.000."""

    amount: int = Field(examples=[250000])
    currency: str = Field(examples=["IDR"])


class SoldProduct(BaseModel):
    id: UUID
    name: str = Field(examples=["Konseling 60 menit"])
    kind: Literal["verification", "counseling"]
    tier: str = Field(examples=["gold"])
    duration_minutes: int = Field(examples=[60])


class PaymentView(BaseModel):
    """How to pay. `redirect_url` is null until the provider gave a page."""

    provider: str = Field(examples=["midtrans"])
    reference: str = Field(examples=[EXAMPLE_ID])
    redirect_url: str | None = Field(examples=["https://app.midtrans.com/snap/v4/redirection/1"])
    expires_at: Instant


class RefundView(BaseModel):
    id: UUID
    status: Literal["requested", "succeeded", "failed"]
    amount: MoneyView
    requested_at: Instant
    settled_at: Instant | None


class TransactionView(BaseModel):
    """A sale: one member, one product, one practitioner."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(examples=[EXAMPLE_ID])
    status: Status
    product: SoldProduct
    practitioner_id: UUID
    user_id: UUID
    price: MoneyView
    payment: PaymentView
    refund: RefundView | None = Field(examples=[None])
    paid_at: Instant | None = Field(examples=[None])
    created_at: Instant
    version: int = Field(examples=[2])
    erased: list[str] = Field(default=[], description="What was erased since, with `as_of` (E5).", examples=[[]])


def view_of(row: dict[str, object], redirect_url: str | None) -> TransactionView:
    """Show a read row, or a fold in its shape: both have the same columns."""
    return TransactionView.model_validate(
        {
            **row,
            "product": {
                "id": row["product_id"],
                "name": row["product_name"],
                "kind": row["kind"],
                "tier": row["tier"],
                "duration_minutes": row["duration_minutes"],
            },
            "price": _money(row, "amount"),
            "payment": {
                "provider": row["provider"],
                "reference": row["reference"],
                "redirect_url": redirect_url,
                "expires_at": row["expires_at"],
            },
            "refund": _refund(row),
        }
    )


def view_of_state(state: Existing, version: int, redirect_url: str | None) -> TransactionView:
    """Show a folded state."""
    return view_of({**read_row(state), "id": state.sale.transaction_id, "version": version}, redirect_url)


def _refund(row: dict[str, object]) -> dict[str, object] | None:
    if row["refund_id"] is None:
        return None
    return {
        "id": row["refund_id"],
        "status": row["refund_status"],
        "amount": _money(row, "refund_amount"),
        "requested_at": row["refund_requested_at"],
        "settled_at": row["refund_settled_at"],
    }


def _money(row: dict[str, object], column: str) -> dict[str, object]:
    return {"amount": row[column], "currency": row["currency"]}


__all__ = ["MoneyView", "TransactionView", "view_of", "view_of_state"]
