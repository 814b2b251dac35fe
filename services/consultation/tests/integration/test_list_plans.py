"""Lists and timers stay flat: each query reads an index in its order and stops, whatever the table holds."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from consultation.sessions.reads import _SUMMARY, _SUMMARY_OF_ALL, Filter, page, statement
from consultation.sessions.store import Person
from consultation.sessions.timers import DUE_FOR_TIME_OUT, DUE_TO_START

pytestmark = pytest.mark.servers

FILL = """
INSERT INTO feedback_session (id, practitioner_id, user_id, status, transaction_id, kind, auto_start, requested_at,
    respond_by, starts_at, ends_at, schedule_version, version, updated_at)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
    ('00000000-0000-0000-0000-' || lpad((n % 300)::text, 12, '0'))::uuid, gen_random_uuid(),
    CASE WHEN n % 4 = 3 THEN 'pending_negotiation' WHEN n % 40 = 1 THEN 'scheduled' WHEN n % 40 = 2 THEN 'canceled'
         ELSE 'completed' END, gen_random_uuid(), 'counseling',
    n % 7 = 0, now() - n * interval '1 minute', now() + n * interval '1 minute',
    CASE WHEN n % 4 < 3 THEN now() + n * interval '1 minute' END,
    CASE WHEN n % 4 < 3 THEN now() + n * interval '1 minute' END, 1, 1, now()
FROM generate_series(1, 60000) n
"""
PEOPLE = """
INSERT INTO practitioner (id, name, timezone)
SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 'Dr. ' || n, 'Asia/Jakarta'
FROM generate_series(0, 4999) n;
INSERT INTO contact (person_id, name, phone, locale)
SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 'P' || n, '+6281200000', 'id'
FROM generate_series(0, 14999) n
"""
AT = datetime(2026, 12, 1, tzinfo=UTC)
ONE = UUID(int=7)
FILTERS = [
    Filter(),
    Filter(("scheduled",)),
    Filter(("pending_negotiation",)),
    Filter((), AT),
    Filter(("scheduled",), AT, AT),
    Filter(("canceled", "completed", "scheduled")),
    Filter(ids=(ONE,)),
    Filter(("scheduled",), ids=(ONE,), transaction_id=ONE),
    Filter(transaction_id=ONE),
    Filter(practitioner_id=ONE),
    Filter(("on_progress", "scheduled"), user_id=ONE),
    Filter(("pending_negotiation",), user_id=ONE),
    Filter((), AT, AT, practitioner_id=ONE, user_id=ONE),
]


@pytest.fixture(scope="module")
async def filled(fresh_database):
    databases = fresh_database("consultation")
    async with await psycopg.AsyncConnection.connect(databases.owner_url, autocommit=True) as conn:
        await conn.execute(FILL)
        await conn.execute(PEOPLE)
        await conn.execute("ANALYZE feedback_session, practitioner, contact")
        # A prepared statement's later runs may use a generic plan: that one must be good too.
        await conn.execute("SET plan_cache_mode = force_generic_plan")
        yield conn


async def plan(conn: psycopg.AsyncConnection[Any], query: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    """All nodes of the query's plan."""
    cursor = psycopg.AsyncClientCursor(conn)
    await cursor.execute(f"EXPLAIN (FORMAT JSON) {query}".encode(), params)
    found = await cursor.fetchone()
    assert found is not None
    nodes, waiting = [], [found[0][0]["Plan"]]
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        waiting += node.get("Plans", [])
    return nodes


def reads(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [node for node in nodes if node.get("Relation Name") == "feedback_session"]


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
@pytest.mark.parametrize("role", ["practitioner", "admin"])
@pytest.mark.parametrize("continued", [False, True])
async def test_page__reads_one_index_in_its_order(filled, wanted: Filter, role: str, continued: bool):
    """E1, api.md: no scan of the table, no sort of more than a page."""
    person = Person(uuid4(), frozenset({role}))
    params = {
        "person": person.id, "start": AT, "end": AT, "key": AT, "id": uuid4(), "ids": [uuid4() for _ in range(100)],
        "transaction_id": ONE, "practitioner_id": person.id, "user_id": ONE,
    }  # fmt: skip
    query = statement(person, wanted, limit=51, continued=continued)
    nodes = await plan(filled, query.as_string(), params)
    assert reads(nodes)
    assert {node["Node Type"] for node in reads(nodes)} <= {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}
    sorted_rows = [node["Plan Rows"] for node in nodes if "Sort" in node["Node Type"]]
    assert all(rows <= 500 for rows in sorted_rows), nodes
    if wanted.ids or wanted.transaction_id:
        used = {node["Index Name"] for node in nodes if node.get("Index Name", "").startswith("feedback_session")}
        assert used <= {"feedback_session_pkey", "feedback_session_of_transaction"}, "by its key alone"


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
async def test_page__reads_its_people_each_by_their_key(filled, wanted: Filter):
    """docs/benchmarks.md, growth: joined whole, some thousands of people cost a page as much as its sessions."""
    params = dict.fromkeys(("start", "end"), AT) | {
        "person": ONE, "ids": [uuid4() for _ in range(100)],
        "transaction_id": ONE, "practitioner_id": ONE, "user_id": ONE,
    }  # fmt: skip
    query = statement(Person(ONE, frozenset({"admin"})), wanted, limit=51, continued=False)
    read = [
        (node["Relation Name"], "Index Cond" in node)
        for node in await plan(filled, query.as_string(), params)
        if node.get("Relation Name") in {"practitioner", "contact", "entitlement", "erased_person"}
    ]
    assert sorted(read) == [
        ("contact", True), ("contact", True), ("entitlement", True),
        ("erased_person", True), ("erased_person", True), ("practitioner", True),
    ]  # fmt: skip


@pytest.mark.parametrize("query", [_SUMMARY, _SUMMARY_OF_ALL], ids=["of a person", "of all"])
async def test_summary__reads_open_sessions_alone(filled, query):
    nodes = await plan(filled, query.as_string(), {"person": ONE})
    assert reads(nodes)
    scans = [node for node in nodes if "Scan" in node["Node Type"] and node["Node Type"] != "Bitmap Heap Scan"]
    # One per assessment is of open sessions alone: the whole of it is what is meant.
    assert all("Index Cond" in node or node["Index Name"] == "feedback_session_one_per_assessment" for node in scans)


@pytest.mark.parametrize("wanted", [Filter(), Filter(("completed",))], ids=str)
async def test_page__is_planned_a_few_times_and_not_at_every_call(filled, wanted: Filter):
    """docs/benchmarks.md, growth: on a large table planning would be half of a page's time."""
    person = Person(uuid4(), frozenset({"admin"}))
    await filled.execute("DEALLOCATE ALL")
    await filled.execute("SET plan_cache_mode = auto")
    try:
        for _ in range(20):
            await page(filled, person, wanted, limit=50, after=None)
        cursor = await filled.execute(
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE '%feedback_session%'"
        )
        assert [generic > custom for generic, custom in await cursor.fetchall()] == [True]
    finally:
        await filled.execute("SET plan_cache_mode = force_generic_plan")


@pytest.mark.parametrize("generic", [True, False])
@pytest.mark.parametrize("continued", [False, True])
async def test_page_of_a_status__never_reads_sessions_of_another(filled, continued: bool, generic: bool):
    """api.md: however many newer sessions have another status, an admin's page reads those of its own."""
    query = statement(Person(uuid4(), frozenset({"admin"})), Filter(("completed",)), limit=51, continued=continued)
    mode = "force_generic_plan" if generic else "force_custom_plan"
    typed = query.as_string().replace("%(id)s", "$1")
    name = f"page_{continued}_{generic}".lower()
    await filled.execute(f"PREPARE {name} (uuid) AS {typed}".encode())
    await filled.execute(f"SET plan_cache_mode = {mode}".encode())
    try:
        nodes = await plan(filled, f"EXECUTE {name} (gen_random_uuid())", {})
    finally:
        await filled.execute("SET plan_cache_mode = force_generic_plan")
    (read,) = reads(nodes)
    assert (read["Node Type"], read["Index Name"]) == ("Index Scan", "feedback_session_of_status")
    assert "Filter" not in read


@pytest.mark.parametrize("due", [DUE_FOR_TIME_OUT, DUE_TO_START])
async def test_timer__reads_its_partial_index(filled, due: str):
    """R4: what is due is found without reading what is not."""
    start = {"after": datetime(1, 1, 2, tzinfo=UTC), "id": UUID(int=0)}
    nodes = await plan(filled, due, {"now": AT, "limit": 100, **start})
    assert {node["Node Type"] for node in reads(nodes)} <= {"Index Scan", "Index Only Scan"}
    assert reads(nodes)[0]["Index Name"] in {"feedback_session_respond_by", "feedback_session_auto_start"}
