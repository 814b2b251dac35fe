"""I1, I2, I14: what callers were told against what was committed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tests.chaos.evidence import Evidence, Stored

EVENT_OF = {
    "buy": "TransactionCreated",
    "cancel_purchase": "TransactionCanceled",
    "refund": "RefundRequested",
    "request": "ScheduleRequested",
    "schedule": "SessionScheduled",
    "reschedule": "SessionRescheduled",
    "start": "SessionStarted",
    "result": "ResultUploaded",
    "replace": "ResultReplaced",
    "cancel": "SessionCanceled",
    "fail": "SessionFailed",
}
"""What each command leaves behind. Payments have no event of their own kind: I10 follows the money."""


def acknowledged_is_durable(evidence: Evidence) -> Iterator[str]:
    """I1: every command answered 2xx has its event, at the very version that was answered."""
    caused = _by_cause(evidence)
    at = {(event.stream_id, event.version): event for event in evidence.events}
    for operation in evidence.operations:
        if operation.answer is None or operation.kind not in EVENT_OF:
            continue
        types = {e.type for a in operation.attempts for e in caused[a.request_id]}
        if EVENT_OF[operation.kind] not in types:
            yield f"{operation.kind} {operation.id} was acknowledged, no {EVENT_OF[operation.kind]} is stored"
        for answer in operation.attempts:
            if answer.object_id and answer.version and (answer.object_id, answer.version) not in at:
                yield f"{operation.kind} {operation.id} was answered version {answer.version}, which is not stored"


def no_phantom(evidence: Evidence) -> Iterator[str]:
    """I2: a refused attempt left nothing, and no person's event is without an attempt."""
    caused = _by_cause(evidence)
    known: set[str] = set()
    for operation in evidence.operations:
        for attempt in operation.attempts:
            known.add(attempt.request_id)
            if attempt.outcome == "refused" and caused[attempt.request_id]:
                yield f"{operation.kind} {attempt.request_id} was refused ({attempt.code}), yet left events"
    for event in evidence.events:
        person = event.actor.partition(":")[0] in {"member", "practitioner", "admin"}
        if person and event.causation_id not in known:
            yield f"{event.type} of {event.stream_id} by {event.actor} that nobody asked for"


def idempotent(evidence: Evidence) -> Iterator[str]:
    """I14: one key, one effect, one answer."""
    caused = _by_cause(evidence)
    rows = {(row.service, row.sub, row.key): row for row in evidence.remembered}
    for operation in evidence.operations:
        effects = [a.request_id for a in operation.attempts if caused[a.request_id]]
        if len(effects) > 1:
            yield f"{operation.kind} {operation.id} took effect {len(effects)} times: {effects}"
        answers = {(a.status, a.object_id, a.version) for a in operation.attempts if a.outcome == "ok"}
        if len(answers) > 1 and operation.key is not None:
            yield f"{operation.kind} {operation.id} was answered in {len(answers)} ways: {sorted(map(str, answers))}"
        if operation.kind not in EVENT_OF or operation.key is None:
            continue
        row = rows.get((operation.service, operation.sub, operation.key))
        if operation.outcome == "ok" and row is None:
            yield f"{operation.kind} {operation.id} was acknowledged, its key is not remembered"
        if operation.outcome == "refused" and row is not None:
            yield f"{operation.kind} {operation.id} was only ever refused, yet its key is remembered"
        if effects and row is None:
            yield f"{operation.kind} {operation.id} took effect without its key"


def _by_cause(evidence: Evidence) -> defaultdict[str | None, list[Stored]]:
    caused: defaultdict[str | None, list[Stored]] = defaultdict(list)
    for event in evidence.events:
        caused[event.causation_id].append(event)
    return caused
