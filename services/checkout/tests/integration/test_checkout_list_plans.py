"""Lists stay flat: Transactions and the directory read indexes and stop, whatever the tables hold."""

import itertools
import re
from collections.abc import AsyncGenerator, Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from checkout.people import directory
from checkout.people.directory import Wanted, words_of
from checkout.transactions.reads import _TRANSACTIONS

pytestmark = pytest.mark.servers

SOLD, PRACTITIONERS, MEMBERS = 60_000, 30_000, 600
LIMIT = 51
FILL = """
CREATE FUNCTION pg_temp.id(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    AS $$SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid$$;
INSERT INTO person (id, name, locale, timezone, claimed, version, actor, correlation_id, updated_at)
SELECT pg_temp.id(n), 'Person ' || n, 'id', 'Asia/Jakarta', true, 1, 'system', 'c', now()
FROM generate_series(1, %(practitioners)s) n;
INSERT INTO practitioner (id, name, tiers, timezone, active, version, actor, correlation_id, updated_at)
SELECT pg_temp.id(n), 'Nama' || n %% 5000 || ' Keluarga' || n / 7,
    ARRAY[CASE WHEN n %% 500 = 0 THEN 'rare' ELSE 'gold' END], 'Asia/Jakarta', n %% 100 <> 0, 1, 'system', 'c', now()
FROM generate_series(1, %(practitioners)s) n;
INSERT INTO transaction (id, user_id, practitioner_id, status, product_id, product_name, kind, tier, duration_minutes,
    amount, currency, provider, reference, expires_at, request_limit_minutes, auto_start, created_at, version,
    session_begun)
SELECT pg_temp.id(n), pg_temp.id(n %% %(members)s + 1), pg_temp.id(n %% 900 + 1),
    CASE WHEN n %% 2000 = 0 THEN 'refunded' WHEN n %% 5 = 0 THEN 'expired' ELSE 'paid' END, pg_temp.id(1), 'Konseling',
    'counseling', 'gold', 60, 250000, 'IDR', 'manual', 'r' || n, now(), 60, false, now(), 3, false
FROM generate_series(1, %(sold)s) n;
INSERT INTO payment_session (transaction_id, provider, attempts, checks, check_at)
SELECT pg_temp.id(n), 'manual', 0, 0, now() FROM generate_series(1, %(sold)s) n;
INSERT INTO consulted_session (session_id, transaction_id, practitioner_id, status, has_result, counts, version)
SELECT pg_temp.id(n + 1000000), pg_temp.id(n), pg_temp.id(n %% 900 + 1), 'completed', true, '{}', 5
FROM generate_series(1, %(sold)s) n;
ANALYZE;
"""


def id_of(number: int) -> UUID:
    return UUID(f"00000000-0000-7000-8000-{number:012x}")


@pytest.fixture(scope="module")
async def filled(fresh_database) -> AsyncGenerator[psycopg.AsyncConnection[Any]]:
    """As a request's connection is, but free to read whole tables: so a plan needs no ban to be good."""
    databases = fresh_database("checkout")
    async with await psycopg.AsyncConnection.connect(databases.owner_url, autocommit=True) as conn:
        sizes = {"sold": SOLD, "practitioners": PRACTITIONERS, "members": MEMBERS}
        await psycopg.AsyncClientCursor(conn).execute(FILL.encode(), sizes)
        yield conn


async def planned(
    conn: psycopg.AsyncConnection[Any], query: str, values: dict[str, Any], *, generic: bool
) -> list[dict[str, Any]]:
    """All nodes of the query's plan: of these values with what it read, or of any (what a prepared statement keeps)."""
    if generic:
        names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", query)))
        numbered = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", query)
        cursor = await conn.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {numbered}".encode())
    else:
        cursor = psycopg.AsyncClientCursor(conn)
        await cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}".encode(), values)
    found = await cursor.fetchone()
    assert found is not None
    return list(_nodes(found[0][0]["Plan"]))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def read_by(node: dict[str, Any]) -> float:
    """Rows that a node came to, over all of its loops."""
    return (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]


def judge(nodes: list[dict[str, Any]], *, most: int) -> None:
    """No table is read whole, nothing of its size is sorted or come to."""
    scans = [node for node in nodes if "Relation Name" in node]
    assert scans
    assert {node["Node Type"] for node in scans} <= {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}, scans
    for node in nodes:
        if "Actual Rows" in node:
            assert read_by(node) <= most, node


SALES: dict[str, Any] = {
    "owner": id_of(7),
    "status": "refunded",
    "ids": [id_of(600 * number + 6) for number in range(100)],
    "below": id_of(SOLD // 2),
}
CHOSEN = [chosen for size in range(5) for chosen in itertools.combinations(SALES, size)]


@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize("chosen", CHOSEN, ids=lambda chosen: "-".join(chosen) or "all")
async def test_transactions__each_filter_reads_an_index(filled, chosen: tuple[str, ...], generic: bool):
    """api.md: a member's own, an admin's all; by status, by ids, and how the next page goes on."""
    query = _TRANSACTIONS._text(chosen, LIMIT, False).decode()
    values = {name: SALES[name] for name in chosen}
    judge(await planned(filled, query, values, generic=generic), most=4 * LIMIT)


DIRECTORY = [
    Wanted(),
    Wanted(words=words_of("nama123 kel")),
    Wanted(words=words_of("nama4999")),
    Wanted(tier="gold"),
    Wanted(tier="rare"),
    Wanted(tier="nobody-serves-it"),
    Wanted(active=True),
    Wanted(active=False),
    Wanted(tier="gold", active=False),
    Wanted(words=words_of("nama4999"), tier="gold", active=True),
    Wanted(ids=[id_of(number) for number in range(1, 101)]),
]


@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize("continued", [False, True])
@pytest.mark.parametrize("wanted", DIRECTORY, ids=str)
async def test_directory__each_filter_reads_an_index(filled, wanted: Wanted, continued: bool, generic: bool):
    """api.md: by words of a name, by tier, who is not active, in the order of names."""
    query = directory.statement(wanted, limit=LIMIT, continued=continued)
    values = {"ids": wanted.ids, "words": wanted.words, "tier": wanted.tier, "after": id_of(9)}
    judge(await planned(filled, query, values, generic=generic), most=10 * LIMIT)
