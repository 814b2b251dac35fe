"""Everything that a framework may answer, as a problem: 404, 405, 422 and what our code raises."""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import psycopg
import rfc9457
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi_problem.handler import (
    ExceptionHandler,
    new_exception_handler,  # pyright: ignore[reportUnknownVariableType]
)
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from booking_process.database import DatabaseDownError
from booking_process.failures import described
from booking_process.logs import redacted_text
from booking_web.field_errors import errors_of
from booking_web.problems import CODES, CONTENT_TYPE, TYPE_TEMPLATE, Problem, unavailable

log = structlog.get_logger("http")

_MOST_ERRORS = 50
_VICTIMS = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
_IN_A_PATH = "/:@!$&'()*+,;=-._~"


def problem_response(problem: rfc9457.Problem, path: str) -> Response:
    """The answer to a problem outside of the framework's own handlers."""
    content = problem.marshal(uri=TYPE_TEMPLATE) | {"instance": _instance(path)}
    return JSONResponse(content, problem.status, headers={**(problem.headers or {}), "content-type": CONTENT_TYPE})


def install(app: FastAPI, of_domain: Mapping[type[Exception], Callable[[Any], Exception]]) -> None:
    """Makes every error of the application a problem, the domain's as `of_domain` says."""
    domain = {kind: _of_domain(problem) for kind, problem in of_domain.items()}
    handler = new_exception_handler(
        handlers={
            DatabaseDownError: _database_down,
            psycopg.DataError: _data_error,
            **dict.fromkeys(_VICTIMS, _rolled_back),
            **domain,
        },
        http_exception_handler=_http_error,
        request_validation_handler=_validation_error,
        post_hooks=[_with_instance],
        documentation_uri_template=TYPE_TEMPLATE,
    )
    # Last, since the first match wins; without it the library would answer with str(error) (libraries.md, Traps).
    handler.handlers[Exception] = _unhandled  # pyright: ignore[reportUnknownMemberType]
    for kind in (
        rfc9457.Problem,
        HTTPException,
        RequestValidationError,
        DatabaseDownError,
        psycopg.DataError,
        *_VICTIMS,
        *domain,
    ):
        app.add_exception_handler(kind, handler)
    # Exception itself is the edge's: were it registered here, Starlette would answer and raise it again.


def _instance(path: str) -> str:
    """The path as asked for, without what is secret in it (T13): problems are kept by gateways and in bug reports."""
    return quote(redacted_text(path), safe=_IN_A_PATH)


def _with_instance(content: dict[str, Any], request: Request, response: Response) -> tuple[dict[str, Any], Response]:
    content = content | {"instance": _instance(request.scope["path"])}
    response.body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return content, response


def _of_domain(
    problem: Callable[[Any], Exception],
) -> Callable[[ExceptionHandler, Request, Exception], rfc9457.Problem]:
    def made(_handler: ExceptionHandler, _request: Request, error: Exception) -> rfc9457.Problem:
        return cast("rfc9457.Problem", problem(error))

    return made


def _http_error(_handler: ExceptionHandler, _request: Request, error: Exception) -> Problem:
    error = cast("HTTPException", error)
    code = CODES.get(error.status_code, "refused")
    return Problem(error.status_code, code, HTTPStatus(error.status_code).phrase + ".", headers=_headers(error))


def _headers(error: HTTPException) -> dict[str, str] | None:
    return dict(error.headers) if error.headers else None


def _validation_error(_handler: ExceptionHandler, _request: Request, error: Exception) -> Problem:
    error = cast("RequestValidationError", error)
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return Problem(400, "malformed_json", "The body is no JSON.")
    errors = errors_of(found, error.body)[:_MOST_ERRORS]
    return Problem(422, "invalid_request", "Some of the request is not acceptable; see errors.", errors=errors)


def _data_error(_handler: ExceptionHandler, _request: Request, error: Exception) -> Problem:
    # PostgreSQL calls a value impossible that our models let through: the caller's mistake, and a gap of ours to close.
    log.warning("data_error", **described(error))
    return Problem(422, "invalid_value", "A value of the request cannot be stored.")


def _rolled_back(_handler: ExceptionHandler, _request: Request, error: Exception) -> Problem:
    # Nothing was written; writes run again by themselves (idempotency.py, append.py), so this is after many of them.
    log.warning("rolled_back", **described(error))
    return unavailable(detail="Others changed the same at the same moment. Try again.", retry_after=1)


def _database_down(_handler: ExceptionHandler, _request: Request, _error: Exception) -> Problem:
    return unavailable("database_unavailable", "The database is not available. Try again.")


def _unhandled(_handler: ExceptionHandler, _request: Request, _error: Exception) -> Problem:
    return Problem(500, "internal_error", "Something went wrong here. Try again later.")
