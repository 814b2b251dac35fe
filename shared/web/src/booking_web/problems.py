"""Errors as RFC 9457 problems: every refusal of every service is one of these.

Problem                 carries status, a stable code and members for the caller

What a code says beside RFC 9457's own members is a class of `Members`: raised and documented by the same one.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from pydantic import BaseModel, Field

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
    409: "changed_meanwhile",
    412: "stale_version",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    428: "precondition_required",
    429: "rate_limited",
    500: "internal_error",
    503: "unavailable",
}


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


ERROR_CODES: dict[str, str] = {
    "missing": "It must be given.",
    "unknown_field": "The body has no such field here.",
    "unknown_parameter": "The query has no such parameter here.",
    "repeated_parameter": "It is sent once only.",
    "wrong_type": "Another JSON type is expected.",
    "malformed": "It is not written as this kind of value is.",
    "not_allowed": "It is none of the values that are listed.",
    "too_short": "It is shorter, or has fewer items, than it must.",
    "too_long": "It is longer, or has more items, than it may.",
    "out_of_range": "The number is too small or too large.",
    "invalid": "A rule of this field refuses it; the detail says which.",
    "invalid_instant": "It is no instant as RFC 3339 writes them.",
    "invalid_cursor": "The cursor is not one that this list gave out.",
    "invalid_time": "A time that cannot be (S2), or a range that is none.",
    "invalid_link": "The link is refused (S3).",
    "invalid_reason": "No reason of this command and actor (S5).",
}
"""Every code that `errors[].code` may have, and what it means."""


class Members(BaseModel):
    """What a problem's code says beside RFC 9457's members; a class with a `title` names the problem's schema."""


class FieldError(BaseModel):
    """One thing that is wrong with a request."""

    pointer: str = Field(
        description="A JSON pointer (RFC 6901) into the body; `?name`, `path:name`, `header:name`.",
        examples=["/meeting_link"],
    )
    code: str = Field(json_schema_extra={"enum": list(ERROR_CODES), "x-extensible-enum": True})
    detail: str


class InvalidFields(Members):
    """Where a request is wrong, and how."""

    errors: list[FieldError] = Field(min_length=1)


class StaleVersion(Members):
    """The version that there is now, where it is known."""

    current_version: int | None = None


class Problem(Exception):
    """A refusal: `status`, a stable `code`, a `detail` that holds nothing of ours, and members of that code.

    `headers` go to the answer (Retry-After, WWW-Authenticate).
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        members: Members | None = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers
        self.said = members

    @property
    def members(self) -> dict[str, Any]:
        """As JSON has them."""
        return {} if self.said is None else self.said.model_dump(mode="json", exclude_unset=True)

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


def conflict(code: str, detail: str, members: Members | None = None) -> Problem:
    """409: a rule of the domain refuses."""
    return Problem(409, code, detail, members)


def stale_version(current: int | None = None) -> Problem:
    """412: the caller saw another version than there is now (product.md S7)."""
    known = StaleVersion() if current is None else StaleVersion(current_version=current)
    return Problem(412, "stale_version", USUAL[412], known)


def precondition_required() -> Problem:
    """428: this change must say which version it was decided on."""
    return Problem(428, "precondition_required", "Send If-Match with the ETag that you read.")


def unprocessable(
    code: str,
    detail: str = "The request is not acceptable as it is.",
    *,
    errors: Iterable[Mapping[str, str]] = (),
) -> Problem:
    """422; give `errors=[{"pointer": "/meeting_link", "code": ..., "detail": ...}]` where a field is to blame."""
    blamed = [FieldError.model_validate(error) for error in errors]
    return Problem(422, code, detail, InvalidFields(errors=blamed) if blamed else None)


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
        example = {"value": problem.body("/v1/..."), SCHEMA: schema_name(problem)}
        response["content"][CONTENT_TYPE]["examples"][problem.code] = example
        _note(problem)
    return documented


SCHEMA = "x-problem-schema"
SAID: dict[str, Problem] = {}
"""Every problem that was documented in this process, by the name of its schema; openapi.py makes the schemas."""


def _note(problem: Problem) -> None:
    known = SAID.setdefault(schema_name(problem), problem)
    if (known.status, known.code, type(known.said)) != (problem.status, problem.code, type(problem.said)):
        raise ValueError(f"{problem.code} says one thing here and another there: give its members a title")


def schema_name(problem: Problem) -> str:
    """`NotFoundProblem`; where the same code says other things elsewhere, the title of its members' class."""
    titled = type(problem.said).model_config.get("title") if problem.said is not None else None
    return titled or "".join(part.capitalize() for part in problem.code.split("_")) + "Problem"


def _usual(status: int) -> Problem:
    code, detail = CODES.get(status, "refused"), USUAL.get(status, "What is wrong, in a sentence.")
    match status:
        case 412:
            return stale_version(4)
        case 422:
            error = {"pointer": "/name", "code": "missing", "detail": ERROR_CODES["missing"]}
            return unprocessable(code, detail, errors=[error])
        case _:
            return Problem(status, code, detail)


def _response(status: int) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {}, "examples": {}}
    return {"description": _TITLES.get(status, "Refused"), "content": {CONTENT_TYPE: content}}
