"""What a connection plans while every table is empty serves as well when they are full."""

from uuid import uuid4

import pytest
from services.consultation.tests.rig import rig_of, schedule, settings, tomorrow
from tests.rigs.plans import OFTEN, kept_plans

pytestmark = pytest.mark.servers

LISTS = (
    "",
    "?status=scheduled",
    "?status=scheduled&status=on_progress",
    "?status=pending_negotiation",
    "?start=2026-01-01",
    "?ids={id}",
    "?transaction_id={transaction_id}",
    "?practitioner_id={practitioner_id}",
    "?user_id={user_id}&status=scheduled",
    "/summary",
)
# Without ANALYZE, and autovacuum's is switched off: what follows has nothing but the plans from before.
QUIET = "ALTER TABLE {table} SET (autovacuum_enabled = false)"
FILL = """
INSERT INTO idempotency (sub, operation, key, sha, status, object_id, version, created_at)
SELECT 'somebody', 'POST /v1/sessions', n::text, '\\x00', 201, NULL, 1, now() FROM generate_series(1, 20000) n
"""


async def test_plans_made_on_empty_tables__read_by_index_when_they_are_full(fresh_database) -> None:
    made = settings(fresh_database("consultation")).model_copy(update={"database_pool_size": 1})
    async with rig_of(made) as rig:
        for table in ("events", "outbox", "idempotency", "feedback_session", "inbox"):
            await rig.rows(QUIET.format(table=table))
        for number in range(OFTEN):
            sold = await rig.sell()
            session = await rig.scheduled(sold)
            path, practitioner = f"/v1/sessions/{session['id']}", rig.practitioner_of(sold)
            moved = await practitioner.put(
                f"{path}/schedule",
                schedule(on=tomorrow(2 + number)),
                If_Match=f'"{session["version"]}"',
                Idempotency_Key=str(uuid4()),
            )
            assert moved.status_code == 200, moved.text
            for caller in (practitioner, rig.member_of(sold), rig.admin()):
                for read in (path, f"{path}/history", *(f"/v1/sessions{asked}" for asked in LISTS)):
                    assert (await caller.get(read.format(**session))).status_code == 200
            for caller in (rig.member_of(sold), rig.admin()):
                for read in ("/v1/assessments", f"/v1/assessments?user_id={sold.member}"):
                    assert (await caller.get(read)).status_code == 200
        await rig.rows(FILL)
        async with rig.service.database.autocommit() as conn:
            kept = await kept_plans(conn)
            load = next(text for text in kept if "FROM idempotency WHERE sub = $2" in text)
            blocks = await _blocks_read(conn, load)
    assert sum("INSERT INTO events" in text for text in kept) >= 1
    assert {text: found for text, found in kept.items() if found} == {}
    assert blocks < 40, "of 20,000 keys it reads one"


async def _blocks_read(conn, text: str) -> int:
    named = await conn.execute(
        "SELECT name, cardinality(parameter_types) FROM pg_prepared_statements WHERE statement = %s", [text]
    )
    name, parameters = await named.fetchone()
    values = [f"'{uuid4()}'", "'somebody'", "'POST /v1/sessions'", "'777'", *["NULL"] * (parameters - 4)]
    await conn.execute("SET plan_cache_mode = force_generic_plan")
    told = await conn.execute(f'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE "{name}"({", ".join(values)})'.encode())
    plan = (await told.fetchone())[0][0]["Plan"]
    assert plan["Actual Rows"] >= 1
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
