"""Erasing a person, and the proof: what each service shows of them since."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi import Form as Posting
from starlette.responses import RedirectResponse, Response

from booking_client import Refused, Unanswered, Unexpected
from booking_gateway.calls.calls import Calls
from booking_gateway.pages.forms import Form, Posted, Text
from booking_gateway.pages.page import page
from booking_gateway.signin.viewer import Admin
from booking_gateway.words.translations import mark as _

router = APIRouter()
_MOST = 200
_HALF_A_RANGE = timedelta(days=199)
NO_ID = _("This is no id: it looks like 0198d2a0-4444-7000-8000-000000000004.")
NOT_THE_SAME = _("This is not the same id. Please type it once more.")


@dataclass(frozen=True, slots=True)
class Proof:
    """What a service tells of a person: how many things are theirs, and how many still show who they are.

    `things` is None where the service does not answer. At most the newest 200 of a kind are looked at.
    """

    service: str
    things: int | None
    telling: int = 0


class ErasureForm(Posted):
    """The id, typed twice."""

    person_id: Text = ""
    again: Text = ""


@router.get("/admin/operations/erasures")
async def read_erasures(request: Request, _: Admin) -> Response:
    """The form to erase somebody, or to look up how far it is."""
    return page(request, "admin_erasures.html", form=Form())


@router.get("/admin/operations/erasures/of")
async def find_erasure(person_id: UUID, _: Admin) -> Response:
    """The erasure of whoever has this id."""
    return RedirectResponse(f"/admin/operations/erasures/{person_id}", 303)


@router.post("/admin/operations/erasures")
async def erase(request: Request, _: Admin, calls: Calls, form: Annotated[ErasureForm, Posting()]) -> Response:
    """Erase them in every service. It can't be taken back."""
    person, wrong = _person(form.person_id), {}
    if person is None:
        wrong = {"person_id": NO_ID}
    elif _person(form.again) != person:
        wrong = {"again": NOT_THE_SAME}
    if person is None or wrong:
        again = Form(form.typed(), wrong, next(iter(wrong.values())))
        return page(request, "admin_erasures.html", form=again, status=422)
    await calls.operate.put_erasure(person)
    return RedirectResponse(f"/admin/operations/erasures/{person}", 303)


def _person(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@router.get("/admin/operations/erasures/{person_id}")
async def read_erasure(request: Request, person_id: UUID, _: Admin, calls: Calls) -> Response:
    """When they were erased, and what each service shows of them now."""
    erasure = await calls.look.get_erasure(person_id)
    proofs = await asyncio.gather(
        _proof("checkout", lambda: _orders(calls, person_id)),
        _proof("consultation", lambda: _sessions(calls, person_id)),
        _proof("notifier", lambda: _messages(calls, person_id)),
        _proof("calendar", lambda: _events(calls, person_id)),
    )
    return page(request, "admin_erasure.html", erasure=erasure.body, proofs=proofs)


async def _proof(service: str, look: Callable[[], Awaitable[list[bool]]]) -> Proof:
    try:
        found = await look()
    except (Unanswered, Unexpected):
        return Proof(service, None)
    except Refused as refusal:
        if refusal.status != 503:
            raise
        return Proof(service, None)
    return Proof(service, len(found), sum(found))


async def _orders(calls: Calls, person: UUID) -> list[bool]:
    """Of each order whether it shows their name; a profile of theirs does."""
    found, profiles = await asyncio.gather(
        calls.read(lambda call: call.list_transactions(user_id=person, limit=_MOST).first()),
        calls.read(lambda call: call.list_practitioner_directory(ids=[person]).first()),
    )
    return [one["member_name"] is not None for one in found.body["items"]] + [True for _ in profiles.body["items"]]


async def _sessions(calls: Calls, person: UUID) -> list[bool]:
    """Of each session, of whichever side they are, whether it shows their name."""
    bought, held = await asyncio.gather(
        calls.read(lambda call: call.list_sessions(user_id=person, limit=_MOST).first()),
        calls.read(lambda call: call.list_sessions(practitioner_id=person, limit=_MOST).first()),
    )
    return [one["member_name"] is not None for one in bought.body["items"]] + [
        one["practitioner_name"] is not None for one in held.body["items"]
    ]


async def _messages(calls: Calls, person: UUID) -> list[bool]:
    """Of each message whether it still waits to be sent to them."""
    found = await calls.read(lambda call: call.list_notifications(recipient_id=str(person), limit=_MOST).first())
    return [one["status"] in ("pending", "sending") for one in found.body["items"]]


async def _events(calls: Calls, person: UUID) -> list[bool]:
    """Of each entry of the calendar, half a year either way, whether it shows their name."""
    now = datetime.now(UTC)
    start, end = (now - _HALF_A_RANGE).isoformat(), (now + _HALF_A_RANGE).isoformat()
    found = await calls.read(lambda call: call.list_calendar_events(start=start, end=end, user_id=person).first())
    return [one["member_name"] is not None for one in found.body["items"]]
