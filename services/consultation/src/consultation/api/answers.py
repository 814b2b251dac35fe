"""From what a handler did to what goes out: the view, its version as ETag and token, the first answer to a twin."""

from uuid import UUID

from fastapi import Response
from pydantic import BaseModel

from booking_store import Cause, Connection, FreeText, Outcome
from booking_web.consistency import stamp
from booking_web.context import Context
from booking_web.principal import Principal
from consultation import reading
from consultation.api.models import SessionOut
from consultation.desk import SERVICE
from consultation.orders import Person
from consultation.session.state import NotRequested, State


def person_of(caller: Principal) -> Person:
    """The caller as the domain knows people."""
    return Person(caller.sub, caller.roles)


def cause_of(context: Context) -> Cause:
    """Where the command came from, for the envelopes of its events; the command itself says who gives it."""
    return Cause("system", context.correlation_id, context.request_id, context.traceparent)


async def row_after(conn: Connection, outcome: Outcome[State], text: FreeText | None = None) -> reading.Row:
    """The session as the command left it; for a repeated request as the first one left it."""
    if outcome.replay is not None:
        assert outcome.replay.object_id is not None
        assert outcome.replay.version is not None
        return await reading.at_version(conn, outcome.replay.object_id, outcome.replay.version)
    assert not isinstance(outcome.state, NotRequested)
    text = text if outcome.changed else None
    return await reading.after(conn, outcome.state, outcome.version, outcome.began_at, text)


def shown(response: Response, row: reading.Row, reader: UUID | None) -> SessionOut:
    """The session's view for that person, with its version on the answer."""
    view = SessionOut.of(row, reader)
    stamp_session(response, view.id, view.version, view)
    return view


def stamp_session(response: Response, session_id: UUID, version: int, shown: BaseModel) -> None:
    """ETag and Consistency-Token of a session. Its body has names and words that change without its stream."""
    stamp(response, SERVICE, "session", session_id, version, shown)
