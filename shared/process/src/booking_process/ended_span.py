"""A span as a value, written when its work has ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opentelemetry.trace import Link, SpanContext, SpanKind

Attributes = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class EndedSpan:
    """A span that is written after the fact; times in nanoseconds since 1970."""

    name: str
    kind: SpanKind
    context: SpanContext
    parent: SpanContext | None
    links: Sequence[Link]
    began_at: int
    ended_at: int
    attributes: Attributes
    failed: bool
