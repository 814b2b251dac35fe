"""Pages: a limit, and an opaque cursor that says where the last page ended."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from booking_web.problems import Problem, unprocessable

T = TypeVar("T")
_CHECK = 6
_Part = datetime | date | UUID | int | str
_KINDS: dict[str, Callable[[Any], _Part]] = {
    "t": datetime.fromisoformat,
    "d": date.fromisoformat,
    "u": UUID,
    "i": int,
    "s": str,
}


def encode_cursor(*parts: datetime | date | UUID | int | str, of: str) -> str:
    """The sort key of a page's last row, as text that callers give back unread. `of` names the list."""
    payload = json.dumps([_tagged(part) for part in parts], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_digest(payload, of) + payload).decode().rstrip("=")


def decode_cursor(text: str, *types: type, of: str) -> tuple[Any, ...]:
    """The parts again; Problem 422 for what we did not write, or wrote for a list of another name or sort key.

    Nothing is built of a payload before its digest fits, and what then comes out must be written as it was sent: a
    forged one cannot hold what `encode_cursor` never wrote.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        payload = raw[_CHECK:]
        if not hmac.compare_digest(_digest(payload, of), raw[:_CHECK]):
            raise bad_cursor()
        parts: tuple[_Part, ...] = tuple(_KINDS[kind](value) for kind, value in json.loads(payload))
        ours = encode_cursor(*parts, of=of) == text and all(map(_storable, parts))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        raise bad_cursor() from None
    if not ours or (types and tuple(type(part) for part in parts) != types):
        raise bad_cursor()
    return parts


def _storable(part: object) -> bool:
    match part:
        case datetime():
            return part.tzinfo is not None
        case int():
            return abs(part) < 2**63
        case str():
            return "\x00" not in part and not any("\ud800" <= one <= "\udfff" for one in part)
        case _:
            return True


def bad_cursor() -> Problem:
    """What a list answers to a cursor that isn't its own."""
    error = {"pointer": "?cursor", "code": "invalid_cursor", "detail": "not a cursor of this list"}
    return unprocessable("invalid_cursor", "The cursor is not one that this list gave out.", errors=[error])


def _tagged(part: datetime | date | UUID | int | str) -> tuple[str, str | int]:
    match part:
        case datetime():
            return "t", part.isoformat()
        case date():
            return "d", part.isoformat()
        case UUID():
            return "u", str(part)
        case int():
            return "i", part
        case str():
            return "s", part


def _digest(payload: bytes, of: str) -> bytes:
    # No secret: it tells a damaged cursor from a good one. A forged one shows nothing that a filter would not show.
    return hashlib.blake2b(of.encode() + b"\x00" + payload, digest_size=_CHECK, key=b"booking cursor").digest()


@dataclass(frozen=True, slots=True)
class PageQuery:
    """What the caller asks of a list."""

    limit: int
    cursor: str | None


CursorQuery = Annotated[str | None, Query(max_length=1024, description="The `next_cursor` of the page before.")]
"""The cursor as a parameter, for a list whose pages have another limit."""


async def _page(
    limit: Annotated[int, Query(ge=1, le=200, description="How many items at most.")] = 50, cursor: CursorQuery = None
) -> PageQuery:
    return PageQuery(limit, cursor or None)


Page = Annotated[PageQuery, Depends(_page)]
"""The page asked for, as a parameter of a route."""


MOST_IDS = 100

Ids = Annotated[
    list[UUID] | None,
    Query(
        min_length=1,
        max_length=MOST_IDS,
        description=f"Only these, {MOST_IDS} at most: `?ids=A&ids=B`. What is there for the caller comes in one page.",
    ),
]
"""A list's parameter that names its items; a route leaves out what is not there, or not the caller's."""


class PageOf(BaseModel, Generic[T]):
    """A page of items; `next_cursor` is null on the last."""

    items: list[T]
    next_cursor: str | None = Field(default=None, examples=[None])

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """`ProductPage` of what the document calls `Product`."""
        kind = params[0]
        return f"{kind.model_config.get('title') or kind.__name__ if hasattr(kind, 'model_config') else kind}Page"


def page_of(items: Sequence[Any], next_cursor: str | None) -> dict[str, Any]:
    """The answer of a list route."""
    return {"items": list(items), "next_cursor": next_cursor}
