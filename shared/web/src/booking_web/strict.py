"""What is taken of a request, and what is refused before any model sees it.

JSON: what two readers, or PostgreSQL, would read differently (T6). Query: what a route does not know, and what it takes
once but gets twice; whoever asks for `?user_id=` where that is no filter would else be answered with everybody's.
"""

import asyncio
import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import unquote_plus

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.security import APIKeyQuery
from starlette.types import Receive, Scope

from booking_web.auth import RoleRequired, bearer
from booking_web.problems import Json, Problem, unprocessable

_LARGEST = 2**63 - 1
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_LONGEST_NAME = 100


def check_address(scope: Scope) -> None:
    """Problem 400 for a path or query that is not UTF-8 or holds U+0000, in whatever form, and for such a header."""
    if "\x00" in scope["path"]:
        raise Problem(400, "bad_request", "The address holds U+0000.")
    for part in (scope.get("raw_path"), scope["query_string"]):
        try:
            text = unquote_plus((part or b"").decode("ascii"), errors="strict")
        except ValueError:
            raise Problem(400, "bad_request", "The address is not UTF-8.") from None
        if "\x00" in text:
            raise Problem(400, "bad_request", "The address holds U+0000.")
    if any(b"\x00" in value for _, value in scope["headers"]):
        raise Problem(400, "bad_request", "A header holds U+0000.")


async def read_body(receive: Receive, headers: dict[bytes, bytes], *, most: int, seconds: float) -> bytes:
    """The whole body, at most so many bytes within so many seconds; Problem 4xx for one that is not taken.

    Without a bearer token it is taken as it is: a provider's notification, whose route reads the raw bytes and answers
    by its own rules.
    """
    if b"content-length" not in headers and b"transfer-encoding" not in headers:
        return b""
    try:
        async with asyncio.timeout(seconds):
            body = await _all(receive, headers.get(b"content-length", b"0"), most)
    except TimeoutError:
        raise _too_slow(seconds) from None
    if body and headers.get(b"content-encoding", b"identity").strip().lower() not in {b"identity", b""}:
        raise _encoded()
    if body and b"authorization" in headers:
        if not _is_json(headers.get(b"content-type", b"")):
            raise Problem(415, "unsupported_media_type", "Send JSON, as application/json.")
        check_json(body)
    return body


async def _all(receive: Receive, length: bytes, most: int) -> bytes:
    if not length.isdigit() or int(length[:12]) > most:
        raise _too_large(most)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "bad_request", "The body ended early.")
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > most:
            raise _too_large(most)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _is_json(content_type: bytes) -> bool:
    kind = content_type.partition(b";")[0].strip().lower()
    return kind.startswith(b"application/") and (kind.endswith((b"/json", b"+json")))


def _encoded() -> Problem:
    # RFC 9110 §15.5.16: which codings would be taken.
    headers = {"Accept-Encoding": "identity"}
    return Problem(415, "unsupported_media_type", "Send the body as it is, without Content-Encoding.", headers=headers)


def _too_large(limit: int) -> Problem:
    # The rest of the body stays unread, so the connection cannot be used again.
    return Problem(413, "too_large", f"The body is over {limit} bytes.", headers={"Connection": "close"})


def _too_slow(seconds: float) -> Problem:
    # Before any token was looked at: whoever sends a byte a minute would hold connections for nothing (T6).
    return Problem(408, "timeout", f"The body took longer than {seconds:g} seconds.", headers={"Connection": "close"})


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


def _is_text(value: Json) -> bool:
    """Whether every text in it is one that PostgreSQL can keep, looked at only where the body escapes characters."""
    waiting: list[Json] = [value]
    while waiting:
        match waiting.pop():
            case str() as text if _UNSTORABLE.search(text):
                return False
            case dict() as members:
                waiting += [*members.keys(), *members.values()]
            case list() as items:
                waiting += items
            case _:
                pass
    return True


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
    found = [parameter for part in parts(dependant) for parameter in part.query_params]
    proofs = [part.call.model.name for part in parts(dependant) if isinstance(part.call, APIKeyQuery)]
    lists = [one.alias for one in found if "list[" in str(one.field_info.annotation)]
    return _Known(frozenset([*(one.alias for one in found), *proofs]), frozenset(lists))


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
    for check in [part.call for part in parts(dependant)]:
        if isinstance(check, type(bearer) | RoleRequired):
            await check(request)


def parts(dependant: Dependant) -> Iterator[Dependant]:
    """A route's dependant and those that it depends on."""
    yield dependant
    for one in dependant.dependencies:
        yield from parts(one)
