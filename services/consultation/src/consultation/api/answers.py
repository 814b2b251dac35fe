"""From what a handler did to what goes out: the view, its version as ETag and token, the first answer to a twin."""

from typing import Any
from uuid import UUID

import psycopg
from fastapi import Response
from pydantic import BaseModel

from booking_store import Remembered
from booking_web.consistency import stamp
from booking_web.context import Context
from booking_web.principal import Principal
from consultation import reading
from consultation.api.models import SessionOut
from consultation.desk import SERVICE
from consultation.handlers import Done
from consultation.orders import Origin, Person

Connection = psycopg.AsyncConnection[Any]


def person_of(caller: Principal) -> Person:
    """The caller as the domain knows people."""
    return Person(caller.sub, caller.roles)


def origin_of(context: Context) -> Origin:
    """Where the command came from, for the envelopes of its events."""
    return Origin(context.correlation_id, context.request_id, context.traceparent)


async def row_after(conn: Connection, outcome: Done | Remembered) -> reading.Row:
    """The session as the command left it; for a repeated request as the first one left it."""
    if isinstance(outcome, Done):
        return await reading.after(conn, outcome.state, outcome.version, outcome.requested_at, outcome.text)
    assert outcome.object_id is not None
    assert outcome.version is not None
    return await reading.at_version(conn, outcome.object_id, outcome.version)


def shown(response: Response, row: reading.Row, reader: UUID | None) -> SessionOut:
    """The session's view for that person, with its version on the answer."""
    view = SessionOut.of(row, reader)
    stamp_session(response, view.id, view.version, view)
    return view


def stamp_session(response: Response, session_id: UUID, version: int, shown: BaseModel) -> None:
    """ETag and Consistency-Token of a session. Its body has names and words that change without its stream."""
    stamp(response, SERVICE, "session", session_id, version, shown)
