"""What becomes of the rows that are there."""

from collections.abc import Callable

import psycopg
import pytest
from tests.plugins.servers import Databases

from booking_contracts.envelope import metadata
from booking_contracts.topics import ASSESSMENTS
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


def test_assessments_of_before__are_told_unless_their_topic_told_them(fresh_database: Callable[[str], Databases]):
    """R1: the topic gets those that came by HTTP alone."""
    databases = fresh_database("consultation")
    downgrade(databases.owner_url, MIGRATIONS, "0011")
    with psycopg.connect(databases.owner_url, autocommit=True) as conn:
        made = "INSERT INTO assessment VALUES (uuidv7(), uuidv7(), now(), 3) RETURNING id::text"
        ((by_http,), (by_topic,)) = (conn.execute(made).fetchone() or ("",) for _ in range(2))
        conn.execute(
            "INSERT INTO inbox (consumer, topic, key, version) VALUES ('consultation', %s, %s, 1)",
            [ASSESSMENTS.name, by_topic],
        )
    upgrade(databases.owner_url, MIGRATIONS)
    with psycopg.connect(databases.owner_url, autocommit=True) as conn:
        marks = conn.execute("SELECT key FROM outbox WHERE topic = %s", [ASSESSMENTS.name]).fetchall()
        assert marks == [(by_http,)]
        assert conn.execute("SELECT id::text, version FROM told_assessment").fetchall() == [(by_http, 3)]
    downgrade(databases.owner_url, MIGRATIONS, "0011")
    with psycopg.connect(databases.owner_url, autocommit=True) as conn:
        assert conn.execute("SELECT count(*) FROM outbox").fetchone() == (0,)
