"""Turning an old version of an event into the next, on reading: published events are never changed.

To publish a new version of a type: raise its TYPE_VERSION, keep the old schema and corpus files, and add here the
function that turns the old data into the new. Readers are released before the first writer (events.md, Evolution).
"""

from collections.abc import Callable, Mapping
from typing import Any

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: Mapping[tuple[str, int], Upcaster] = {}
"""(type, version) to the function that makes version + 1 of it. Empty: every type is at its first version."""


def upcast(
    type: str,  # noqa: A002 the column's name
    version: int,
    target: int,
    data: dict[str, Any],
    registry: Mapping[tuple[str, int], Upcaster] | None = None,
) -> dict[str, Any]:
    """The data as version `target` would have told it. KeyError if a step is missing."""
    for step in range(version, target):
        data = (UPCASTERS if registry is None else registry)[type, step](data)
    return data
