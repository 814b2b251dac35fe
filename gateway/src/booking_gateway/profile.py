"""One's own contact data, language, zone and channels. The language and the zone of pages follow them at once."""

import asyncio
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Form as Posting
from starlette.responses import RedirectResponse, Response

from booking_client import Refused, models
from booking_contracts.zones import known_zones
from booking_gateway.calls.calls import Calls
from booking_gateway.pages.forms import Form, Posted, Text, refused
from booking_gateway.pages.page import page
from booking_gateway.signin.viewer import Viewer

router = APIRouter()
_FIELDS = ("name", "email", "phone", "locale", "timezone")


@router.get("/profile")
async def read_profile(request: Request, viewer: Viewer, calls: Calls) -> Response:
    """The form with what is known."""
    del viewer
    return await _shown(request, calls, None)


class ContactForm(Posted):
    """The fields as they are typed; `version` is that of the contact data as the form showed them."""

    version: Text
    name: Text = ""
    email: Text = ""
    phone: Text = ""
    locale: Text = ""
    timezone: Text = ""
    by_email: Text = ""
    by_whatsapp: Text = ""

    def body(self) -> models.ContactChange:
        """What checkout is sent: an empty field takes away what was there."""
        return {
            "name": self.name or None,
            "email": self.email or None,
            "phone": self.phone or None,
            "locale": self.locale,
            "timezone": self.timezone,
        }


@router.post("/profile")
async def change_profile(
    request: Request, viewer: Viewer, calls: Calls, form: Annotated[ContactForm, Posting()]
) -> Response:
    """Contact data first, which can be refused, then the channels."""
    channels: models.NotificationChannels = {"email": bool(form.by_email), "whatsapp": bool(form.by_whatsapp)}
    try:
        changed = await calls.do.put_me(form.body(), if_match=form.version, idempotency_key=form.key)
        await calls.do.put_preferences({"channels": channels}, idempotency_key=form.key)
    except Refused as refusal:
        return await _shown(request, calls, refused(form.typed(), refusal), status=refusal.status)
    request.state.session = replace(
        viewer,
        name=changed.body["name"] or "",
        locale=changed.body["locale"],
        timezone=changed.body["timezone"],
    )
    return RedirectResponse("/profile", 303)


async def _shown(request: Request, calls: Calls, form: Form | None, status: int = 200) -> Response:
    contact, preferences = await asyncio.gather(
        calls.read(lambda call: call.get_me()), calls.read(lambda call: call.get_preferences())
    )
    channels = preferences.body["channels"]
    given = {name: str(contact.body.get(name) or "") for name in _FIELDS}
    given |= {"by_email": "1" if channels["email"] else "", "by_whatsapp": "1" if channels["whatsapp"] else ""}
    return page(
        request,
        "profile.html",
        version=contact.etag,
        form=form or Form(given),
        zones=sorted(known_zones()),
        status=status,
    )
