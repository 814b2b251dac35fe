"""What a person wants: by which channels and in which language (N2)."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, StrictBool

from booking_process.database import Database
from booking_web.auth import Caller
from booking_web.conditions import Conditions, Preconditions
from booking_web.consistency import stamp
from booking_web.idempotency import Idempotency, Written
from booking_web.languages import Language
from booking_web.problems import Problem, forbidden, problem_responses
from notifier.ledger.store import widen_timers
from notifier.people import CHOOSE, PEOPLE, preferences_of
from notifier.rules.delivery import language


def _erased() -> Problem:
    # Made anew for each answer: an exception that is raised again keeps the frames of every time before.
    return forbidden("person_erased", "This person was erased; nothing is written again.")


class Channels(BaseModel):
    """Which channels a person wants."""

    model_config = ConfigDict(extra="forbid")
    email: StrictBool
    whatsapp: StrictBool


class NewPreferences(BaseModel):
    """What a person chooses."""

    model_config = ConfigDict(extra="forbid")
    channels: Channels
    language: Language


class PreferencesNow(NewPreferences):
    """What holds for a person; version 0 until they have chosen."""

    model_config = ConfigDict(extra="ignore")
    version: int


def router(database: Database, committed: Callable[[], None]) -> APIRouter:
    """The routes of `/v1/preferences`."""
    routes = APIRouter(prefix="/v1/preferences", tags=["preferences"])

    @routes.get("", response_model=PreferencesNow, responses=problem_responses(401, 429, 503))
    async def read_preferences(caller: Caller, response: Response) -> Any:
        """The caller's preferences, or what holds without any."""
        async with database.autocommit() as conn:
            now = await _now(conn, caller.sub)
        return _stamped(response, caller.sub, now)

    @routes.put("", response_model=PreferencesNow, responses=problem_responses(401, _erased(), 412, 422, 429, 503))
    async def write_preferences(
        chosen: NewPreferences, caller: Caller, response: Response, idempotency: Idempotency, conditions: Preconditions
    ) -> Any:
        """Choose channels and language; holds for every message that leaves from now on."""

        async def change(conn: psycopg.AsyncConnection) -> Written:
            await _write(conn, caller.sub, chosen, conditions)
            now = await _now(conn, caller.sub)
            return Written(200, caller.sub, now.version, now)

        written, _ = await idempotency.once(database, change)
        committed()
        answer = written.body(PreferencesNow)
        if answer is None:  # an answer that was not kept
            async with database.autocommit() as conn:
                answer = await _now(conn, caller.sub)
        return _stamped(response, caller.sub, answer)

    return routes


def _stamped(response: Response, person_id: UUID, now: PreferencesNow) -> PreferencesNow:
    # Until a person has chosen, the language is the directory's, which changes without a version here.
    stamp(response, "notifier", "preferences", person_id, now.version, now)
    return now


async def _write(
    conn: psycopg.AsyncConnection, person_id: UUID, chosen: NewPreferences, conditions: Conditions
) -> None:
    await PEOPLE.lock(conn, person_id)
    if await PEOPLE.is_erased(conn, person_id):
        raise _erased()
    conditions.check((await _now(conn, person_id)).version)
    wanted = chosen.channels.model_dump()
    await conn.execute(CHOOSE, {"person": person_id, **wanted, "language": chosen.language})
    await widen_timers(conn, person_id, [channel for channel, is_on in wanted.items() if is_on])


async def _now(conn: psycopg.AsyncConnection, person_id: UUID) -> PreferencesNow:
    chosen = "SELECT version FROM preference WHERE person_id = %s AND language IS NOT NULL"
    cursor = await conn.execute(chosen, [person_id])
    row = await cursor.fetchone()
    preferences, locale = (await preferences_of(conn, {str(person_id)}))[str(person_id)]
    return PreferencesNow(
        channels=Channels(email=preferences.email, whatsapp=preferences.whatsapp),
        language=language(preferences, locale),
        version=row[0] if row else 0,
    )
