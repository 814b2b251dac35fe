"""What a command answers: the Transaction as it is read afterwards, from what is in hand."""

from uuid import uuid4

import pytest
from services.checkout.tests.midtrans_server import MidtransServer
from services.checkout.tests.rig import Shop
from tests.rigs.service import Caller, round_trips

pytestmark = pytest.mark.servers

# The caller's presence, the load with the key, the append; and for each what only it needs.
ROUND_TRIPS = {
    "create": 3 + 3,  # product, practitioner; the page is kept
    "cancel": 3,
    "refund": 3,
    "reassign": 3 + 2,  # practitioner, the session's status
}


async def given(shop: Shop, command: str) -> tuple[Caller, str, str, dict[str, str] | None]:
    """Who asks what of a Transaction that may be asked it."""
    if command == "create":
        await shop.member.get("/v1/me")  # a first call writes the token's claims
        body = {"product_id": str(shop.product), "practitioner_id": str(shop.practitioner.id)}
        return shop.member, "POST", "/v1/transactions", body
    if command == "cancel":
        return shop.member, "POST", f"/v1/transactions/{(await shop.bought())['id']}/cancel", {"reason": "Batal"}
    path = f"/v1/transactions/{(await shop.paid())['id']}"
    if command == "refund":
        return shop.admin, "POST", f"{path}/refund", {"reason": "Batal"}
    other = uuid4()
    await shop.introduce(other)
    return shop.admin, "PUT", f"{path}/practitioner", {"practitioner_id": str(other), "reason": "Berhalangan"}


@pytest.mark.parametrize("mode", ["ok", "down"])
@pytest.mark.parametrize("command", ROUND_TRIPS)
async def test_command__is_answered_as_the_transaction_is_read_afterwards(
    shop: Shop, provider: MidtransServer, command: str, mode: str
) -> None:
    """Byte for byte, with its ETag; whether the provider gave a page or not."""
    provider.mode = mode
    who, method, path, body = await given(shop, command)
    with round_trips() as asked:
        answer = await who.call(method, path, body, Idempotency_Key=str(uuid4()))
    assert answer.is_success, answer.text
    read = await who.get(f"/v1/transactions/{answer.json()['id']}")
    assert (answer.content, answer.headers["ETag"]) == (read.content, read.headers["ETag"])
    assert (answer.json()["payment"]["redirect_url"] is None) == (mode == "down")
    assert asked.count == ROUND_TRIPS[command] - (command == "create" and mode == "down")


async def test_page_came_later__the_next_command_shows_it(shop: Shop, provider: MidtransServer) -> None:
    provider.mode = "down"
    bought = await shop.bought()
    provider.mode = "ok"
    await shop.rig.rows("UPDATE payment_session SET next_attempt_at = now() WHERE transaction_id = %s", bought["id"])
    await shop.rig.step("payment-pages")
    answer = await shop.member.post(f"/v1/transactions/{bought['id']}/cancel")
    assert answer.json()["payment"]["redirect_url"]
    assert answer.json() == await shop.seen(bought)
