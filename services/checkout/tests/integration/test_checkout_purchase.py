"""Products, practitioners, me, and buying (P1 to P3)."""

import pytest
from services.checkout.tests.rig import Shop

pytestmark = pytest.mark.servers


async def test_bought__the_pair_is_locked_and_the_price_copied(shop: Shop) -> None:
    """P1, P2, P3."""
    bought = await shop.bought()
    assert bought["status"] == "awaiting_payment"
    assert bought["price"] == {"amount": 250_000, "currency": "IDR"}
    assert bought["practitioner_id"] == str(shop.practitioner.id)
    assert bought["payment"]["redirect_url"].startswith(shop.rig.provider.address)
    assert bought["payment"]["reference"] == bought["id"]
    assert bought["version"] == 2
    await shop.offer(price={"amount": 999_000, "currency": "IDR"})
    assert (await shop.seen(bought))["price"] == {"amount": 250_000, "currency": "IDR"}
    assert await shop.rig.types(bought["id"]) == ["TransactionCreated", "PractitionerAssigned"]


async def test_paid__by_a_signed_notification(shop: Shop) -> None:
    """P4."""
    paid = await shop.paid()
    assert paid["status"] == "paid"
    assert paid["version"] == 3
    history = (await shop.member.get(f"/v1/transactions/{paid['id']}/history")).json()["items"]
    assert [item["type"] for item in history] == ["TransactionCreated", "PractitionerAssigned", "TransactionPaid"]
    assert [item["actor"].split(":")[0] for item in history] == ["member", "member", "service"]
