"""What the tables themselves refuse, whoever writes (T25), and that a stream is read by its index."""

import psycopg
import pytest
from psycopg import errors
from shared.store.tests.conftest import Connections
from shared.store.tests.sample.session import Session, append

from booking_store import load

pytestmark = pytest.mark.servers
CHANGES = ["UPDATE events SET type = 'x'", "DELETE FROM events", "TRUNCATE events"]


@pytest.mark.parametrize("change", [*CHANGES, "DROP TABLE events", "ALTER TABLE events DISABLE TRIGGER ALL"])
async def test_runtime_role__may_only_add_and_read(conn, change):
    session = Session()
    await append(conn, session, [session.requested()])
    # PostgreSQL's own words, not the trigger's: the right is missing.
    with pytest.raises(errors.InsufficientPrivilege, match=r"permission denied|must be owner"):
        await conn.execute(change)
    assert len(await load(conn, session.id)) == 1


@pytest.mark.parametrize("change", CHANGES)
async def test_owner__meets_the_trigger(connections: Connections, change):
    conn, owner = await connections.autocommit(), await connections.owner()
    session = Session()
    await append(conn, session, [session.requested()])
    with pytest.raises(errors.InsufficientPrivilege, match="never changed or removed"):
        await owner.execute(change)


async def test_data_over_the_limit__is_refused_by_the_table_too(conn):
    insert = (
        "INSERT INTO events (stream_type, stream_id, version, id, type, type_version, data, metadata,"
        " occurred_at, recorded_at) VALUES ('t', uuidv7(), 1, uuidv7(), 'T', 1, %s, '{}', now(), now())"
    )
    await conn.execute(insert, ['"' + "x" * (512 * 1024 - 2) + '"'])
    with pytest.raises(errors.CheckViolation):
        await conn.execute(insert, ['"' + "x" * (512 * 1024 - 1) + '"'])


async def test_stream__is_read_by_its_index(conn: psycopg.AsyncConnection):
    session = Session()
    await append(conn, session, [session.requested()])
    await conn.execute("SET enable_seqscan = off")
    await conn.execute("SET enable_bitmapscan = off")
    plan = await (
        await conn.execute("EXPLAIN SELECT * FROM events WHERE stream_id = %s ORDER BY version", [session.id])
    ).fetchall()
    assert "events_stream_version" in str(plan)
    assert "Sort" not in str(plan)
