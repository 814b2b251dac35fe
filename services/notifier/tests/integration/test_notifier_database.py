"""The notifier's database as a deployment meets it: migrations both ways, with what is in it already."""

from uuid import uuid4

import psycopg
import pytest

from booking_contracts.topics import PREFERENCES
from booking_process.migrations import downgrade, upgrade

pytestmark = pytest.mark.servers

MIGRATIONS = "notifier:migrations"


def test_preferences_of_before__are_marked_for_their_topic_and_survive_the_way_back(postgres):
    """N2, E4: what was chosen before it was published; an erased person's empty row goes with its tombstone."""
    databases, person, erased = postgres.create_database(), uuid4(), uuid4()
    upgrade(databases.owner_url, MIGRATIONS, "0005")
    with psycopg.connect(databases.owner_url, autocommit=True) as conn:
        conn.execute("INSERT INTO preference VALUES (%s, true, false, 'en', 3)", [person])
        upgrade(databases.owner_url, MIGRATIONS)
        assert set(conn.execute("SELECT topic, key FROM outbox").fetchall()) == {(PREFERENCES.name, str(person))}
        conn.execute("INSERT INTO preference VALUES (%s, NULL, NULL, 2)", [erased])
        downgrade(databases.owner_url, MIGRATIONS, "0005")
        assert conn.execute("SELECT person_id FROM preference").fetchall() == [(person,)]
        assert conn.execute("SELECT count(*) FROM outbox").fetchone() == (0,)
    downgrade(databases.owner_url, MIGRATIONS, "base")
    postgres.drop_database(databases)
