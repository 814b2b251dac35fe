"""I11-I13: what the consumers made of the records, and whether they came to rest by themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.chaos.checker.streams import TOPIC_OF
from tests.chaos.evidence import Evidence, Position, Published, Stored

from booking_ops.invariants import untaken

STREAM = "calendar-stream"
DONE = {"sent", "delivered", "failed", "ambiguous", "skipped"}
LATE_SECONDS = 30.0


def notified(evidence: Evidence) -> Iterator[str]:
    """I11: each message once in the ledger; sent ones were accepted, at most once more per crash of the notifier."""
    yield from _delivered(evidence)
    unique: Counter[tuple[str, str, str, str]] = Counter()
    told: set[tuple[str, str]] = set()
    for notice in evidence.notices:
        unique[notice.cause_event_id, notice.recipient_id, notice.channel, notice.template] += 1
        told.add((notice.cause_event_id, notice.recipient_id))
    for what, times in unique.items():
        if times > 1:
            yield f"notice {what} exists {times} times"
    for event in evidence.events:
        for person in recipients(event):
            if (event.id, person) not in told:
                yield f"{person} was never to be told of {event.type} of {event.stream_id}"


def _delivered(evidence: Evidence) -> Iterator[str]:
    # A crash of any of these may fall between the provider's acceptance and our record of it (N3).
    dangerous = ("notifier", "mailbox", "whatsapp", "postgres")
    crashes = sum(times for name, times in evidence.crashes.items() if name.startswith(dangerous))
    for notice in evidence.notices:
        accepted = evidence.deliveries.get(notice.id, 0)
        if notice.state in {"sent", "delivered"} and accepted == 0:
            yield f"notice {notice.id} says {notice.state}, no provider ever took it"
        if accepted > 1 + crashes:
            yield f"notice {notice.id} was delivered {accepted} times, with {crashes} crashes"
        # N3: what may have left is marked before it is tried once more, so no message comes twice unseen.
        if accepted > 1 + notice.ambiguities:
            yield f"notice {notice.id} was delivered {accepted} times, and marked ambiguous {notice.ambiguities} times"
        if notice.state not in DONE and notice.due_in < -LATE_SECONDS:
            yield f"notice {notice.id} ({notice.template}) is still {notice.state}, due {-notice.due_in:.0f} s ago"
    for notice_id in evidence.deliveries.keys() - {notice.id for notice in evidence.notices}:
        yield f"a message {notice_id} was delivered that the ledger does not know"


def recipients(event: Stored) -> tuple[str, ...]:
    """Who must be told (product.md N1), of the events that the load makes."""
    member, practitioner = event.data.get("user_id", ""), event.data.get("practitioner_id", "")
    table: dict[str, tuple[str, ...]] = {
        "ScheduleRequested": (practitioner,),
        "SessionScheduled": (member,),
        "SessionRescheduled": (member,),
        "SessionCanceled": (practitioner, member) if event.actor == f"member:{member}" else (member,),
        "SessionFailed": (member, practitioner),
        "ResultUploaded": (member,),
        "TransactionPaid": (member,),
        "TransactionExpired": (member,),
        "TransactionRefunded": () if event.data.get("review_id") else (member,),
        "PaymentNeedsReview": ("admins",),
        "RefundFailed": ("admins",),
    }
    return table.get(event.type, ())


def recovered(evidence: Evidence) -> Iterator[str]:
    """I12: after the last fault outbox and lag came to 0 within the time allowed, with nobody's help."""
    waiting = {name: rows for name, rows in evidence.outbox.items() if rows}
    if waiting:
        yield f"the outboxes still hold {waiting}"
    for position in evidence.positions:
        if position.next < position.end:
            where = f"{position.topic}[{position.partition}]"
            yield f"{position.consumer} stands at {position.next} of {position.end} in {where}"
    if evidence.recovery_seconds is None:
        yield "it never came to rest"
    elif evidence.recovery_seconds > evidence.allowed_seconds:
        yield f"it took {evidence.recovery_seconds:.0f} s to come to rest, {evidence.allowed_seconds:.0f} s are allowed"


def below(evidence: Evidence, position: Position) -> Iterator[Published]:
    """The records that the position has left behind."""
    for record in evidence.records:
        if (record.topic, record.partition) == (position.topic, position.partition) and record.offset < position.next:
            yield record


def nothing_skipped(evidence: Evidence) -> Iterator[str]:
    """I13: every record below a consumer's position is applied, a duplicate, ignored by rule, or held."""
    version = {(row.consumer, row.topic, row.key): row.version for row in evidence.versions}
    held = {(row.consumer, row.topic, row.partition, row.offset) for row in evidence.held}
    held_versions = {(row.consumer, row.topic, row.key, row.version) for row in evidence.held}
    yield from _told(evidence)
    for position in evidence.positions:
        if position.consumer == STREAM:
            continue  # it keeps no versions and holds nothing: its log is judged by itself
        if (position.service == "calendar" and position.topic in TOPIC_OF.values()) or position.next == 0:
            continue  # its version rows lie in its slot; I6 compares that row for row
        for record in below(evidence, position):
            if (position.consumer, record.topic, record.partition, record.offset) in held:
                continue
            if record.id is None:
                yield f"{position.consumer} skipped the poison {record.topic}[{record.partition}]@{record.offset}"
            elif record.version is not None:
                done = version.get((position.consumer, record.topic, record.key or ""), 0)
                waits = (position.consumer, record.topic, record.key, record.version) in held_versions
                if untaken(record.version, done, held=waits) == "not taken":
                    yield f"{position.consumer} skipped {record.key} version {record.version} of {record.topic}"


def _told(evidence: Evidence) -> Iterator[str]:
    """Each event below the stream's positions is in its log once, those of one aggregate in their order."""
    places = {event_id: place for place, event_id in enumerate(evidence.told)}
    if len(places) < len(evidence.told):
        yield f"{STREAM} tells {len(evidence.told) - len(places)} events twice"
    events = {event.id: event for event in evidence.events}
    for position in evidence.positions:
        if position.consumer == STREAM:
            for record in below(evidence, position):
                if record.id in events and record.id not in places:
                    yield f"{STREAM} never told {record.key} version {record.version} of {record.topic}"
    last: dict[str, int] = {}
    for event_id in evidence.told:
        if (event := events.get(event_id)) is None:
            yield f"{STREAM} tells an event {event_id} that no store has"
        elif event.version < last.get(event.stream_id, 0):
            yield f"{STREAM} tells version {event.version} of {event.stream_id} after {last[event.stream_id]}"
        else:
            last[event.stream_id] = event.version
