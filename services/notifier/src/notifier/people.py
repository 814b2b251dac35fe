"""Who people are, as the directory tells, and by which channels they want to be told (N2)."""

from collections.abc import Callable
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, StrictBool

from booking_contracts.topics import CONTACTS, PRACTITIONERS, PREFERENCES
from booking_outbox import StateTopic
from booking_people.copies import Copy, People
from booking_process.database import Database
from booking_web.auth import Caller
from booking_web.conditions import Conditions
from booking_web.consistency import stamp
from booking_web.idempotency import Written
from booking_web.problems import Problem, forbidden, problem_responses
from booking_web.writes import WriteCall
from notifier.ledger.store import widen_timers

PEOPLE = People(
    "erased",
    copies=(
        Copy(PRACTITIONERS, "practitioner", ("name", "timezone")),
        Copy(CONTACTS, "contact", ("name", "email", "phone", "locale", "timezone")),
    ),
    key="'person:' || %(person)s::text, 0",
)

# A change of a person's row and its mark for the topic are one statement: neither exists without the other.
CHOOSE: LiteralString = """
WITH changed AS (
    INSERT INTO preference AS p (person_id, email, whatsapp, version)
    VALUES (%(person)s, %(email)s, %(whatsapp)s, 1)
    ON CONFLICT (person_id) DO UPDATE SET
        email = excluded.email, whatsapp = excluded.whatsapp, version = p.version + 1, updated_at = clock_timestamp()
    RETURNING p.person_id)
INSERT INTO outbox (topic, key) SELECT 'booking.notifier.preferences.v1', person_id::text FROM changed"""

# An erased person's row stays, empty, with its version, which never restarts: the topic's tombstone (E4).
FORGET: LiteralString = """
WITH changed AS (
    UPDATE preference p SET email = NULL, whatsapp = NULL, version = p.version + 1, updated_at = clock_timestamp()
    WHERE p.person_id = %(person)s AND p.email IS NOT NULL
    RETURNING p.person_id)
INSERT INTO outbox (topic, key) SELECT 'booking.notifier.preferences.v1', person_id::text FROM changed"""

PUBLISHED = StateTopic(
    PREFERENCES,
    """SELECT person_id::text AS key, version::bigint AS version, updated_at AS occurred_at,
              CASE WHEN email IS NOT NULL THEN json_build_object('person_id', person_id, 'email', email,
                  'whatsapp', whatsapp)::text END AS value
       FROM preference WHERE person_id = ANY(%(keys)s::text[]::uuid[])""",
    all_keys="SELECT person_id::text AS key FROM preference",
)


def _erased() -> Problem:
    # Made anew for each answer: an exception that is raised again keeps the frames of every time before.
    return forbidden("person_erased", "This person was erased; nothing is written again.")


class Channels(BaseModel, title="NotificationChannels"):
    """Which channels a person wants."""

    model_config = ConfigDict(extra="forbid")
    email: StrictBool
    whatsapp: StrictBool


class NewPreferences(BaseModel, title="PreferencesChoice"):
    """What a person chooses."""

    model_config = ConfigDict(extra="forbid")
    channels: Channels


class PreferencesNow(NewPreferences, title="Preferences"):
    """What holds for a person; version 0 until they have chosen."""

    model_config = ConfigDict(extra="ignore")
    version: int


def router(database: Database, committed: Callable[[], None]) -> APIRouter:
    """The routes of `/v1/preferences`."""
    routes = APIRouter(prefix="/v1/preferences", tags=["preferences"])

    @routes.get("", response_model=PreferencesNow, responses=problem_responses(401, 429, 503))
    async def get_preferences(caller: Caller, response: Response) -> Any:
        """The caller's preferences, or what holds without any."""
        async with database.autocommit() as conn:
            now = await _now(conn, caller.sub)
        return _stamped(response, caller.sub, now)

    @routes.put("", response_model=PreferencesNow, responses=problem_responses(401, _erased(), 412, 422, 429, 503))
    async def put_preferences(chosen: NewPreferences, caller: Caller, call: WriteCall) -> Any:
        """Choose channels; holds for every message that leaves from now on."""

        async def change(conn: psycopg.AsyncConnection) -> Written:
            await _write(conn, caller.sub, chosen, call.conditions)
            now = await _now(conn, caller.sub)
            return Written(200, caller.sub, now.version, now)

        written, _ = await call.idempotency.once(database, change)
        committed()
        answer = written.body(PreferencesNow)
        if answer is None:  # an answer that was not kept
            async with database.autocommit() as conn:
                answer = await _now(conn, caller.sub)
        return _stamped(call.response, caller.sub, answer)

    return routes


def _stamped(response: Response, person_id: UUID, now: PreferencesNow) -> PreferencesNow:
    stamp(response, "notifier", "preferences", person_id, now.version)
    return now


async def _write(
    conn: psycopg.AsyncConnection, person_id: UUID, chosen: NewPreferences, conditions: Conditions
) -> None:
    await PEOPLE.lock(conn, person_id)
    if await PEOPLE.is_erased(conn, person_id):
        raise _erased()
    conditions.check((await _now(conn, person_id)).version)
    wanted = chosen.channels.model_dump()
    await conn.execute(CHOOSE, {"person": person_id, **wanted})
    await widen_timers(conn, person_id, [channel for channel, is_on in wanted.items() if is_on])


async def _now(conn: psycopg.AsyncConnection, person_id: UUID) -> PreferencesNow:
    cursor = await conn.execute(
        "SELECT email, whatsapp, version FROM preference WHERE person_id = %s AND email IS NOT NULL", [person_id]
    )
    email, whatsapp, version = await cursor.fetchone() or (True, True, 0)
    return PreferencesNow(channels=Channels(email=email, whatsapp=whatsapp), version=version)
