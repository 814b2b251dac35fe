"""What is answered when a page can't be shown: sign in first, not for you, not here, refused, or away."""

from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from booking_client import Refused, Unanswered, Unexpected
from booking_client.problems import Unauthorized
from booking_gateway.pages.page import here, page
from booking_gateway.signin.viewer import SignInNeeded, WrongRole
from booking_gateway.words.sayings import AWAY, REFUSALS, UNKNOWN
from booking_gateway.words.words import words_of

log = structlog.get_logger(__name__)


def install(app: FastAPI) -> None:
    """Handlers for all that routes let out."""
    app.add_exception_handler(SignInNeeded, _sign_in)
    app.add_exception_handler(WrongRole, _wrong_role)
    app.add_exception_handler(Unauthorized, _ended)
    app.add_exception_handler(Refused, _of_a_service)
    app.add_exception_handler(Unanswered, _away)
    app.add_exception_handler(Unexpected, _away)
    app.add_exception_handler(RequestValidationError, _no_such_page)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _broken)


async def _sign_in(request: Request, _: Exception) -> Response:
    """A page asked for is shown after signing in; a form that was sent is kept until it can be sent again."""
    if request.method in ("GET", "HEAD"):
        return RedirectResponse(f"/sign-in?next={quote(here(request), safe='/')}", 303)
    fields = [(name, value) for name, value in (await request.form()).multi_items() if isinstance(value, str)]
    return page(request, "expired.html", fields=fields, status=401)


async def _ended(request: Request, error: Exception) -> Response:
    """The services don't take the token any more: the identity provider has changed its keys, or its mind."""
    request.state.session = None
    return await _sign_in(request, error)


async def _of_a_service(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    if error.status == 503:
        return await _away(request, error)
    return _refused(request, error.status, REFUSALS.get(error.code, UNKNOWN))


async def _away(request: Request, error: Exception) -> Response:
    log.warning("a service is away", what=str(error), request_id=request.state.request_id)
    return _refused(request, 503, AWAY, back=request.url.path if request.method == "GET" else "/")


async def _wrong_role(request: Request, _: Exception) -> Response:
    return _refused(request, 403, REFUSALS["forbidden"])


async def _no_such_page(request: Request, error: Exception) -> Response:
    """An address whose ids are none, or a form that is none of ours."""
    assert isinstance(error, RequestValidationError)
    if any(one["loc"][0] == "path" for one in error.errors()):
        return _refused(request, 404, REFUSALS["not_found"])
    return _refused(request, 422, UNKNOWN)


async def _http(request: Request, error: Exception) -> Response:
    """Where forms are sent there is no page: who asks for one, by reloading or from history, gets the one above."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405 and request.method == "GET":
        return RedirectResponse(request.url.path.rpartition("/")[0] or "/", 303)
    return _refused(request, status, REFUSALS["not_found"] if status == 404 else UNKNOWN)


async def _broken(request: Request, _: Exception) -> Response:
    return _refused(request, 500, UNKNOWN)


def _refused(request: Request, status: int, message: str, back: str = "/") -> Response:
    words = words_of(request)
    return page(
        request, "refused.html", title=words.text("This page can't be shown"), message=words.text(message), back=back,
        status=status,
    )  # fmt: skip
