"""What a service publishes: the events of its store, and its state rows."""

from dataclasses import dataclass

from booking_contracts.topics import Topic


@dataclass(frozen=True)
class EventTopic:
    """The events of ``topic``'s types, read from the table ``events`` by the marks' positions."""

    topic: Topic


@dataclass(frozen=True)
class StateTopic:
    """Rows as they are now. A mark names a key; what is sent is the row at the time of sending.

    ``query`` selects, for ``key = ANY(%(keys)s::text[])``, the columns ``key`` (text), ``version`` (the row's, never
    restarting) and ``value`` (JSON text; null is a tombstone, whose row must stay with its version), and where wanted
    ``type`` (the event's name; default the topic's only one), ``type_version``, ``occurred_at``, ``actor``,
    ``correlation_id``, ``causation_id``, ``traceparent``. ``all_keys`` selects every ``key`` there is, for
    republishing everything.
    """

    topic: Topic
    query: str
    all_keys: str = ""


Published = EventTopic | StateTopic
