"""`GET /live`: what changes of what its viewer may see, as server-sent events: types and ids.

It is open as long as the access token is good; then the browser opens it again and has that renewed, or is refused.
"""

import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from booking_gateway.live.hub import Hub, messages
from booking_gateway.signin.session import Session
from booking_gateway.signin.viewer import SignInNeeded, signed_in

router = APIRouter()
_RETRY_MS = 1000
_LEAST = 5.0


async def _viewer(request: Request) -> Session | None:
    """Nobody is sent to sign in here: a page asks, not a person."""
    try:
        return await signed_in(request)
    except SignInNeeded:
        return None


@router.get("/live")
async def read_live(
    request: Request,
    viewer: Annotated[Session | None, Depends(_viewer)],
    since: int = 0,
    last_event_id: Annotated[int | None, Header()] = None,
) -> Response:
    """Changes from a place on: that of the page, or of the last message. 401 for who is not signed in, 429 for too
    many open streams."""
    hub: Hub = request.app.state.live
    if viewer is None:
        return PlainTextResponse("Sign in first.", 401)
    if not hub.has_room(viewer):
        return PlainTextResponse("Too many pages follow changes.", 429)
    place = since if last_event_id is None else last_event_id
    until = min(max(viewer.expires, time.time() + _LEAST), viewer.until)

    async def sent() -> AsyncIterator[str]:
        yield f"retry: {_RETRY_MS}\n\n"
        with hub.open(viewer, place) as stream:
            async for at, text in messages(stream, hub, until):
                yield f"id: {at}\ndata: {text}\n\n"

    return StreamingResponse(sent(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
