"""Conditional requests (RFC 9110 §13), one rule for every resource that has a version; the tag is that version.

A body that shows more than its own versioned row (a name, a payment page) has a digest behind its version, so that the
tag changes whenever the body does. What a write is decided on is the version alone, so here `W/"3"` (a proxy that
compresses makes tags weak) and `"3-gzip"` (Apache, Jetty) say no less than `"3"`: a version is not bytes, and a strict
comparison would refuse everybody behind such a proxy for ever.

Reads are judged by the edge, for each answer that carries an ETag; writes by their route, which takes `Preconditions`.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from fastapi import Depends, Header, Request
from pydantic import BaseModel
from starlette.types import Scope

from booking_web.problems import Problem, precondition_required, stale_version

_LIST = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_CODED = re.compile(r"(?:--?|;)(?:gzip|x-gzip|br|deflate|zstd)$")
_OURS = re.compile(r"([0-9]{1,9})(?:\.[0-9a-f]{8})?")
_SCOPE: Final = "booking.conditions"
_HEADERS: Final = (b"if-match", b"if-none-match")

PATTERN: Final = r'^(\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$'
"""The form, as the document tells it; what does not keep it is 400."""

Tags = Literal["*"] | frozenset[str]
"""What a header names: anything that exists, or these tags without their quotes and marks."""


def etag(version: int, shown: BaseModel | None = None) -> str:
    """``"3"`` with its quotes; with `shown`, a body that is put together, ``"3.1f2e3d4c"``."""
    if shown is None:
        return f'"{version}"'
    digest = hashlib.sha256(shown.model_dump_json().encode()).hexdigest()[:8]
    return f'"{version}.{digest}"'


def parse_tags(header: str, value: str) -> Tags:
    """The tags of a condition; Problem 400 that names the form for what is neither `*` nor a list of quoted tags."""
    if value.strip(" \t") == "*":
        return "*"
    tags: set[str] = set()
    position, expected = 0, True
    while position < len(value):
        if value[position] in " \t":
            position += 1
        elif value[position] == ",":
            position, expected = position + 1, True
        elif expected and (found := _LIST.match(value, position)):
            tags.add(_CODED.sub("", found[1]))
            position, expected = found.end(), False
        else:
            raise malformed(header)
    if not tags:
        raise malformed(header)
    return frozenset(tags)


def malformed(header: str) -> Problem:
    """400: the header can't be read, so whether it holds is unknown."""
    return Problem(
        400, "bad_request", f'{header} is * or tags in double quotes, as the ETag was: "3", or "3", "4" for several.'
    )


@dataclass(frozen=True, slots=True)
class Conditions:
    """Both headers of one request, None where one was not sent."""

    if_match: Tags | None = None
    if_none_match: Tags | None = None

    def allow(self, current: int | None) -> bool:
        """Whether a write may change what has this version now; None: there is no such thing."""
        if self.if_match is not None and not _names(self.if_match, current):
            return False
        return self.if_none_match is None or not _names(self.if_none_match, current)

    def check(self, current: int | None) -> None:
        """Problem 412 unless a write is allowed. Ask the idempotency key first: its replay met the condition then."""
        if not self.allow(current):
            raise stale_version(current)

    def check_collection(self) -> None:
        """Of a POST that makes something new: a list exists, but has no version that If-Match could name."""
        if self.if_match not in {None, "*"}:
            raise stale_version()

    def of_read(self, tag: str) -> Literal[304, 412] | None:
        """What a GET or HEAD comes to whose answer has this ETag; None: the answer as it is."""
        plain = tag.removeprefix("W/").strip('"')
        if self.if_match is not None and not _shows(self.if_match, plain):
            return 412
        if self.if_none_match is not None and _shows(self.if_none_match, plain):
            return 304
        return None


UNCONDITIONAL: Final = Conditions()


def _names(tags: Tags, version: int | None) -> bool:
    if version is None:
        return False
    return tags == "*" or version in {int(ours[1]) for tag in tags if (ours := _OURS.fullmatch(tag))}


def _shows(tags: Tags, plain: str) -> bool:
    # A bare version names that version whatever else its body shows: nobody was given it as a tag of such a body.
    return tags == "*" or plain in tags or plain.partition(".")[0] in tags


def conditions_of(scope: Scope) -> Conditions:
    """The conditions of a request; several lines of a header are one list (RFC 9110 §5.3). Problem 400 if malformed."""
    if (known := scope.get(_SCOPE)) is not None:
        return known
    lines: dict[bytes, list[str]] = {}
    for name, value in scope["headers"]:
        if name in _HEADERS:
            lines.setdefault(name, []).append(value.decode("latin-1"))
    found = UNCONDITIONAL
    if lines:
        match, none_match = (", ".join(lines[name]) if name in lines else None for name in _HEADERS)
        found = Conditions(
            None if match is None else parse_tags("If-Match", match),
            None if none_match is None else parse_tags("If-None-Match", none_match),
        )
    scope[_SCOPE] = found
    return found


IfMatchHeader = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=2000,
        description="The `ETag` that was read; a change of anything newer is refused (412). `*`: only if it exists.",
        json_schema_extra={"pattern": PATTERN},
    ),
]
IfNoneMatchHeader = Annotated[
    str | None,
    Header(alias="If-None-Match", max_length=2000, description="`*`: only if it does not exist yet; else 412."),
]


# Coroutines, though they await nothing: FastAPI sends a plain function to a thread, which costs more than it does.
async def _conditions(
    request: Request, _if_match: IfMatchHeader = None, _if_none_match: IfNoneMatchHeader = None
) -> Conditions:
    return conditions_of(request.scope)


async def _conditions_with_if_match(conditions: Annotated[Conditions, Depends(_conditions)]) -> Conditions:
    if conditions.if_match is None:
        raise precondition_required()
    return conditions


Preconditions = Annotated[Conditions, Depends(_conditions)]
"""The request's conditions, as a parameter of a route that writes: `check` them on what there is."""
RequiredPreconditions = Annotated[Conditions, Depends(_conditions_with_if_match)]
"""As `Preconditions`, and 428 without If-Match."""
