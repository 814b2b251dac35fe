"""I3-I6: the streams themselves, their copies in the topics, and what is folded from them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from tests.chaos.evidence import Evidence, Published, Stored

TOPIC_OF = {
    "transaction": "booking.checkout.transactions.v1",
    "feedback_session": "booking.consultation.sessions.v1",
    "person": "booking.directory.erasures.v1",
}


def gapless(evidence: Evidence) -> Iterator[str]:
    """I3: per aggregate versions are 1..n, no event id twice."""
    for stream, events in streams_of(evidence).items():
        versions = [event.version for event in events]
        if versions != list(range(1, len(versions) + 1)):
            yield f"stream {stream} has the versions {versions}"
    for event_id, times in Counter(event.id for event in evidence.events).items():
        if times > 1:
            yield f"event id {event_id} is stored {times} times"


def published(evidence: Evidence) -> Iterator[str]:
    """I4: the topics hold the store's events, all of them and no others; extra copies are fine."""
    topics = set(TOPIC_OF.values())
    sent = {record.id for record in evidence.records if record.id is not None and record.topic in topics}
    stored = {event.id: event for event in evidence.events if event.stream_type in TOPIC_OF}
    for event_id in stored.keys() - sent:
        yield f"{stored[event_id].type} of {stored[event_id].stream_id} is stored, never published"
    for event_id in sent - stored.keys():
        yield f"event {event_id} is published, not stored"


def ordered(evidence: Evidence) -> Iterator[str]:
    """I5: per aggregate the first appearances of its events in the partition are in version order."""
    seen: set[tuple[str, str]] = set()
    last: defaultdict[tuple[str, int, str], int] = defaultdict(int)
    for record in sorted(evidence.records, key=lambda r: (r.topic, r.partition, r.offset)):
        if record.topic not in TOPIC_OF.values() or record.injected or not _whole(record):
            continue
        assert record.id is not None
        assert record.key is not None
        if (record.topic, record.id) in seen:
            continue
        seen.add((record.topic, record.id))
        where = (record.topic, record.partition, record.key)
        version = record.version or 0
        if version != last[where] + 1:
            place = f"{record.topic}[{record.partition}]@{record.offset}"
            yield f"{place}: {record.key} version {version} follows {last[where]}"
        last[where] = max(last[where], version)


def folded(evidence: Evidence) -> Iterator[str]:
    """I6: the read tables equal the fold of the streams, the calendar included, row for row."""
    rows = {
        "feedback_session": {str(row["id"]): row for row in evidence.sessions},
        "transaction": {str(row["id"]): row for row in evidence.transactions},
    }
    for (stream_type, stream_id), events in streams_of(evidence).items():
        if stream_type not in rows:
            continue
        row = rows[stream_type].pop(stream_id, None)
        expected = fold(stream_type, events)
        found = None if row is None else {name: row[name] for name in expected}
        if found != expected:
            yield f"{stream_type} {stream_id} is {found}, its events say {expected}"
    for stream_type, left in rows.items():
        for stream_id in left:
            yield f"{stream_type} {stream_id} is in its table without a stream"
    yield from _calendar(evidence)


def _calendar(evidence: Evidence) -> Iterator[str]:
    shown = {str(row["session_id"]): row for row in evidence.schedule}
    for (stream_type, stream_id), events in streams_of(evidence).items():
        if stream_type != "feedback_session" or not any(event.type == "SessionScheduled" for event in events):
            continue
        row = shown.pop(stream_id, None)
        expected = fold("calendar", events)
        found = None if row is None else {name: row[name] for name in expected}
        if found != expected:
            yield f"the calendar shows session {stream_id} as {found}, its events say {expected}"
    for stream_id in shown:
        yield f"the calendar shows session {stream_id}, which never had a date"


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
