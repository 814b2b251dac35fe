"""I3-I6: the streams themselves, their copies in the topics, and what is folded from them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from tests.chaos.evidence import Evidence, Published, Stored

from booking_ops.invariants import difference, disordered, gaps, unpublished

TOPIC_OF = {
    "transaction": "booking.checkout.transactions.v1",
    "feedback_session": "booking.consultation.sessions.v1",
    "person": "booking.directory.erasures.v1",
}


def gapless(evidence: Evidence) -> Iterator[str]:
    """I3: per aggregate versions are 1..n, no event id twice."""
    for stream, events in streams_of(evidence).items():
        versions = [event.version for event in events]
        if gaps(versions):
            yield f"stream {stream} has the versions {versions}"
    for event_id, times in Counter(event.id for event in evidence.events).items():
        if times > 1:
            yield f"event id {event_id} is stored {times} times"


def published(evidence: Evidence) -> Iterator[str]:
    """I4: the topics hold the store's events, all of them and no others; extra copies are fine."""
    topics = set(TOPIC_OF.values())
    sent = {record.id for record in evidence.records if record.id is not None and record.topic in topics}
    stored = {event.id: event for event in evidence.events if event.stream_type in TOPIC_OF}
    for event_id in sent | stored.keys():
        match unpublished(stored=event_id in stored, published=event_id in sent):
            case "lost":
                yield f"{stored[event_id].type} of {stored[event_id].stream_id} is stored, never published"
            case "phantom":
                yield f"event {event_id} is published, not stored"
            case None:
                pass


def ordered(evidence: Evidence) -> Iterator[str]:
    """I5: per aggregate the first appearances of its events in the partition are in version order."""
    seen: set[tuple[str, str]] = set()
    first: defaultdict[tuple[str, int, str], list[Published]] = defaultdict(list)
    for record in sorted(evidence.records, key=lambda r: (r.topic, r.partition, r.offset)):
        if record.topic not in TOPIC_OF.values() or record.injected or not _whole(record):
            continue
        if (record.topic, record.id) not in seen:
            seen.add((record.topic, str(record.id)))
            first[record.topic, record.partition, str(record.key)].append(record)
    for records in first.values():
        for place in disordered(record.version or 0 for record in records):
            wrong, before = records[place], records[place - 1].version if place else 0
            where = f"{wrong.topic}[{wrong.partition}]@{wrong.offset}"
            yield f"{where}: {wrong.key} version {wrong.version} follows {before}"


def folded(evidence: Evidence) -> Iterator[str]:
    """I6: the read tables equal the fold of the streams, the calendar included, row for row."""
    tables = {"feedback_session": ("id", evidence.sessions), "transaction": ("id", evidence.transactions)}
    for stream_type, (key, rows) in tables.items():
        expected = {
            id_: fold(kind, events) for (kind, id_), events in streams_of(evidence).items() if kind == stream_type
        }
        yield from _different(stream_type, key, expected, rows)
    dated = {
        id_: fold("calendar", events)
        for (kind, id_), events in streams_of(evidence).items()
        if kind == "feedback_session" and any(event.type == "SessionScheduled" for event in events)
    }
    yield from _different("calendar's session", "session_id", dated, evidence.schedule)


def _different(
    what: str, key: str, expected: dict[str, dict[str, Any]], rows: Sequence[dict[str, Any]]
) -> Iterator[str]:
    found = {str(row[key]): row for row in rows}
    for id_ in expected | found:
        if wrong := difference(expected.get(id_), found.get(id_)):
            yield f"{what} {id_}: {wrong}"


def fold(kind: str, events: list[Stored]) -> dict[str, Any]:
    """The reference fold, written apart from the services' own."""
    status = _transaction_status if kind == "transaction" else _session_status
    state: dict[str, Any] = {"status": None}
    if kind != "calendar":
        state["version"] = events[-1].version
    for event in events:
        state["status"] = status(state["status"], event)
        if kind == "calendar":
            _follow_dates(state, event)
    return state


def _session_status(_status: str | None, event: Stored) -> str:
    return event.data["status"]


def _transaction_status(status: str | None, event: Stored) -> str | None:
    review = event.data.get("review_id") is not None
    return {
        "TransactionCreated": "awaiting_payment",
        "TransactionPaid": "paid",
        "TransactionExpired": "expired",
        "TransactionCanceled": "canceled",
        "TransactionRefunded": status if review else "refunded",
    }.get(event.type, status)


def _follow_dates(state: dict[str, Any], event: Stored) -> None:
    if "schedule_version" in event.data:
        state["schedule_version"] = event.data["schedule_version"]
    if event.type in {"SessionScheduled", "SessionRescheduled"}:
        state["starts_at"], state["ends_at"] = instant(event.data["starts_at"]), instant(event.data["ends_at"])
    if event.type == "PractitionerChanged":
        state["starts_at"] = state["ends_at"] = None


def instant(text: str) -> float:
    """RFC 3339 to epoch seconds."""
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def streams_of(evidence: Evidence) -> dict[tuple[str, str], list[Stored]]:
    """The events by stream, in version order."""
    streams: defaultdict[tuple[str, str], list[Stored]] = defaultdict(list)
    for event in evidence.events:
        streams[event.stream_type, event.stream_id].append(event)
    return {key: sorted(events, key=lambda event: event.version) for key, events in streams.items()}


def _whole(record: Published) -> bool:
    return record.id is not None and record.key is not None and record.version is not None
