"""What each database's roles may do with its tables, told once more than the migrations do, so that both are compared.

- `<name>_owner` migrates and owns everything.
- `<name>_app` is what the programs run as: rows alone, and of each table what the code does with it. Events are never
  changed and never deleted.
- `<name>_analytics`, where there is one, reads what doesn't say how to reach somebody: no contacts, no free text,
  no links, no secrets, no answers that were kept. Events are read from the topics.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Words = frozenset[str]
EVERY: Words = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"})
"""Each privilege that PostgreSQL knows of a table."""

_READ = frozenset({"SELECT"})
_ADD = _READ | {"INSERT"}
_TURN = _READ | {"UPDATE"}
_KEEP = _ADD | {"UPDATE"}
_PASS = _ADD | {"DELETE"}
_ALL_ROWS = _KEEP | {"DELETE"}

_EVERYWHERE: Mapping[str, Words] = {
    "alembic_version": _READ,
    "broker_reached": _ADD,
    "idempotency": _PASS,
    "outbox": _PASS,
    "outbox_accepted": _KEEP,
    "inbox": _KEEP,
    "held": _ALL_ROWS,
}


@dataclass(frozen=True, slots=True)
class Tables:
    """One database's. `analytics` names what that role reads, each with the columns that it does not."""

    app: Mapping[str, Words]
    analytics: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])


def _of(words: Words, *names: str) -> dict[str, Words]:
    return dict.fromkeys(names, words)


_WHOLE: frozenset[str] = frozenset()

TABLES: Mapping[str, Tables] = {
    "checkout": Tables(
        app={
            **_EVERYWHERE,
            **_of(_ADD, "events"),
            **_of(_KEEP, "product", "person", "practitioner", "erasure", "transaction", "unpaid"),
            **_of(_KEEP, "payment_session", "payment_notification", "payment", "payment_review", "refund"),
            **_of(_PASS, "free_text"),
            **_of(_ALL_ROWS, "consulted_session", "consulted_session_rebuilt"),
            **_of(_ALL_ROWS, "practitioner_month", "ranking", "ranking_month"),
        },
        analytics={
            "product": _WHOLE,
            "practitioner": _WHOLE,
            "transaction": _WHOLE,
            "erasure": _WHOLE,
            "payment_review": _WHOLE,
            "refund": _WHOLE,
            "consulted_session": _WHOLE,
            "practitioner_month": _WHOLE,
            "ranking": _WHOLE,
            "ranking_month": _WHOLE,
        },
    ),
    "consultation": Tables(
        app={
            **_EVERYWHERE,
            **_of(_ADD, "events", "erased_person"),
            **_of(_KEEP, "feedback_session", "entitlement", "assessment", "told_assessment"),
            **_of(_ALL_ROWS, "time_claim", "practitioner", "contact"),
            **_of(_PASS, "session_text"),
        },
        analytics={
            "feedback_session": frozenset({"meeting_link", "result_link", "result_notes", "reason"}),
            "entitlement": _WHOLE,
            "assessment": _WHOLE,
            "practitioner": _WHOLE,
            "erased_person": _WHOLE,
        },
    ),
    "notifier": Tables(
        app={
            **_EVERYWHERE,
            **_of(_READ, "installation"),
            **_of(_ADD, "erased", "cause"),
            **_of(_KEEP, "session", "sale", "notification"),
            **_of(_ALL_ROWS, "contact", "practitioner", "preference", "lane", "refusal"),
            **_of(_ALL_ROWS, "webhook_endpoint", "webhook_delivery", "webhook_attempt"),
            **_of(_PASS, "webhook_event"),
        },
        analytics={
            # An admin's recipient_id is an address.
            "notification": frozenset({"recipient_id", "provider_message_id"}),
            "preference": _WHOLE,
            "practitioner": _WHOLE,
            "session": _WHOLE,
            "sale": _WHOLE,
            "erased": _WHOLE,
        },
    ),
    "calendar": Tables(
        app={
            **_EVERYWHERE,
            **_of(_READ, "session_calendar", "user_schedule"),
            **_of(_ADD, "erased_person"),
            **_of(_KEEP, "generation", "projection_end"),
            **_of(_ALL_ROWS, "projection_position", "practitioner", "person_locale", "stream_ticket"),
            **_of(_ALL_ROWS | {"TRUNCATE"}, "user_schedule_a", "user_schedule_b"),
            **_of(_PASS, "feed", "stream_item"),
            **_of(_TURN, "stream_head"),
        },
        analytics={
            "user_schedule": frozenset({"meeting_link"}),
            "generation": frozenset({"requested_by"}),  # which the view asks
            "practitioner": _WHOLE,
            "erased_person": _WHOLE,
        },
    ),
}
"""By service. A role that is not named of a table may do nothing with it."""
