"""Errors as RFC 9457 problems: every refusal of every service is one of these.

Problem                 carries status, a stable code and members for the caller
"""

from datetime import datetime
from typing import Any, TypeAlias

from fastapi.encoders import jsonable_encoder

from booking_web.instants import written

CONTENT_TYPE = "application/problem+json"

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
"""What JSON can hold."""

_TITLES = {
    400: "The request cannot be read",
    401: "No or no valid token",
    403: "Not allowed",
    404: "Not found",
    405: "No such method here",
    408: "Took too long",
    409: "Refused by a rule",
    412: "Changed meanwhile",
    413: "Too large",
    415: "No such media type here",
    422: "Not acceptable as it is",
    428: "A precondition is required",
    429: "Too many requests",
    500: "An error of ours",
    503: "Not available right now",
}

CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "timeout",
    409: "conflict",
    412: "stale_version",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    428: "precondition_required",
    429: "rate_limited",
    500: "internal_error",
    503: "unavailable",
}


_RETRY_AFTER = frozenset({429, 503})

USUAL = {
    400: "The request cannot be read.",
    401: "Send a valid bearer token.",
    403: "Your roles do not allow this.",
    404: "There is no such thing for you here.",
    408: "The body took longer than 15 seconds.",
    409: "Others changed it at the same moment. Read it again, then decide.",
    412: "It is not as If-Match or If-None-Match says. Read it again, then decide.",
    413: "The body is over 262144 bytes.",
    415: "Send JSON, as application/json.",
    422: "Some of the request is not acceptable; see errors.",
    428: "Send If-Match with the ETag that you read.",
    429: "Too many requests.",
    500: "Something went wrong here. Try again later.",
    503: "A dependency is down. Try again.",
}


class Problem(Exception):
    """A refusal: `status`, a stable `code`, a `detail` that holds nothing of ours, and members of that code.

    `headers` go to the answer (Retry-After, WWW-Authenticate). Members must be JSON-able by FastAPI's encoder.
    """

    def __init__(
        self, status: int, code: str, detail: str, *, headers: dict[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers
        self.members: dict[str, Any] = jsonable_encoder(members, custom_encoder={datetime: written})

    def body(self, instance: str) -> dict[str, Any]:
        """The answer's body; `instance` is the path that was asked."""
        return {
            "type": f"urn:booking:problem:{self.code}",
            "title": _TITLES.get(self.status, "Refused"),
            "status": self.status,
            "code": self.code,
            **self.members,
            "detail": self.detail,
            "instance": instance,
        }


def not_found(detail: str = "There is no such thing for you here.") -> Problem:
    """404, also for what exists and is not the caller's (product.md E1)."""
    return Problem(404, "not_found", detail)


def forbidden(code: str = "forbidden", detail: str = "Your roles do not allow this.") -> Problem:
    """403 for what the caller may read but not treat so."""
    return Problem(403, code, detail)


def conflict(code: str, detail: str, **members: Any) -> Problem:
    """409: a rule of the domain refuses."""
    return Problem(409, code, detail, **members)


def stale_version(current: int | None = None) -> Problem:
    """412: the caller saw another version than there is now (product.md S7)."""
    members: dict[str, Any] = {} if current is None else {"current_version": current}
    return Problem(412, "stale_version", USUAL[412], **members)


def precondition_required() -> Problem:
    """428: this change must say which version it was decided on."""
    return Problem(428, "precondition_required", "Send If-Match with the ETag that you read.")


def unprocessable(code: str, detail: str = "The request is not acceptable as it is.", **members: Any) -> Problem:
    """422; give `errors=[{"pointer": "/meeting_link", "code": ..., "detail": ...}]` where a field is to blame."""
    return Problem(422, code, detail, **members)


def unavailable(
    code: str = "unavailable", detail: str = "A dependency is down. Try again.", retry_after: int = 2
) -> Problem:
    """503 with Retry-After in seconds."""
    return Problem(503, code, detail, headers={"Retry-After": str(retry_after)})


def pointer(location: tuple[Any, ...]) -> str:
    """A JSON pointer (RFC 6901) of a location within a body."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def problem_responses(*problems: int | Problem) -> dict[int | str, dict[str, Any]]:
    """OpenAPI `responses=`: a problem as it is raised, or a status for its usual code. Each code is an example."""
    documented: dict[int | str, dict[str, Any]] = {}
    for one in problems:
        problem = one if isinstance(one, Problem) else _usual(one)
        response = documented.setdefault(problem.status, _response(problem.status))
        response["content"][CONTENT_TYPE]["examples"][problem.code] = {"value": problem.body("/v1/...")}
    return documented


def _usual(status: int) -> Problem:
    return Problem(status, CODES.get(status, "refused"), USUAL.get(status, "What is wrong, in a sentence."))


def _response(status: int) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
    response: dict[str, Any] = {"description": _TITLES.get(status, "Refused"), "content": {CONTENT_TYPE: content}}
    if status in _RETRY_AFTER:
        seconds = {"description": "Seconds to wait.", "schema": {"type": "string", "pattern": "^[0-9]+$"}}
        response["headers"] = {"Retry-After": seconds}
    return response
