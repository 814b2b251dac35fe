"""The practitioner's profile as clients see it, with what completeness still lacks; own figures and places."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Form as Posting
from starlette.responses import RedirectResponse, Response

from booking_client import Refused, models
from booking_contracts.zones import known_zones
from booking_gateway.calls.calls import Calls
from booking_gateway.pages.forms import Form, Posted, Text, refused
from booking_gateway.pages.page import page
from booking_gateway.signin.session import Session
from booking_gateway.signin.viewer import Practitioner

router = APIRouter()
COUNTED = ("photo_url", "bio", "profession")
"""What completeness counts (L1)."""
_FIELDS = ("name", "profession", "bio", "photo_url", "timezone", "phone", "email")


@router.get("/practice")
async def read_practice(request: Request, viewer: Practitioner, calls: Calls) -> Response:
    """The profile; who has none yet is told that an administrator makes it."""
    return await _shown(request, viewer, calls, None)


class ProfileForm(Posted):
    """The fields as they are typed; `version` is that of the profile as the form showed it."""

    version: Text
    name: Text = ""
    profession: Text = ""
    bio: Text = ""
    photo_url: Text = ""
    timezone: Text = ""
    phone: Text = ""
    email: Text = ""

    def body(self) -> models.PractitionerChange:
        """What the service is sent: an empty field takes away what was there."""
        return {
            "name": self.name,
            "profession": self.profession or None,
            "bio": self.bio or None,
            "photo_url": self.photo_url or None,
            "timezone": self.timezone,
            "phone": self.phone or None,
            "email": self.email or None,
        }


@router.post("/practice")
async def change_practice(
    request: Request, viewer: Practitioner, calls: Calls, form: Annotated[ProfileForm, Posting()]
) -> Response:
    """Change it, unless somebody has changed it since the form was opened."""
    try:
        await calls.do.put_practitioner(viewer.sub, form.body(), if_match=form.version, idempotency_key=form.key)
    except Refused as refusal:
        return await _shown(request, viewer, calls, refused(form.typed(), refusal), status=refusal.status)
    return RedirectResponse("/practice", 303)


async def _shown(request: Request, viewer: Session, calls: Calls, form: Form | None, status: int = 200) -> Response:
    try:
        answer, standing = await asyncio.gather(
            calls.read(lambda call: call.get_practitioner(viewer.sub)),
            calls.read(lambda call: call.get_practitioner_standing(viewer.sub)),
        )
    except Refused as refusal:
        if refusal.code != "not_found":
            raise
        return page(request, "no_practice.html")
    told = answer.body
    return page(
        request,
        "practice.html",
        profile=told,
        standing=standing.body,
        lacking=[name for name in COUNTED if not told.get(name)],
        version=answer.etag,
        form=form or Form({name: str(told.get(name) or "") for name in _FIELDS}),
        zones=sorted(known_zones()),
        status=status,
    )
