"""The database as a deployment meets it: migrations both ways, and what the run-time role may not do (T25)."""

import psycopg
import pytest

from booking_process.migrations import downgrade, upgrade

pytestmark = pytest.mark.servers

MIGRATIONS = "calendar_projector:migrations"


def test_migrations_go_up_down_and_up_again(postgres):
    databases = postgres.create_database()
    for _ in range(2):
        upgrade(databases.owner_url, MIGRATIONS)
        with psycopg.connect(databases.app_url) as conn:
            assert conn.execute("SELECT count(*) FROM user_schedule").fetchone() == (0,)
            assert conn.execute("SELECT slot, state FROM generation").fetchall() == [("a", "active")]
        downgrade(databases.owner_url, MIGRATIONS, "base")
        with psycopg.connect(databases.owner_url) as conn:
            tables = (
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"
            )
            assert conn.execute(tables).fetchall() == [("alembic_version",)]
    postgres.drop_database(databases)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE user_schedule_a",
        "DELETE FROM generation",
        "UPDATE feed SET person_id = id",
        "TRUNCATE projection_position",
        "DELETE FROM inbox",
        "CREATE TABLE mine (id int)",
        "ALTER VIEW user_schedule RENAME TO other",
    ],
)
def test_the_run_time_role_may_not(fresh_database, statement: str):
    with (
        psycopg.connect(fresh_database("calendar").app_url) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        conn.execute(statement.encode())


def test_at_most_one_generation_is_shown_and_one_built(fresh_database):
    insert = "INSERT INTO generation (slot, state, requested_by) VALUES (%s, %s, 'test')"
    with psycopg.connect(fresh_database("calendar").app_url, autocommit=True) as conn:
        conn.execute(insert, ("b", "building"))
        for slot, state in (("b", "active"), ("b", "building"), ("a", "retired")):
            with pytest.raises(psycopg.errors.UniqueViolation):
                conn.execute(insert, (slot, state))
