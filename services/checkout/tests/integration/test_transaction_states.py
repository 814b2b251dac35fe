"""Each Transaction as it is now, as its state topic tells it: the row, in step with what the API shows."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row
from services.checkout.tests.rig import Rig, Shop, manual
from tests.plugins.servers import PostgresServer

from booking_contracts.topics import TRANSACTION_STATES
from booking_contracts.transactions import TransactionState
from booking_process.migrations import downgrade, upgrade
from checkout.transactions.published import STATES

pytestmark = pytest.mark.servers
MIGRATIONS = "checkout:migrations"


async def state_of(rig: Rig, transaction_id: str) -> tuple[dict[str, Any], TransactionState]:
    """The columns that the relay makes a record of, and the record's value; a field that the type lacks is refused."""
    async with rig.service.database.autocommit() as conn:
        cursor = conn.cursor(row_factory=dict_row)
        await cursor.execute(STATES.query, {"keys": [transaction_id]})
        (found,) = await cursor.fetchall()
    return found, TransactionState.model_validate_json(found["value"])


async def as_shown(shop: Shop, transaction_id: str) -> TransactionState:
    """The state, after it was compared with what the API shows of it."""
    row, state = await state_of(shop.rig, transaction_id)
    shown = (await shop.admin.get(f"/v1/transactions/{transaction_id}")).json()
    told = state.model_dump(mode="json")
    same = ("status", "product", "practitioner_id", "user_id", "price", "paid_at", "created_at")
    assert {name: told[name] for name in same} == {name: shown[name] for name in same}
    payment = {name: told[name] for name in ("provider", "reference", "expires_at")}
    assert payment == {name: shown["payment"][name] for name in payment}
    refund = told["refund"] and {"id": told["refund"].pop("refund_id"), **told["refund"]}
    assert refund == shown["refund"]
    history = (await shop.admin.get(f"/v1/transactions/{transaction_id}/history")).json()["items"]
    assert (row["version"], row["actor"]) == (shown["version"], history[0]["actor"])
    assert row["occurred_at"] == datetime.fromisoformat(history[0]["occurred_at"])
    last = "SELECT id::text FROM events WHERE stream_id = %s ORDER BY version DESC LIMIT 1"
    assert await shop.rig.rows(last, transaction_id) == [(row["causation_id"],)]
    return state


async def test_state__from_the_sale_over_the_payment_to_the_refund(shop: Shop):
    """P3 to P5: `settled_at` is the provider's time (TransactionPaid v2)."""
    bought = await shop.bought()
    state = await as_shown(shop, bought["id"])
    assert (state.paid_at, state.settled_at, state.provider_payment_id, state.closed_at) == (None, None, None, None)
    settled_at = datetime.fromisoformat(bought["created_at"]) + timedelta(microseconds=1)
    said = manual(bought["id"], payment_id=f"p-{bought['id']}", settled_at=settled_at.isoformat())
    assert (await shop.rig.notify(said, "manual")).status_code == 200
    state = await as_shown(shop, bought["id"])
    assert (state.status, state.settled_at, state.provider_payment_id) == ("paid", settled_at, f"p-{bought['id']}")
    asked = await shop.admin.post(f"/v1/transactions/{bought['id']}/refund", {"reason": "Batal"})
    assert asked.status_code < 300, asked.text
    state = await as_shown(shop, bought["id"])
    assert state.refund is not None
    assert (state.refund.status, state.refund.settled_at) == ("requested", None)


async def test_state__of_one_that_nobody_paid_says_when_it_was_over(shop: Shop):
    """P3."""
    bought = await shop.bought()
    canceled = await shop.member.post(f"/v1/transactions/{bought['id']}/cancel")
    assert canceled.status_code == 200, canceled.text
    state = await as_shown(shop, bought["id"])
    assert (state.status, state.closed_at is not None, state.settled_at) == ("canceled", True, None)


async def test_state__of_a_payment_of_before_is_settled_when_it_was_paid(shop: Shop):
    """TransactionPaid v1 told no `settled_at`."""
    bought = await shop.bought()
    version = bought["version"] + 1
    at = datetime.now(UTC)
    async with shop.rig.service.database.autocommit() as conn:
        await conn.execute(
            "INSERT INTO events (stream_type, stream_id, version, id, type, type_version, data, metadata, occurred_at,"
            " recorded_at) VALUES ('transaction', %s, %s, %s, 'TransactionPaid', 1,"
            " json_build_object('paid_at', '2026-11-20T01:00:00Z', 'provider_payment_id', 'old'),"
            ' \'{"actor":"system","correlation_id":"x"}\', %s, %s)',
            [bought["id"], version, uuid4(), at, at],
        )
    _, state = await state_of(shop.rig, bought["id"])
    assert (state.settled_at, state.provider_payment_id) == (datetime(2026, 11, 20, 1, tzinfo=UTC), "old")


def test_transactions_of_before__are_marked_for_their_topic(postgres: PostgresServer):
    """The topic begins whole, also with what a copy of the release before wrote."""
    databases = postgres.create_database()
    upgrade(databases.owner_url, MIGRATIONS, "0013")
    with psycopg.connect(databases.owner_url, autocommit=True) as conn:
        ids = conn.execute(
            "INSERT INTO transaction (id, user_id, practitioner_id, status, product_id, product_name, kind, tier,"
            " duration_minutes, amount, currency, provider, reference, expires_at, request_limit_minutes, auto_start,"
            " created_at, version) SELECT uuidv7(), uuidv7(), uuidv7(), 'awaiting_payment', uuidv7(), 'Konseling',"
            " 'counseling', 'gold', 60, 1, 'IDR', 'manual', 'r' || n, now(), 1, false, now(), 2"
            " FROM generate_series(1, 3) n RETURNING id::text"
        ).fetchall()
        upgrade(databases.owner_url, MIGRATIONS)
        query = "SELECT key FROM outbox WHERE topic = %s ORDER BY key"
        assert conn.execute(query, [TRANSACTION_STATES.name]).fetchall() == sorted(ids)
        downgrade(databases.owner_url, MIGRATIONS, "0013")
        assert conn.execute(query, [TRANSACTION_STATES.name]).fetchall() == []
    postgres.drop_database(databases)
