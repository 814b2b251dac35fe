"""What is sold, and who offers it: the ranked practitioners with the reasons for their rank."""

import asyncio
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from booking_gateway.calls.calls import Calls
from booking_gateway.pages.forms import Form
from booking_gateway.pages.page import page
from booking_gateway.signin.viewer import Member

router = APIRouter()
_ALL = 200


@router.get("/services")
async def list_services(request: Request, _: Member, calls: Calls) -> Response:
    """All services that are sold now."""
    products = await calls.read(lambda call: call.list_products(active=True, limit=_ALL).first())
    return page(request, "services.html", products=products.body["items"])


@router.get("/services/{product_id}")
async def read_service(request: Request, product_id: UUID, _: Member, calls: Calls) -> Response:
    """Who offers a service, the first in rank first; each with a form that buys."""
    return await offered(request, product_id, calls, Form())


async def offered(request: Request, product_id: UUID, calls: Calls, form: Form, status: int = 200) -> Response:
    """The page of a service, also after a purchase that was refused."""
    product, ranked = await asyncio.gather(
        calls.read(lambda call: call.get_product(product_id)),
        calls.read(lambda call: call.list_practitioners(product_id=product_id, limit=_ALL).first()),
    )
    practitioners = ranked.body["items"]
    most = {name: max([1, *(int(one[name]) for one in practitioners)]) for name in ("productivity", "activity")} | {
        "completeness": 3
    }
    return page(
        request, "service.html", product=product.body, practitioners=practitioners, most=most, form=form, status=status
    )
