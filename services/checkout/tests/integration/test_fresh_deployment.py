"""What a connection plans while every table is empty serves as well when they are full."""

from uuid import uuid4

import pytest
from services.checkout.tests.midtrans_server import MidtransServer
from services.checkout.tests.rig import manual, rig_of, settings
from tests.rigs.plans import OFTEN, kept_plans

pytestmark = pytest.mark.servers


async def test_plans_made_on_empty_tables__read_by_index(fresh_database, midtrans: MidtransServer) -> None:
    """Whoever waits for autoanalyze is slow until it comes: each statement must be planned well at once."""
    made = settings(fresh_database("checkout"), midtrans.address, database_pool_size=1)
    async with rig_of(made, midtrans) as rig:
        shop = await rig.shop()
        for _ in range(OFTEN):
            bought = (await shop.buy(Idempotency_Key=str(uuid4()))).json()
            path = f"/v1/transactions/{bought['id']}"
            await rig.notify(manual(bought["id"]), "manual")
            await shop.admin.post(f"{path}/refund", {"reason": "Sakit"}, Idempotency_Key=str(uuid4()))
            for read in (
                path,
                f"{path}/history",
                f"{path}?wait_for=paid",
                "/v1/transactions",
                f"/v1/transactions?ids={bought['id']}",
                "/v1/transactions?status=paid",
                "/v1/products?kind=counseling&tier=gold",
                f"/v1/practitioner-directory?ids={shop.practitioner.id}",
                "/v1/me",
                f"/v1/practitioners/{shop.practitioner.id}",
            ):
                assert (await shop.member.get(read)).status_code == 200
            for query in ("", "?name=budi", f"?tier={shop.tier}", "?active=false"):
                assert (await shop.admin.get(f"/v1/practitioner-directory{query}")).status_code == 200
        async with rig.service.database.autocommit() as conn:
            kept = await kept_plans(conn)
    assert sum("idempotency" in text for text in kept) >= 2, "the load with its key, the append"
    assert {text: found for text, found in kept.items() if found} == {}
