"""The first page, which is another for each role, and the choice of a language."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from booking_gateway.pages.page import page
from booking_gateway.signin.http import ours
from booking_gateway.words.language import LOCALES

router = APIRouter()
_FIRST = (("practitioner", "/waiting"), ("member", "/services"), ("admin", "/admin/orders"))
_YEAR = 365 * 24 * 3600


@router.get("/")
async def read_front(request: Request) -> Response:
    """Where somebody's work is; for who is not signed in, what this is."""
    session = request.state.session
    if session is None:
        return page(request, "welcome.html")
    first = (one for role, one in _FIRST if role in session.roles)
    return RedirectResponse(next(first, "/profile"), 303)


@router.get("/signed-in")
async def read_signed_in(request: Request) -> Response:
    """The end of a sign-in in a second window."""
    return page(request, "signed_in.html")


@router.post("/language")
async def choose_language(
    request: Request, locale: Annotated[str, Form()], back: Annotated[str, Form()] = "/"
) -> Response:
    """The language of this browser. Who is signed in has one of their own, on their profile."""
    if locale in LOCALES:
        manners = "; Secure" if request.app.state.settings.secure else ""
        line = f"language={locale}; Path=/; Max-Age={_YEAR}; HttpOnly; SameSite=Lax{manners}"
        request.state.set_cookies.append(line)
    return RedirectResponse(ours(back), 303)
