"""I7-I10: what the product promises of sessions, people's time and money."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from tests.chaos.checker.streams import instant, streams_of
from tests.chaos.evidence import Evidence, Stored

from booking_ops.invariants import HOLDS_TIME, Claim, next_status, overlaps, stray_claims, too_many

BLURRED_SECONDS = 15.0
"""An event is stamped when its statement begins, which may then wait for the one that frees the time, until the
statement's deadline: so long two sessions may seem to hold one time that was handed on."""


def one_session(evidence: Evidence) -> Iterator[str]:
    """I7: at most one session of a Transaction, or of an assessment, is active, and one at most completes."""
    for name in ("transaction_id", "assessment_id"):
        statuses: defaultdict[str, list[str]] = defaultdict(list)
        for row in evidence.sessions:
            if row.get(name) is not None:
                statuses[str(row[name])].append(row["status"])
        for shared, found in statuses.items():
            if times := too_many(name, found):
                yield f"{name} {shared} has {times} active or completed sessions"


def no_overlap(evidence: Evidence) -> Iterator[str]:
    """I8: nobody is in two places, and each session that holds a time has its two claims."""
    held: defaultdict[str, list[Claim]] = defaultdict(list)
    for row in evidence.sessions:
        if row["status"] in HOLDS_TIME:
            for person in (str(row["practitioner_id"]), str(row["user_id"])):
                held[person].append(Claim(str(row["id"]), person, row["starts_at"], row["ends_at"]))
    for person, claims in held.items():
        for one in overlaps(sorted(claims, key=lambda claim: (claim.starts_at, claim.session))):
            yield f"{person} is in sessions {one.other} and {one.session} at once"
    claimed = {
        Claim(str(row["session_id"]), str(row["person_id"]), row["starts_at"], row["ends_at"])
        for row in evidence.claims
    }
    missing, left_over = stray_claims({claim for claims in held.values() for claim in claims}, claimed)
    for claims, state in ((missing, "missing"), (left_over, "left over")):
        for claim in claims:
            yield f"the claim of {claim.person} for session {claim.session} is {state}"
    yield from _overlapped_once(evidence)


@dataclass(frozen=True)
class Hold:
    """For how long a session held which time: the time itself, and from when to when it was held."""

    session: str
    starts_at: float
    ends_at: float
    since: float
    until: float

    def clashes(self, other: Hold) -> bool:
        """Whether both times overlap and were held at once, for longer than stamps are blurred."""
        at_once = min(self.until, other.until) - max(self.since, other.since)
        overlap = min(self.ends_at, other.ends_at) - max(self.starts_at, other.starts_at)
        return overlap > 0 and at_once > BLURRED_SECONDS and self.session != other.session


def _overlapped_once(evidence: Evidence) -> Iterator[str]:
    """Whether anybody was in two places at any moment of the history, and not only at its end."""
    holds: defaultdict[str, list[Hold]] = defaultdict(list)
    for (stream_type, stream_id), events in streams_of(evidence).items():
        if stream_type == "feedback_session":
            for person, hold in _holds(stream_id, events):
                holds[person].append(hold)
    for person, held in holds.items():
        for one, other in combinations(held, 2):
            if one.clashes(other):
                yield f"{person} held sessions {one.session} and {other.session} at once"


def _holds(session: str, events: list[Stored]) -> Iterator[tuple[str, Hold]]:
    times: tuple[float, float] | None = None
    for event, following in zip(events, [*events[1:], None], strict=True):
        if event.type in {"SessionScheduled", "SessionRescheduled"}:
            times = instant(event.data["starts_at"]), instant(event.data["ends_at"])
        if event.data["status"] not in HOLDS_TIME or times is None:
            continue
        until = following.recorded_at if following else float("inf")
        for person in (event.data["practitioner_id"], event.data["user_id"]):
            yield str(person), Hold(session, *times, event.recorded_at, until)


def legal(evidence: Evidence) -> Iterator[str]:
    """I9: every stream is a path of its state machine."""
    for (stream_type, stream_id), events in streams_of(evidence).items():
        status: str | None = None
        for event in events:
            following = next_status(stream_type, status, event.type, event.data)
            if following is None:
                yield f"{stream_type} {stream_id} version {event.version}: {event.type} from {status}"
                break
            status = following


def money(evidence: Evidence) -> Iterator[str]:
    """I10: a payment id confirms at most once and exactly; nothing is requested unpaid; no money vanishes."""
    yield from _confirmations(evidence)
    yield from _requests_are_paid(evidence)
    yield from _money_is_kept(evidence)


def _confirmations(evidence: Evidence) -> Iterator[str]:
    confirmed: Counter[tuple[str, str]] = Counter()
    prices = {e.stream_id: e.data["price"] for e in evidence.events if e.type == "TransactionCreated"}
    for event in evidence.events:
        if event.type != "TransactionPaid":
            continue
        confirmed[event.data["provider"], event.data["provider_payment_id"]] += 1
        price = prices.get(event.stream_id)
        if event.data["amount"] != price:
            yield f"transaction {event.stream_id} was paid {event.data['amount']}, it costs {price}"
    for payment, times in confirmed.items():
        if times > 1:
            yield f"payment {payment} confirmed {times} transactions"


def _requests_are_paid(evidence: Evidence) -> Iterator[str]:
    paid = {event.stream_id for event in evidence.events if event.type == "TransactionPaid"}
    for event in evidence.events:
        if event.type == "ScheduleRequested" and event.data["transaction_id"] not in paid:
            yield f"session {event.stream_id} was requested on the unpaid transaction {event.data['transaction_id']}"


def _money_is_kept(evidence: Evidence) -> Iterator[str]:
    settled = {_payment(e.data) for e in evidence.events if e.type in {"TransactionPaid", "PaymentNeedsReview"}}
    settled |= {_payment({**row, "provider_payment_id": row["payment_id"]}) for row in evidence.reviews}
    for operation in evidence.operations:
        if operation.kind == "pay" and operation.outcome == "ok" and ("manual", operation.payment_id) not in settled:
            yield f"payment {operation.payment_id} was taken, and neither confirmed nor put under review"


def _payment(data: dict[str, Any]) -> tuple[str, str]:
    return data["provider"], data["provider_payment_id"]
