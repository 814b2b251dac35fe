"""Checkout's database as a deployment meets it: migrations both ways, with what is in it already."""

from uuid import uuid4

import psycopg
import pytest

from booking_contracts.topics import PRODUCTS
from booking_process.migrations import downgrade, upgrade
from checkout.catalogue import PUBLISHED

pytestmark = pytest.mark.servers

MIGRATIONS = "checkout:migrations"


def test_products_of_before__are_marked_for_their_topic_and_survive_the_way_back(postgres):
    """P1: the catalogue's topic begins whole, also with what a copy of the release before wrote."""
    databases, product = postgres.create_database(), uuid4()
    upgrade(databases.owner_url, MIGRATIONS, "0012")
    with psycopg.connect(databases.owner_url, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO product (id, name, kind, tier, amount, currency, duration_minutes, payment_ttl_minutes,"
            " request_limit_minutes, auto_start, active, version)"
            " VALUES (%s, 'Konseling', 'counseling', 'gold', 250000, 'IDR', 60, 1440, 10080, false, true, 3)",
            [product],
        )
        upgrade(databases.owner_url, MIGRATIONS)
        assert conn.execute("SELECT topic, key FROM outbox").fetchall() == [(PRODUCTS.name, str(product))]
        (row,) = conn.execute(PUBLISHED.query.encode(), {"keys": [str(product)]}).fetchall()
        assert row[:2] == (str(product), 3)
        downgrade(databases.owner_url, MIGRATIONS, "0012")
        assert conn.execute("SELECT id FROM product").fetchall() == [(product,)]
        assert conn.execute("SELECT count(*) FROM outbox").fetchone() == (0,)
    postgres.drop_database(databases)
