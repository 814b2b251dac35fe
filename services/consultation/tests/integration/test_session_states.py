"""Each session as it is now, as its state topic tells it: in step with what the API shows; no word, no link."""

from datetime import datetime
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from services.consultation.tests.integration.test_session_flow import COMMANDS
from services.consultation.tests.rig import DRIVE, MEET, Rig
from tests.plugins.servers import PostgresServer

from booking_contracts.sessions import SessionState
from booking_contracts.topics import SESSION_STATES
from booking_process.migrations import downgrade, upgrade
from consultation.sessions.published import STATES

pytestmark = pytest.mark.servers
MIGRATIONS = "consultation:migrations"
OTHERWISE_NAMED = {"session_id": "id"}
TOLD_HERE_ALONE = {"auto_start", "meeting_host", "closed_at", "result_id", "has_link", "has_notes"}


async def state_of(rig: Rig, session_id: str) -> tuple[dict[str, Any], SessionState]:
    """The columns that the relay makes a record of, and the record's value; a field that the type lacks is refused."""
    async with rig.service.database.autocommit() as conn:
        cursor = conn.cursor(row_factory=dict_row)
        await cursor.execute(STATES.query, {"keys": [session_id]})
        (found,) = await cursor.fetchall()
    return found, SessionState.model_validate_json(found["value"])


@pytest.mark.parametrize("commands", [[], *COMMANDS.values()], ids=["request", *COMMANDS])
async def test_state__is_the_session_as_the_api_shows_it(rig: Rig, commands: list[Any]):
    """E4: without names, words and links."""
    sold = await rig.sell()
    id_ = (await rig.requested(sold))["id"]
    path, version = f"/v1/sessions/{id_}", 1
    people = {"member": rig.member_of(sold), "practitioner": rig.practitioner_of(sold), "admin": rig.admin()}
    for who, method, below, body in commands:
        condition = {"If_Match": f'"{version}"'} if method == "PUT" else {}
        answer = await people[who].call(method, path + below, body, **condition)
        assert answer.status_code == 200, answer.text
        version = answer.json()["version"]
    shown = (await people["admin"].get(path)).json()
    history = (await people["admin"].get(f"{path}/history")).json()["items"]
    row, state = await state_of(rig, id_)
    told = state.model_dump(mode="json")
    assert {name: told[name] for name in told if name not in TOLD_HERE_ALONE} == {
        name: shown[OTHERWISE_NAMED.get(name, name)] for name in told if name not in TOLD_HERE_ALONE
    }
    ends = [i["occurred_at"] for i in history if i["type"] in {"ResultUploaded", "SessionCanceled", "SessionFailed"}]
    assert told["closed_at"] == (ends[-1] if ends else None)
    assert told["meeting_host"] == (shown["meeting_link"] and "meet.google.com")
    assert (state.has_link, state.has_notes) == (shown["result_link"] is not None, shown["result_notes"] is not None)
    for text in (MEET, DRIVE, "Bagus", "Berhalangan", "Gagal"):
        assert text not in row["value"]
    assert (row["version"], row["actor"]) == (shown["version"], history[0]["actor"])
    assert row["occurred_at"] == datetime.fromisoformat(history[0]["occurred_at"])
    last = await rig.rows("SELECT id::text FROM events WHERE stream_id = %s ORDER BY version DESC LIMIT 1", id_)
    assert last == [(row["causation_id"],)]


def test_sessions_of_before__are_marked_for_their_topic(postgres: PostgresServer):
    """The topic begins whole, also with what a copy of the release before wrote."""
    databases = postgres.create_database()
    upgrade(databases.owner_url, MIGRATIONS, "0010")
    with psycopg.connect(databases.owner_url, autocommit=True) as conn:
        ids = conn.execute(
            "INSERT INTO feedback_session (id, practitioner_id, user_id, status, transaction_id, kind, auto_start,"
            " requested_at, respond_by, schedule_version, version, updated_at)"
            " SELECT uuidv7(), uuidv7(), uuidv7(), 'pending_negotiation', uuidv7(), 'counseling', false, now(), now(),"
            " 0, 1, now() FROM generate_series(1, 3) RETURNING id::text"
        ).fetchall()
        upgrade(databases.owner_url, MIGRATIONS)
        marks = conn.execute("SELECT key FROM outbox WHERE topic = %s ORDER BY key", [SESSION_STATES.name]).fetchall()
        assert marks == sorted(ids)
        downgrade(databases.owner_url, MIGRATIONS, "0010")
        assert conn.execute("SELECT count(*) FROM outbox").fetchone() == (0,)
    postgres.drop_database(databases)
