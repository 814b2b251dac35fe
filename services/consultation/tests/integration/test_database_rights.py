"""T25, E4: the run-time role may do what the code does, and nothing more; and what its queries cost."""

from uuid import uuid4

import psycopg
import pytest
from services.consultation.tests.rig import Rig

pytestmark = pytest.mark.servers

FORBIDDEN = [
    "UPDATE events SET type = 'x'",
    "DELETE FROM events",
    "TRUNCATE events",
    "DELETE FROM feedback_session",
    "TRUNCATE feedback_session",
    "UPDATE session_text SET text = 'x'",
    "DELETE FROM entitlement",
    "DELETE FROM assessment",
    "DELETE FROM erased_person",
    "UPDATE erased_person SET erased_at = now()",
    "DROP TABLE time_claim",
    "ALTER TABLE time_claim DROP CONSTRAINT time_claim_no_overlap",
    "CREATE TABLE mine (x int)",
    "DELETE FROM inbox",
    "UPDATE alembic_version SET version_num = 'x'",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
async def test_run_time_role__may_not(rig: Rig, statement: str):
    """T25: each refused by PostgreSQL itself."""
    async with rig.service.database.autocommit() as conn:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await conn.execute(statement.encode())


@pytest.mark.parametrize(
    "during", ["empty", "[2026-12-01,)", "(,2026-12-01]", "[2026-12-01,2026-12-02]", "(2026-12-01,2026-12-02)"]
)
async def test_claim__is_never_empty_or_endless(rig: Rig, during: str):
    """S4, K34: EXCLUDE accepts empty ranges, and an endless one would block a person for ever."""
    async with rig.service.database.autocommit() as conn:
        with pytest.raises(psycopg.errors.CheckViolation):
            await conn.execute(
                "INSERT INTO time_claim (session_id, person_id, during) VALUES (%s, %s, %s)",
                [uuid4(), uuid4(), during],
            )
