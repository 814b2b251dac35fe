"""Everything that goes wrong, as a problem: what the frameworks refuse, what our code raises, what the domain refuses.

A field's refusal has a code and a pointer of our own (docs/api.md, Problems): a model's error types are how pydantic
happens to say it today.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import quote

import psycopg
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from booking_process.database import DatabaseDownError
from booking_process.logs import described, redacted_text
from booking_web.problems import CODES, CONTENT_TYPE, Json, Problem, pointer, unavailable, unprocessable

log = structlog.get_logger("http")

_MOST_ERRORS = 50
_IN_A_PATH = "/:@!$&'()*+,;=-._~"

ProblemOf = Callable[[Any], Exception]
"""What an error is to callers: its Problem."""


def install(app: FastAPI, of_domain: Mapping[type[Exception], ProblemOf] = MappingProxyType({})) -> None:
    """Makes every error of the application a problem, the domain's as `of_domain` says; the nearest kind counts.

    `Exception` itself is the edge's: were it handled here, Starlette would answer and raise it again.
    """
    known: dict[type[Exception], ProblemOf] = {
        Problem: lambda problem: problem,
        HTTPException: _http_error,
        RequestValidationError: _validation_error,
        DatabaseDownError: _database_down,
        psycopg.DataError: _data_error,
        psycopg.errors.DeadlockDetected: _rolled_back,
        psycopg.errors.SerializationFailure: _rolled_back,
        **of_domain,
    }
    for kind, problem_of in known.items():
        app.add_exception_handler(kind, _answering(problem_of))


def _answering(problem_of: ProblemOf) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        return problem_response(cast("Problem", problem_of(error)), request.scope["path"])

    return answer


def problem_response(problem: Problem, path: str) -> Response:
    """The answer to a request of this path."""
    # Without what is secret in it (T13): problems are kept by gateways and in bug reports.
    content = problem.body(quote(redacted_text(path), safe=_IN_A_PATH))
    return JSONResponse(content, problem.status, headers={**(problem.headers or {}), "content-type": CONTENT_TYPE})


def _http_error(error: HTTPException) -> Problem:
    headers = dict(error.headers) if error.headers else None
    code = CODES.get(error.status_code, "refused")
    return Problem(error.status_code, code, HTTPStatus(error.status_code).phrase + ".", headers=headers)


def _validation_error(error: RequestValidationError) -> Problem:
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return Problem(400, "malformed_json", "The body is no JSON.")
    errors = errors_of(found, error.body)[:_MOST_ERRORS]
    return unprocessable("invalid_request", "Some of the request is not acceptable; see errors.", errors=errors)


def _data_error(error: psycopg.DataError) -> Problem:
    # PostgreSQL calls a value impossible that our models let through: the caller's mistake, and a gap of ours to close.
    log.warning("data_error", **described(error))
    return Problem(422, "invalid_value", "A value of the request cannot be stored.")


def _rolled_back(error: psycopg.Error) -> Problem:
    # Nothing was written; writes run again by themselves (idempotency.py, append.py), so this is after many of them.
    log.warning("rolled_back", **described(error))
    return unavailable(detail="Others changed the same at the same moment. Try again.", retry_after=1)


def _database_down(_error: DatabaseDownError) -> Problem:
    return unavailable("database_unavailable", "The database is not available. Try again.")


_OURS = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "literal_error": "not_allowed",
    "enum": "not_allowed",
    "string_too_short": "too_short",
    "too_short": "too_short",
    "string_too_long": "too_long",
    "too_long": "too_long",
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
    "finite_number": "out_of_range",
    "int_parsing_size": "out_of_range",
    "string_pattern_mismatch": "malformed",
    "int_from_float": "malformed",
    "invalid_instant": "invalid_instant",
}
_PREFIX = {"query": "?", "path": "path:", "header": "header:", "cookie": "cookie:"}


def code_of(kind: str) -> str:
    """Our code for a model's error type."""
    if kind in _OURS:
        return _OURS[kind]
    if kind.endswith("_type") or kind == "model_attributes_type":
        return "wrong_type"
    if kind.endswith(("_parsing", "_from_date_parsing")):
        return "malformed"
    return "invalid"


def errors_of(found: Sequence[dict[str, Any]], body: Any) -> list[dict[str, str]]:
    """Where, which rule, in words; one for each place and code, since a choice of types says each of its refusals.

    The refused value is left out, and pydantic's message too where it would quote it.
    """
    errors: dict[tuple[str, str], dict[str, str]] = {}
    for one in found:
        at, code = _pointer(one, body), code_of(one["type"])
        detail = str(one["msg"]).removeprefix("Value error, ")[:500]
        errors.setdefault((at, code), {"pointer": at, "code": code, "detail": detail})
    return list(errors.values())


def _pointer(error: dict[str, Any], body: Any) -> str:
    place, *rest = error["loc"]
    if place != "body":
        return f"{_PREFIX.get(place, '')}{rest[0] if rest else ''}"
    return pointer(tuple(_real(rest, body, missing=error["type"] == "missing")))


def _real(location: list[Any], value: Json, *, missing: bool) -> list[Any]:
    """The parts of a location that the body has: a model's inner names, such as the branch of a choice, are none."""
    kept: list[Any] = []
    for number, part in enumerate(location):
        match value, part:
            case dict() as members, str() if part in members or (missing and number == len(location) - 1):
                value = members.get(part)
            case list() as items, int() if part < len(items):
                value = items[part]
            case _:
                continue
        kept.append(part)
    return kept
