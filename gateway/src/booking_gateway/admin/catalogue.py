"""What is sold and who offers it: lists, and a form for one, new or there already."""

import uuid
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi import Form as Posting
from starlette.responses import RedirectResponse, Response

from booking_client import Refused, models
from booking_contracts.zones import known_zones
from booking_gateway.calls.calls import Calls
from booking_gateway.pages.forms import Form, Posted, Text, refused
from booking_gateway.pages.page import page
from booking_gateway.practitioner.practice import ProfileForm
from booking_gateway.signin.viewer import Admin

router = APIRouter()
_ALL = 200


def _number(text: str) -> int:
    """A number as it was typed; what is none goes on as it is, and the service says so beside its field."""
    return int(text) if text.isascii() and text.isdecimal() else cast("int", text)


class ProductForm(Posted):
    """`version` is empty for a new one."""

    version: Text = ""
    name: Text = ""
    kind: Text = "counseling"
    tier: Text = ""
    amount: Text = ""
    duration_minutes: Text = "60"
    payment_ttl_minutes: Text = "1440"
    request_limit_minutes: Text = "10080"
    auto_start: Text = ""
    active: Text = ""

    def body(self) -> models.ProductDefinition:
        """What checkout is sent."""
        return {
            "name": self.name,
            "kind": cast("models.ProductKind", self.kind),
            "tier": self.tier,
            "price": {"amount": _number(self.amount), "currency": "IDR"},
            "duration_minutes": _number(self.duration_minutes),
            "payment_ttl_minutes": _number(self.payment_ttl_minutes),
            "request_limit_minutes": _number(self.request_limit_minutes),
            "auto_start": bool(self.auto_start),
            "active": bool(self.active),
        }


@router.get("/admin/products")
async def list_products(request: Request, _: Admin, calls: Calls) -> Response:
    """All products, also those that are not sold now."""
    found = await calls.read(lambda call: call.list_products(limit=_ALL).first())
    return page(request, "admin_products.html", products=found.body["items"], new=uuid.uuid4())


@router.get("/admin/products/{product_id}")
async def read_product(request: Request, product_id: UUID, _: Admin, calls: Calls) -> Response:
    """One product's form; with an id that nobody has, a new one's."""
    try:
        answer = await calls.read(lambda call: call.get_product(product_id))
    except Refused as refusal:
        if refusal.code != "not_found":
            raise
        return _product(request, product_id, "", Form({**ProductForm(key="").typed(), "active": "1"}))
    told: dict[str, Any] = dict(answer.body)
    values = {name: _text(told.get(name)) for name in ProductForm.model_fields} | {
        "amount": str(told["price"]["amount"])
    }
    return _product(request, product_id, answer.etag or "", Form(values))


@router.post("/admin/products/{product_id}")
async def put_product(
    request: Request, product_id: UUID, _: Admin, calls: Calls, form: Annotated[ProductForm, Posting()]
) -> Response:
    """Make it, or change it unless somebody has changed it meanwhile."""
    condition = {"if_match": form.version} if form.version else {"if_none_match": "*"}
    try:
        await calls.do.put_product(product_id, form.body(), idempotency_key=form.key, **condition)
    except Refused as refusal:
        again = refused(form.typed(), refusal, {"price": "amount"})
        return _product(request, product_id, form.version, again, status=refusal.status)
    return RedirectResponse("/admin/products", 303)


def _product(request: Request, product_id: UUID, version: str, form: Form, status: int = 200) -> Response:
    return page(request, "admin_product.html", id=product_id, version=version, form=form, status=status)


class PractitionerForm(ProfileForm):
    """Practitioners' own fields, and what admins alone set: `tiers` by commas. `version` is empty for a new one."""

    version: Text = ""
    timezone: Text = "Asia/Jakarta"
    tiers: Text = ""
    active: Text = ""

    def body(self) -> models.PractitionerChange:
        """What checkout is sent."""
        return {
            **super().body(),
            "tiers": [tier for one in self.tiers.split(",") if (tier := one.strip())],
            "active": bool(self.active),
        }


@router.get("/admin/practitioners")
async def list_practitioners(
    request: Request, _: Admin, calls: Calls, name: str = "", cursor: str | None = None
) -> Response:
    """All profiles in the order of names, also of who takes no clients; found by the beginnings of names."""
    found = await calls.read(
        lambda call: call.list_practitioner_directory(name=name or None, cursor=cursor, limit=50).first()
    )
    shown = found.body["items"]
    return page(
        request, "admin_practitioners.html", practitioners=shown, cursor=found.body.get("next_cursor"), name=name
    )


@router.get("/admin/practitioners/new")
async def find_practitioner(_: Admin, id: UUID) -> Response:  # noqa: A002 - the word of the form
    """The form of whoever has this id at the identity provider."""
    return RedirectResponse(f"/admin/practitioners/{id}", 303)


@router.get("/admin/practitioners/{practitioner_id}")
async def read_practitioner(request: Request, practitioner_id: UUID, _: Admin, calls: Calls) -> Response:
    """One profile's form; with an id that has none yet, a new one's."""
    try:
        answer = await calls.read(lambda call: call.get_practitioner(practitioner_id))
    except Refused as refusal:
        if refusal.code != "not_found":
            raise
        return _practitioner(request, practitioner_id, "", Form({**PractitionerForm(key="").typed(), "active": "1"}))
    told: dict[str, Any] = dict(answer.body)
    values = {name: _text(told.get(name)) for name in PractitionerForm.model_fields} | {
        "tiers": ", ".join(told["tiers"])
    }
    return _practitioner(request, practitioner_id, answer.etag or "", Form(values))


@router.post("/admin/practitioners/{practitioner_id}")
async def put_practitioner(
    request: Request, practitioner_id: UUID, _: Admin, calls: Calls, form: Annotated[PractitionerForm, Posting()]
) -> Response:
    """Make it, or change it unless somebody has changed it meanwhile."""
    condition = {"if_match": form.version} if form.version else {"if_none_match": "*"}
    try:
        await calls.do.put_practitioner(practitioner_id, form.body(), idempotency_key=form.key, **condition)
    except Refused as refusal:
        again = refused(form.typed(), refusal)
        return _practitioner(request, practitioner_id, form.version, again, status=refusal.status)
    return RedirectResponse("/admin/practitioners", 303)


def _practitioner(request: Request, practitioner_id: UUID, version: str, form: Form, status: int = 200) -> Response:
    zones = sorted(known_zones())
    return page(
        request, "admin_practitioner.html", id=practitioner_id, version=version, form=form, zones=zones, status=status
    )


def _text(value: object) -> str:
    """As a form has it: a box that is ticked is 1."""
    return "1" if value is True else "" if value in (None, False) else str(value)
