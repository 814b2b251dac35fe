"""What a connection plans while every table is empty serves as well when they are full."""

from typing import Any
from uuid import uuid4

import pytest
from services.checkout.tests.midtrans_server import MidtransServer
from services.checkout.tests.rig import manual, rig_of, settings

pytestmark = pytest.mark.servers
OFTEN = 8  # PostgreSQL keeps a plan from the sixth time on


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
                "/v1/transactions",
                "/v1/me",
                f"/v1/practitioners/{shop.practitioner.id}",
            ):
                assert (await shop.member.get(read)).status_code == 200
        async with rig.service.database.autocommit() as conn:
            kept = await (
                await conn.execute(
                    "SELECT name, cardinality(parameter_types) FROM pg_prepared_statements"
                    " WHERE generic_plans > 0 AND statement ~* '^\\s*(--|with|select|insert|update|delete)'"
                )
            ).fetchall()
            assert len(kept) >= 5
            whole = {name: found for name, count in kept if (found := await _read_whole(conn, name, count))}
    assert whole == {}


async def _read_whole(conn: Any, name: str, parameters: int) -> list[str]:
    """The tables that the kept plan of a statement reads from end to end."""
    values = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
    await conn.execute("SET plan_cache_mode = force_generic_plan")
    (row,) = await (await conn.execute(f'EXPLAIN (FORMAT JSON) EXECUTE "{name}"{values}')).fetchall()
    return [node["Relation Name"] for node in _nodes(row[0][0]["Plan"]) if node["Node Type"] == "Seq Scan"]


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", ()) for node in _nodes(child))]
