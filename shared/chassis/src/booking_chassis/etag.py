"""Versions as strong ETags (RFC 9110): what was read, and what a change was decided on."""

import re
from typing import Annotated

from fastapi import Depends, Header

from booking_chassis.problems import precondition_required

_TAG = re.compile(r'\s*(W/)?"([^"\x00-\x20\x7f]*)"\s*(?:,|$)')
NEVER = -1
"""A version that no object has: a condition that cannot hold is answered 412 by the comparison itself."""


def etag(version: int) -> str:
    """``"3"`` with its quotes."""
    return f'"{version}"'


def parse_if_match(value: str) -> int | None:
    """The version that the caller saw; None for ``*`` (any version); NEVER for what can match nothing.

    Weak tags never match, since If-Match compares strongly. Of several versions the newest counts: an object moves
    forward only, so a caller who accepts several accepts it.
    """
    if value.strip() == "*":
        return None
    versions: list[int] = []
    position = 0
    while position < len(value):
        tag = _TAG.match(value, position)
        if tag is None:
            return NEVER
        weak, text = tag.groups()
        if not weak and re.fullmatch(r"[0-9]{1,9}", text):
            versions.append(int(text))
        position = tag.end()
    return max(versions, default=NEVER)


_Header = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=2000,
        description="The `ETag` that was read; a change of anything newer is refused (412).",
    ),
]


# Coroutines, though they await nothing: FastAPI sends a plain function to a thread, which costs more than it does.
async def if_match(value: _Header = None) -> int | None:
    """Dependency: the version to expect, None when the caller does not mind."""
    return None if value is None else parse_if_match(value)


async def required_if_match(value: _Header = None) -> int | None:
    """Dependency: as `if_match`, and 428 without the header."""
    if value is None:
        raise precondition_required()
    return parse_if_match(value)


IfMatch = Annotated[int | None, Depends(if_match)]
RequiredIfMatch = Annotated[int | None, Depends(required_if_match)]
