"""What becomes of the rows that are there."""

from collections.abc import Callable

import psycopg
import pytest
from tests.plugins.servers import Databases

from booking_contracts.envelope import metadata
from booking_process.migrations import downgrade, upgrade

pytestmark = pytest.mark.servers
MIGRATIONS = "consultation:migrations"
_INSERT = """
INSERT INTO events (stream_type, stream_id, version, id, type, type_version, data, actor, correlation_id, causation_id,
                    occurred_at, recorded_at)
VALUES ('feedback_session', uuidv7(), 1, uuidv7(), 'SessionStarted', 1, '{ "a" : 1.0 }', %s, %s, %s, now(), now())"""
_TOLD = "SELECT actor, correlation_id, causation_id, data::text FROM events ORDER BY position"


def test_who_and_why_of_each_event__becomes_one_value_and_back_again(fresh_database: Callable[[str], Databases]):
    databases = fresh_database("consultation")
    told = [("system", 'é "\\', None), ("admin:1", "", "cause"), ("member:2", "corr", "\\u0000")]
    downgrade(databases.owner_url, MIGRATIONS, "0005")
    with psycopg.connect(databases.owner_url, autocommit=True) as conn:
        for values in told:
            conn.execute(_INSERT, values)
        before = conn.execute(_TOLD).fetchall()
    upgrade(databases.owner_url, MIGRATIONS)
    with psycopg.connect(databases.owner_url, autocommit=True) as conn:
        found = conn.execute("SELECT metadata::text, data::text FROM events ORDER BY position").fetchall()
        assert found == [(metadata(*values), '{ "a" : 1.0 }') for values in told]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("UPDATE events SET metadata = '{}'")
    downgrade(databases.owner_url, MIGRATIONS, "0005")
    with psycopg.connect(databases.owner_url, autocommit=True) as conn:
        assert conn.execute(_TOLD).fetchall() == before
