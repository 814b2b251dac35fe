"""What must hold, as pure functions over the rows of one thing: a stream, a record, a session, a person, a consumer.

Two bring the rows and say in their own words what follows: `booking-ops audit`, from a running system and in constant
memory, and the checker of tests/chaos, from the evidence that it gathered when all had come to rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

ACTIVE = frozenset({"pending_negotiation", "scheduled", "on_progress"})
HOLDS_TIME = frozenset({"scheduled", "on_progress"})
COUNTED = {"transaction_id": ACTIVE | {"completed"}, "assessment_id": ACTIVE}
"""I7: of the sessions that share one of these, one at most is in one of its statuses."""

SESSION_STEPS: Mapping[tuple[str | None, str], str] = {
    (None, "ScheduleRequested"): "pending_negotiation",
    ("pending_negotiation", "SessionScheduled"): "scheduled",
    ("scheduled", "SessionRescheduled"): "scheduled",
    ("scheduled", "SessionStarted"): "on_progress",
    ("scheduled", "ResultUploaded"): "completed",
    ("on_progress", "ResultUploaded"): "completed",
    ("completed", "ResultReplaced"): "completed",
    ("pending_negotiation", "PractitionerChanged"): "pending_negotiation",
    ("scheduled", "PractitionerChanged"): "pending_negotiation",
    ("pending_negotiation", "SessionCanceled"): "canceled",
    ("scheduled", "SessionCanceled"): "canceled",
    ("pending_negotiation", "SessionFailed"): "failed",
    ("scheduled", "SessionFailed"): "failed",
    ("on_progress", "SessionFailed"): "failed",
}
TRANSACTION_STEPS: Mapping[tuple[str | None, str], str] = {
    (None, "TransactionCreated"): "awaiting_payment",
    ("awaiting_payment", "TransactionPaid"): "paid",
    ("awaiting_payment", "PaymentDeclined"): "awaiting_payment",
    ("awaiting_payment", "TransactionExpired"): "expired",
    ("awaiting_payment", "TransactionCanceled"): "canceled",
    ("paid", "TransactionRefunded"): "refunded",
}
_ASSIGNMENTS = frozenset({"PractitionerAssigned", "PractitionerReassigned"})
_REVIEWS = frozenset({"PaymentNeedsReview", "PaymentReviewSettled"})
_REFUNDS = frozenset({"RefundRequested", "RefundFailed"})


class Claim(NamedTuple):
    """A person's time for a session. Times are of any one kind that can be compared."""

    session: str
    person: str
    starts_at: Any
    ends_at: Any


class Overlap(NamedTuple):
    """A session that begins while another one of the same person goes on."""

    session: str
    other: str
    person: str


def gaps(versions: Iterable[int]) -> list[int]:
    """I3: where a stream's versions, in their order, are not 1, 2, ... n: the places after a hole, or of a repeat."""
    return [place for place, version in enumerate(versions) if version != place + 1]


def unpublished(*, stored: bool, published: bool, waiting: bool = False) -> Literal["lost", "phantom"] | None:
    """I4: an event is in the store and in its topic, or waits in the outbox; nothing else is in the topic."""
    if stored:
        return None if published or waiting else "lost"
    return "phantom" if published else None


def disordered(versions: Iterable[int]) -> list[int]:
    """I5: where a stream's versions, in the order in which they first appear in the topic, don't follow the highest
    before them: those places. Later copies may be anywhere and are not given here."""
    found: list[int] = []
    last = 0
    for place, version in enumerate(versions):
        if version != last + 1:
            found.append(place)
        last = max(last, version)
    return found


def difference(expected: Mapping[str, Any] | None, found: Mapping[str, Any] | None) -> str | None:
    """I6: how a row differs from what it should be, column by column; None when it doesn't."""
    if expected is None:
        return None if found is None else "a row that nothing accounts for"
    if found is None:
        return "no row for it"
    wrong = [f"{c} is {found[c]!r}, should be {expected[c]!r}" for c in expected if found[c] != expected[c]]
    return "; ".join(wrong) or None


def too_many(shared: str, statuses: Iterable[str]) -> int:
    """I7: how many sessions count of those that share a `transaction_id` or an `assessment_id`, if more than one."""
    count = sum(status in COUNTED[shared] for status in statuses)
    return count if count > 1 else 0


def overlaps(claims: Iterable[Claim]) -> Iterator[Overlap]:
    """I8: the sessions of one person, given in the order of their starts, that begin while an earlier one goes on."""
    busy: Claim | None = None
    for one in claims:
        if busy is not None and one.starts_at < busy.ends_at:
            yield Overlap(one.session, busy.session, one.person)
        if busy is None or one.ends_at > busy.ends_at:
            busy = one


def stray_claims(held: Collection[Claim], claimed: Collection[Claim]) -> tuple[set[Claim], set[Claim]]:
    """I8: a session that holds a time has a claim of it for each of its two persons, and no other session has any: the
    claims that are missing, and those that are left over."""
    return set(held) - set(claimed), set(claimed) - set(held)


def next_status(stream_type: str, status: str | None, event: str, data: Mapping[str, Any]) -> str | None:
    """I9: the status after this event; None where the state machine has no such step, or the event says another one."""
    if stream_type == "feedback_session":
        following = SESSION_STEPS.get((status, event))
        return following if following == data.get("status") else None
    if stream_type != "transaction":
        return "erased"
    if event in _ASSIGNMENTS | _REVIEWS:  # at any time
        return status
    of_a_review = data.get("review_id") is not None
    if event in _REFUNDS or (event == "TransactionRefunded" and of_a_review):
        return status if status == "paid" or of_a_review else None
    return TRANSACTION_STEPS.get((status, event))


def untaken(published: int, taken: int, *, held: bool) -> Literal["held", "not taken", "ahead"] | None:
    """I13: what a consumer has of a key against the newest version that is published of it. `ahead`: it took what the
    topic no longer has."""
    if taken > published:
        return "ahead"
    if taken == published:
        return None
    return "held" if held else "not taken"
