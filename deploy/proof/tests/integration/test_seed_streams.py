"""A seed's stories, told to the services' own stores by their own command handler."""

from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import uuid4

import psycopg
import pytest

from booking_contracts.money import Money
from booking_contracts.transactions import ProductSnapshot
from booking_proof.seed.story import End, Purchase
from booking_proof.seed.streams import Product, write_purchase

pytestmark = pytest.mark.servers
PRODUCT = Product(
    ProductSnapshot(id=uuid4(), name="Konseling", kind="counseling", tier="gold", duration_minutes=60),
    Money(250_000, "IDR"),
    10_080,
)


async def test_every_end__is_told_as_the_services_would_write_it(fresh_database):
    urls = [fresh_database(service).app_url for service in ("checkout", "consultation")]
    checkout, consultation = [await psycopg.AsyncConnection.connect(url, autocommit=True) for url in urls]
    async with checkout, consultation:
        bought_at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=60)
        day = (bought_at + timedelta(days=3)).date()
        for hour, end in enumerate(get_args(End), 8):
            story = Purchase(uuid4(), 0, bought_at, day, hour, end)
            assert await write_purchase(checkout, consultation, story, who := uuid4(), PRODUCT)
            clash = Purchase(uuid4(), 0, bought_at, day, hour, "scheduled")
            held = end in {"scheduled", "on_progress"}
            assert await write_purchase(checkout, consultation, clash, who, PRODUCT) is not held, end
        told = await (await checkout.execute("SELECT status, count(*) FROM transaction GROUP BY 1")).fetchall()
        assert dict(told) == {"awaiting_payment": 1, "paid": 2 * len(get_args(End)) - 1}
        told = await (await consultation.execute("SELECT status, count(*) FROM feedback_session GROUP BY 1")).fetchall()
        assert dict(told) == {
            "pending_negotiation": 3, "scheduled": 7, "on_progress": 1, "completed": 1, "canceled": 1, "failed": 1,
        }  # fmt: skip
        words = await (await consultation.execute("SELECT count(*) FROM session_text")).fetchone()
        assert words == (3,)
