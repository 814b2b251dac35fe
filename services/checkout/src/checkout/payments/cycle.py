"""Midtrans' `transaction_status`: what may follow what, and what each means for money in and money out.

From its documentation (docs.midtrans.com): "Transaction status cycle", "Transaction status", "Fraud status", "Refund
transaction", "Direct refund transaction", "Cancel transaction". The page of the product shows this very table; the
tests judge every pair of statuses by it, cell by cell.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from checkout.transactions.commands import PaymentStatus


@dataclass(frozen=True, slots=True)
class Step:
    """`money_in`: it tells that the gross amount came. `money_out`: what went back of that. `next`: what may follow."""

    means: PaymentStatus
    money_in: bool
    money_out: Literal["nothing", "all that came", "refund_amount, or an unknown part"]
    next: frozenset[str]


_ALL: Literal["all that came"] = "all that came"
_PART: Literal["refund_amount, or an unknown part"] = "refund_amount, or an unknown part"
_NONE: Literal["nothing"] = "nothing"
_BEGUN = frozenset({"capture", "deny", "cancel", "expire"})
_OUT = frozenset({"refund", "partial_refund", "chargeback", "partial_chargeback"})

CYCLE: Mapping[str, Step] = {
    "pending": Step("pending", False, _NONE, _BEGUN | {"authorize", "settlement", "failure"}),
    "authorize": Step("pending", False, _NONE, _BEGUN),
    "capture": Step("paid", True, _NONE, frozenset({"settlement", "cancel"})),
    "settlement": Step("paid", True, _NONE, _OUT | {"deny"}),
    "deny": Step("denied", False, _ALL, frozenset()),
    "cancel": Step("voided", False, _ALL, frozenset()),
    "expire": Step("failed", False, _NONE, frozenset()),
    "failure": Step("failed", False, _NONE, frozenset()),
    "refund": Step("refunded", True, _ALL, frozenset()),
    "partial_refund": Step("partly_refunded", True, _PART, _OUT),
    "chargeback": Step("refunded", True, _ALL, frozenset()),
    "partial_chargeback": Step("partly_refunded", True, _PART, _OUT),
}
FRAUD: Mapping[str, PaymentStatus | None] = {"accept": None, "challenge": "pending", "deny": "denied"}
"""What fraud detection makes of `capture` and `settlement`: none of its business, wait for a decision, no money."""


def meaning(transaction_status: str, fraud_status: str) -> PaymentStatus | None:
    """Return what the two words mean together; None for words that the documentation doesn't know."""
    step = CYCLE.get(transaction_status)
    if step is None or step.means != "paid" or not fraud_status:
        return step.means if step else None
    if fraud_status not in FRAUD:
        return None
    return FRAUD[fraud_status] or step.means


def table() -> str:
    """Return the cycle as the page of the product shows it."""
    rows = ["| `transaction_status` | means | money in | money out | may become |", "| --- | --- | --- | --- | --- |"]
    for name, step in CYCLE.items():
        money_in = "the gross amount" if step.money_in else "nothing"
        following = ", ".join(f"`{one}`" for one in CYCLE if one in step.next) or "–"
        rows.append(f"| `{name}` | {step.means} | {money_in} | {step.money_out} | {following} |")
    return "\n".join(rows)
