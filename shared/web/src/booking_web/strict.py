"""What is taken of a request, and what is refused before any model sees it.

JSON: what two readers, or PostgreSQL, would read differently (T6). Query: what a route does not know, and what it takes
once but gets twice; whoever asks for `?user_id=` where that is no filter would else be answered with everybody's.
"""

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import unquote_plus

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params

from booking_web.auth import RoleRequired, bearer
from booking_web.problems import Problem, unprocessable

_LARGEST = 2**63 - 1
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def check_json(body: bytes) -> None:
    """Problem 400 for no JSON, not UTF-8, NaN, a repeated name or a number beyond 64 bits; 422 for U+0000 and lone
    surrogates.

    UTF-8 alone, with or without its mark (RFC 8259 §8.1): Python's reader would take UTF-16 and UTF-32 too.

    One pass over the body, before any model sees it: a model would take the last of two equal names, let an infinity
    through, and leave U+0000 to PostgreSQL's refusal.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Problem(400, "malformed_json", "The body is not UTF-8.") from None
    try:
        value = json.loads(
            text, object_pairs_hook=_no_twins, parse_constant=_no_constant, parse_int=_int, parse_float=_float
        )
    except Problem:
        raise
    except (ValueError, RecursionError):
        raise Problem(400, "malformed_json", "The body is no JSON.") from None
    if b"\\u" in body and not _is_text(value):
        raise Problem(422, "invalid_text", "A text holds U+0000 or a lone surrogate.")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Problem(400, "malformed_json", "An object holds a name twice.")
    return found


def _no_constant(_name: str) -> NoReturn:
    raise Problem(400, "malformed_json", "NaN and infinities are no JSON numbers.")


def _int(digits: str) -> int:
    # Length first: int() of very many digits is slow, and refuses over 4,300 with an error of its own.
    if len(digits) > 20 or not -_LARGEST - 1 <= int(digits) <= _LARGEST:
        raise Problem(400, "number_too_large", "A number is too large.")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise Problem(400, "number_too_large", "A number is too large.")
    return value


def _is_text(value: object) -> bool:
    """Whether every text in it is one that PostgreSQL can keep, looked at only where the body escapes characters."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text if _UNSTORABLE.search(text):
                return False
            case dict() as members:  # pyright: ignore[reportUnknownVariableType]
                waiting += [*members.keys(), *members.values()]  # pyright: ignore[reportUnknownArgumentType]
            case list() as items:  # pyright: ignore[reportUnknownVariableType]
                waiting += items  # pyright: ignore[reportUnknownArgumentType]
            case _:
                pass
    return True


_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class _Known:
    """What one route takes: names, and those of them that are lists."""

    names: frozenset[str]
    lists: frozenset[str]


class KnownParameters:
    """A dependency of the whole application; see the module. Pages outside of the OpenAPI document take anything."""

    def __init__(self) -> None:
        self._by_route: dict[int, _Known] = {}

    async def __call__(self, request: Request) -> None:
        if not request.scope["query_string"]:
            return
        route: Any = request.scope.get("fastapi", {}).get("effective_route_context") or request.scope["route"]
        if not route.include_in_schema:
            return
        known = self._by_route.get(id(route.dependant))
        if known is None:
            known = self._by_route[id(route.dependant)] = _known(route.dependant)
        errors = _errors(known, [name for name, _ in request.query_params.multi_items()])
        if errors:
            await _let_in(route.dependant, request)
            raise unprocessable(
                "invalid_request", "Some of the request is not acceptable; see errors.", errors=errors[:50]
            )


def _known(dependant: Dependant) -> _Known:
    found = [one for one in get_flat_params(dependant) if one.field_info.in_.value == "query"]  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    lists = [one.alias for one in found if "list[" in str(one.field_info.annotation)]
    return _Known(frozenset(one.alias for one in found), frozenset(lists))


def _errors(known: _Known, given: list[str]) -> list[dict[str, str]]:
    errors: list[dict[str, str]] = []
    for name, times in Counter(given).items():
        at = f"?{name[:_LONGEST_NAME]}"
        if name not in known.names:
            taken = ", ".join(sorted(known.names)) or "none"
            detail = f"There is no such parameter here; known: {taken}."
            errors.append({"pointer": at, "code": "unknown_parameter", "detail": detail})
        elif times > 1 and name not in known.lists:
            errors.append({"pointer": at, "code": "repeated_parameter", "detail": "Send it once."})
    return errors


async def _let_in(dependant: Dependant, request: Request) -> None:
    """Whoever may not call the route learns that first: 401, 403 and 429 stand before what is wrong with the query."""
    calls = list(_calls(dependant))
    if bearer not in calls:
        return
    caller = await bearer(request)
    for check in calls:
        if isinstance(check, RoleRequired):
            await check(caller)


def _calls(dependant: Dependant) -> list[Any]:
    return [dependant.call, *(call for one in dependant.dependencies for call in _calls(one))]


def check_address(part: bytes) -> None:
    """Problem 400 for a path or query that is not UTF-8 or holds U+0000, in whatever form."""
    try:
        text = unquote_plus(part.decode("ascii"), errors="strict")
    except ValueError:
        raise Problem(400, "bad_request", "The address is not UTF-8.") from None
    if "\x00" in text:
        raise Problem(400, "bad_request", "The address holds U+0000.")
