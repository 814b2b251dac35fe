"""A session's page: how it is now, its story, and the forms that its `allowed_commands` name."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from booking_contracts.zones import known_zones
from booking_gateway.calls.calls import Calls
from booking_gateway.pages.forms import Form
from booking_gateway.pages.page import page
from booking_gateway.signin.session import Session
from booking_gateway.words.words import words_of

_SCHEDULE = ("scheduled_date", "time_start", "time_end", "timezone", "meeting_link")
_STORY = 200


async def shown(
    request: Request,
    session_id: UUID,
    viewer: Session,
    calls: Calls,
    forms: Mapping[str, Form] | None = None,
    *,
    given: Mapping[str, str] | None = None,
    said: Form | None = None,
    conflicts: list[Any] | None = None,
    version: str = "",
    status: int = 200,
) -> Response:
    """The page. `forms` are those that were refused, as they were typed; the others hold what is so now.

    `given` is what the schedule's form has instead of what is so now.

    `version` is that of a schedule's form that was refused for another reason than being stale: it keeps the one that
    it was made of. Who is told that it is stale sees how things are now, and decides on that.
    """
    answer, story = await asyncio.gather(
        calls.read(lambda call: call.get_session(session_id)),
        calls.read(lambda call: call.list_session_history(session_id, limit=_STORY).first()),
    )
    session = answer.body
    zone = session["timezone"] or words_of(request).zone.key
    held = {name: str(session.get(name) or "") for name in _SCHEDULE} | {"timezone": zone} | dict(given or {})
    result = {name: str(session.get(name) or "") for name in ("result_link", "result_notes")}
    messages = [one.message for one in (said, *(forms or {}).values()) if one is not None]
    fresh = {"schedule": Form(held), "result": Form(result), "cancel": Form()}
    people = {
        f"member:{session['user_id']}": session["member_name"],
        f"practitioner:{session['practitioner_id']}": session["practitioner_name"],
    }
    return page(
        request,
        "session.html",
        session=session,
        version=version or answer.etag,
        story=story.body["items"],
        people=people,
        practising=viewer.sub == session["practitioner_id"],
        may=set(session["allowed_commands"]),
        forms_of={**fresh, **(forms or {})},
        messages=messages,
        conflicts=conflicts or [],
        zones=sorted(known_zones()),
        status=status,
    )
