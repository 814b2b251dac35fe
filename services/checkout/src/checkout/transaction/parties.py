"""What every event of a Transaction but the first carries."""

from typing import TypedDict
from uuid import UUID

from checkout.transaction.state import Sale


class Parties(TypedDict):
    transaction_id: UUID
    user_id: UUID
    practitioner_id: UUID


def parties(sale: Sale) -> Parties:
    """Return the Transaction and its locked pair."""
    return Parties(transaction_id=sale.transaction_id, user_id=sale.user_id, practitioner_id=practitioner_of(sale))


def practitioner_of(sale: Sale) -> UUID:
    """Return the practitioner; only within the decision that creates it has a Transaction none."""
    if sale.practitioner_id is None:
        raise AssertionError("a Transaction is created together with its practitioner")
    return sale.practitioner_id
