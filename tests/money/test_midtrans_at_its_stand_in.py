"""The `midtrans` adapter against the stand-in, over a socket: what is asked, and what each answer means (P3, P5)."""

from typing import Any
from uuid import uuid4

import pytest
from deploy.standins.tests.receiver import receiver
from deploy.standins.tests.standin_process import standin

from booking_contracts.money import Money
from checkout.payments.midtrans import Midtrans
from checkout.payments.provider import ProviderDownError, ProviderRefusedError, RefundOrder

KEY = "SB-Mid-server-test"
REFERENCE = "0198d2a0-1111-7000-8000-000000000001"
PRICE = Money(250_000, "IDR")


@pytest.fixture
def provider(tmp_path):
    with receiver() as (url, _):
        settings = {"MIDTRANS_SERVER_KEY": KEY, "MANUAL_SECRET": "m", "NOTIFICATION_URL": f"{url}/v1/payments"}
        with standin("payments", tmp_path, PUBLIC_URL="http://pay.example", **settings) as running:
            running.http.auth = (KEY, "")
            yield running


@pytest.fixture
async def midtrans(provider):
    url = str(provider.http.base_url).rstrip("/")
    adapter = Midtrans(api_url=url, snap_url=url, server_keys=(KEY,))
    provider.http.post(
        "/snap/v1/transactions", json={"transaction_details": {"order_id": REFERENCE, "gross_amount": 250_000}}
    )
    yield adapter
    await adapter.close()


def happened(provider: Any, status: str, **more: Any) -> str:
    """The customer or a bank did this; the payment's id."""
    answer = provider.http.post(f"/pay/{REFERENCE}", json={"transaction_status": status, **more})
    return answer.json()["notification"]["transaction_id"]


def order(payment_id: str, amount: int = 250_000) -> RefundOrder:
    return RefundOrder(uuid4(), REFERENCE, payment_id, Money(amount, "IDR"))


def known(provider: Any) -> dict[str, Any]:
    return provider.http.get(f"/v2/{REFERENCE}/status").json()


async def test_nobody_tried_to_pay__nothing_is_known(midtrans) -> None:
    assert await midtrans.status(REFERENCE) is None


@pytest.mark.parametrize(
    ("status", "meaning"), [("pending", "pending"), ("expire", "failed"), ("deny", "denied"), ("settlement", "paid")]
)
async def test_status__is_read_whatever_its_code(provider, midtrans, status: str, meaning: str) -> None:
    happened(provider, status)
    said, _ = await midtrans.status(REFERENCE)
    assert (said.status, said.amount) == (meaning, PRICE)


async def test_captured__is_canceled_and_a_repeat_finds_it_done(provider, midtrans) -> None:
    wish = order(happened(provider, "capture"))
    for _ in range(2):
        await midtrans.refund(wish)
    assert known(provider)["transaction_status"] == "cancel"


async def test_settled__is_refunded_once(provider, midtrans) -> None:
    wish = order(happened(provider, "settlement"))
    assert [await midtrans.refund(wish) for _ in range(2)] == [str(wish.id)] * 2
    assert (known(provider)["transaction_status"], len(known(provider)["refunds"])) == ("refund", 1)


async def test_a_part_of_what_is_captured__waits_for_the_settlement(provider, midtrans) -> None:
    wish = order(happened(provider, "capture"), 100_000)
    with pytest.raises(ProviderDownError):
        await midtrans.refund(wish)
    happened(provider, "settlement")
    assert await midtrans.refund(wish) == str(wish.id)
    assert known(provider)["refund_amount"] == "100000.00"


async def test_more_than_is_left__is_a_final_no(provider, midtrans) -> None:
    payment = happened(provider, "settlement")
    happened(provider, "partial_refund", refund_amount="100000.00")
    with pytest.raises(ProviderRefusedError) as refused:
        await midtrans.refund(order(payment))
    assert refused.value.code == "414"


@pytest.mark.parametrize("gone", ["refund", "chargeback", "deny"])
async def test_all_went_back_by_itself__our_refund_is_done(provider, midtrans, gone: str) -> None:
    wish = order(happened(provider, "settlement"))
    happened(provider, gone)
    await midtrans.refund(wish)


async def test_another_payment_of_the_order_went_back__ours_did_not(provider, midtrans) -> None:
    wish = order(happened(provider, "settlement"))
    happened(provider, "settlement", transaction_id="another")
    happened(provider, "refund")
    with pytest.raises(ProviderRefusedError):
        await midtrans.refund(wish)
