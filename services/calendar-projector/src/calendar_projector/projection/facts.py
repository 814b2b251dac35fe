"""What the fold needs of a decoded record: the event's name, its data as sent, and when it happened."""

from collections.abc import Mapping
from typing import Any, cast

from pydantic_core import from_json

from booking_contracts.decode import Decoded

_NOTHING: Mapping[str, Any] = {}


def fact(item: Decoded) -> tuple[str | None, Mapping[str, Any], str]:
    """(name, data, instant); the name is None for a type that is unknown here.

    The data are the bytes as sent, parsed but not converted; of an old version what its upcaster tells today.
    """
    event, happened = item.event, item.meta.time.isoformat()
    if event is None:
        return None, _NOTHING, happened
    current = item.meta.type.endswith(f".v{event.TYPE_VERSION}")
    raw = item.record.value if current and item.record.value is not None else event.to_json()
    return event.TYPE, cast("Mapping[str, Any]", from_json(raw)), happened
