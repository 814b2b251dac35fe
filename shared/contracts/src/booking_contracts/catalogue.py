"""What is sold now, told by checkout on `booking.checkout.products.v1`; a sale keeps its own copy (P1)."""

from typing import ClassVar
from uuid import UUID

from booking_contracts.event import Code, Event, Minutes, ProductKind, Text
from booking_contracts.money import Money


class CatalogueProduct(Event):
    """A product as it is now, after an admin made or changed it (P1). Analytics reads it: names and prices, also of
    what nobody has bought; what was sold says its own price."""

    NAMESPACE: ClassVar[str] = "com.booking.checkout"
    id: UUID
    name: Text
    kind: ProductKind
    tier: Code
    price: Money
    duration_minutes: Minutes
    payment_ttl_minutes: Minutes
    request_limit_minutes: Minutes
    auto_start: bool
    active: bool
