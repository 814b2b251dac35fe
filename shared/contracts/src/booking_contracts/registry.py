"""Every event type by its short name, as the stores keep it."""

from booking_contracts.event import Event
from booking_contracts.topics import TOPICS

EVENTS: dict[str, type[Event]] = {event.TYPE: event for topic in TOPICS for event in topic.events}


def full_type(type: str, type_version: int) -> str:  # noqa: A002 the column's name
    """The `ce_type` of a stored event; KeyError for a name that is no event of this language."""
    return f"{EVENTS[type].NAMESPACE}.{type}.v{type_version}"


def schema_uri(type: str, type_version: int) -> str:  # noqa: A002 the column's name
    """The `ce_dataschema`, which is the `$id` of the schema file of this type and major version."""
    return f"https://schemas.booking.example/{type}.v{type_version}.json"
