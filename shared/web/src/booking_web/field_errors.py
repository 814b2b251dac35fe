"""What is wrong with a field: `errors[]` of a 422, with codes and pointers of our own, not the framework's.

The codes are promised (docs/api.md, Problems); a model's error types are how pydantic happens to say it today.
"""

from collections.abc import Sequence
from typing import Any

from booking_web.problems import pointer

CODES: dict[str, str] = {
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


def _real(location: list[Any], value: Any, *, missing: bool) -> list[Any]:
    """The parts of a location that the body has: a model's inner names, such as the branch of a choice, are none."""
    kept: list[Any] = []
    for number, part in enumerate(location):
        if isinstance(value, dict) and isinstance(part, str):
            if part not in value and not (missing and number == len(location) - 1):
                continue
            value = value.get(part)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):  # pyright: ignore[reportUnknownArgumentType]
            value = value[part]  # pyright: ignore[reportUnknownVariableType]
        else:
            continue
        kept.append(part)
    return kept
