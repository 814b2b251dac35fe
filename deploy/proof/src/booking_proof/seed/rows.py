"""What each service keeps of a purchase, as lines of PostgreSQL's COPY: by a service's tables, in two parts.

`copies` are what a service has taken of others' events, with the versions that tell it so: when the records come it
knows them already. `owned` are a service's own rows, written with their events. Everything is computed by the services'
own functions, of the streams' own states.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from booking_contracts.topics import SESSIONS, TRANSACTIONS, Topic
from booking_contracts.transactions import TransactionCreated, TransactionPaid
from booking_ops.audit.consumers import READERS
from booking_proof.seed.messages import Ledger, Message, standings
from booking_proof.seed.people import Somebody
from booking_proof.seed.streams import Stream, Streams, Told
from checkout.ranking import figures
from checkout.ranking.listing import Months
from checkout.transactions.decider import BEGUN
from checkout.transactions.state import AwaitingPayment
from checkout.transactions.store import read_row
from consultation.entitlements import store as entitlements
from consultation.sessions.store import claims
from consultation.sessions.store import row as session_row

Columns = tuple[str, ...]
EVENTS: Columns = (
    "stream_type", "stream_id", "version", "id", "type", "type_version", "data", "metadata", "occurred_at",
)  # fmt: skip
TRANSACTION: Columns = (
    "id", "user_id", "practitioner_id", "status", "product_id", "product_name", "kind", "tier", "duration_minutes",
    "amount", "currency", "provider", "reference", "expires_at", "request_limit_minutes", "auto_start", "paid_at",
    "refund_id", "refund_status", "refund_amount", "refund_requested_at", "refund_settled_at", "created_at", "version",
    "session_begun",
)  # fmt: skip
SESSION: Columns = (
    "id", "practitioner_id", "user_id", "transaction_id", "assessment_id", "kind", "auto_start", "respond_by",
    "schedule_version", "status", "scheduled_date", "time_start", "time_end", "timezone", "ends_next_day", "fold",
    "fold_end", "starts_at", "ends_at", "meeting_link", "started_at", "ended_at", "result_id", "result_has_link",
    "result_has_notes", "reason_code", "reason_id", "requested_at", "updated_at", "version", "reason", "result_link",
    "result_notes",
)  # fmt: skip
COLUMNS: Mapping[str, Columns] = {
    "inbox": ("consumer", "topic", "key", "version"),
    "transaction": TRANSACTION,
    "payment_session": ("transaction_id", "provider", "next_attempt_at", "check_at"),
    "free_text": ("id", "transaction_id", "author_id", "text", "created_at"),
    "payment_review": (
        "id", "transaction_id", "reference", "provider", "payment_id", "received_amount", "received_currency",
        "expected_amount", "expected_currency", "direction", "returned_amount", "refundable_amount", "cause", "state",
        "outcome", "created_at", "version",
    ),
    "refund": (
        "id", "transaction_id", "review_id", "provider", "reference", "payment_id", "amount", "currency", "status",
        "requested_at", "settled_at", "next_attempt_at", "code",
    ),
    "feedback_session": SESSION,
    "time_claim": ("session_id", "person_id", "during"),
    "session_text": ("id", "session_id", "author_id", "text", "link", "recorded_at"),
    "entitlement": (
        "transaction_id", "user_id", "practitioner_id", "status", "kind", "request_limit_minutes", "auto_start",
        "version", "product_name", "duration_minutes",
    ),
    "sale": ("transaction_id", "product_name"),
    "session": ("id", "status", "schedule_version", "starts_at", "ends_at"),
    "cause": ("event_id", "type", "type_version", "data", "actor", "occurred_at"),
    "notification": (
        "id", "cause_event_id", "recipient_id", "channel", "template", "locale", "session_id", "transaction_id",
        "due_at", "fence_version", "fence_status", "useful_until", "state", "reason", "attempts", "ambiguities",
        "queued_at", "not_before", "provider_message_id", "delivered_at", "changed_at", "version", "correlation_id",
    ),
}  # fmt: skip
Lines = defaultdict[str, list[str]]
"""By table."""


_NULL = r"\N"


def line(values: Iterable[Any]) -> str:
    """A row as COPY reads it in its text format."""
    return "\t".join([_text(value) for value in values]) + "\n"


def _text(value: Any) -> str:
    if value is None:
        return _NULL
    if isinstance(value, str):
        if "\\" in value or "\t" in value or "\n" in value or "\r" in value:
            escaped = value.replace("\\", r"\\").replace("\t", r"\t")
            return escaped.replace("\n", r"\n").replace("\r", r"\r")
        return value
    return str(value)


@dataclass(slots=True)
class Chunk:
    """So many purchases, as rows. `events` of checkout and consultation, each with when it occurred."""

    copies: dict[str, Lines] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    owned: dict[str, Lines] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    events: dict[str, list[tuple[datetime, str]]] = field(default_factory=lambda: defaultdict(list))
    unpaid: Counter[UUID] = field(default_factory=Counter[UUID])
    consulted: list[figures.Consulted] = field(default_factory=list[figures.Consulted])
    steps: list[tuple[datetime, bytes]] = field(default_factory=list[tuple[datetime, bytes]])
    first: tuple[str, UUID, UUID] | None = None
    counts: Counter[str] = field(default_factory=Counter[str])

    def changes(self) -> dict[tuple[UUID, date], tuple[int, int]]:
        """What the sessions add to their practitioners' months."""
        found: dict[tuple[UUID, date], tuple[int, int]] = {}
        for row in self.consulted:
            for key, (productivity, activity) in figures.difference(None, row).items():
                old = found.get(key, (0, 0))
                found[key] = (old[0] + productivity, old[1] + activity)
        return found


class Rows:
    """Makes chunks of streams. `told`: the notifier has told people already, and the readers have read."""

    def __init__(
        self, people: Mapping[str, Somebody], seed: int, until: datetime, months: Months, *, told: bool
    ) -> None:
        self._people, self._months, self._told, self._until = people, months, told, until
        self._ledger = Ledger(people, seed, until)

    def chunk(self, purchases: Iterable[Streams]) -> Chunk:
        """The rows of these."""
        chunk = Chunk()
        for streams in purchases:
            self._sale(chunk, streams)
            for one in streams.sessions:
                self._session(chunk, one)
            if self._told:
                self._copies(chunk, streams)
            chunk.counts["purchases"] += 1
            chunk.counts["sessions"] += len(streams.sessions)
            chunk.counts["events"] += len(streams.sale.events) + sum(len(one.events) for one in streams.sessions)
        for events in chunk.events.values():
            events.sort(key=lambda event: event[0])  # stable: within a stream as by version
        chunk.steps.sort(key=lambda step: step[0])
        return chunk

    def _sale(self, chunk: Chunk, streams: Streams) -> None:
        stream, owned = streams.sale, chunk.owned["checkout"]
        state: Any = stream.state
        self._events(chunk, "checkout", stream)
        if chunk.first is None:
            chunk.first = (str(stream.id), stream.id, stream.events[0].id)
        begun = any(one.state.status in BEGUN for one in streams.sessions)
        owned["transaction"].append(line((stream.id, *read_row(state).values(), len(stream.events), begun)))
        sale, unpaid = state.sale, isinstance(state, AwaitingPayment)
        page_at = stream.events[0].at if unpaid else None
        owned["payment_session"].append(line((stream.id, sale.provider, page_at, sale.expires_at)))
        chunk.unpaid[sale.user_id] += unpaid
        for at, words in stream.words:
            if words.text is not None and not self._erased(sale.user_id, words.author_id):
                owned["free_text"].append(line((words.id, stream.id, words.author_id, words.text, at)))
        price = (sale.price.amount, sale.price.currency)
        for review in stream.reviews.values():
            about = (review["id"], stream.id, sale.reference, review["provider"], review["payment_id"])
            money = (review["amount"], review["currency"], *price, review["direction"], review["returned"])
            ending = (review["refundable"], review["cause"], review["state"], review["outcome"], review["created_at"])
            owned["payment_review"].append(line((*about, *money, *ending, review["version"])))
        for refund in stream.refunds.values():
            about = (refund["id"], stream.id, refund["review_id"], refund["provider"], sale.reference)
            money = (refund["payment_id"], refund["amount"], refund["currency"], refund["status"])
            times = (refund["requested_at"], refund["settled_at"], refund["requested_at"], refund.get("code"))
            owned["refund"].append(line((*about, *money, *times)))

    def _session(self, chunk: Chunk, stream: Stream[Any, Any]) -> None:
        owned, state = chunk.owned["consultation"], stream.state
        self._events(chunk, "consultation", stream)
        row, last = session_row(state), stream.events[-1]
        kept = [(at, one) for at, one in stream.words if not self._erased(row["user_id"], one.author_id)]
        of = {one.id: one for _, one in kept}
        reason, result = of.get(row["reason_id"]), of.get(row["result_id"])
        own = [stream.id, *(row[name] for name in SESSION[1 : SESSION.index("requested_at")])]
        own += [stream.events[0].at, last.at, last.version, reason and reason.text]
        owned["feedback_session"].append(line([*own, result and result.link, result and result.text]))
        for person, (begins, ends) in claims(state).items():
            owned["time_claim"].append(line((stream.id, person, f'["{begins}","{ends}")')))
        for at, words in kept:
            texts = (words.id, stream.id, words.author_id, words.text, words.link, at)
            owned["session_text"].append(line(texts))

    def _events(self, chunk: Chunk, owner: str, stream: Stream[Any, Any]) -> None:
        about = (stream.aggregate.stream_type, stream.id)
        for one in stream.events:
            event = (one.version, one.id, one.event.TYPE, one.event.TYPE_VERSION, one.data, one.metadata, one.at)
            chunk.events[owner].append((one.at, line((*about, *event))))

    def _erased(self, *people: UUID | None) -> bool:
        found = [self._people.get(str(person)) for person in people if person is not None]
        return any(one is not None and one.erased_at is not None for one in found)

    # What others have taken of it -----------------------------------------------------------------------------------

    def _copies(self, chunk: Chunk, streams: Streams) -> None:
        sale = streams.sale
        self._taken(chunk, TRANSACTIONS, sale)
        chunk.copies["consultation"]["entitlement"].append(line(_entitlement(sale.events)))
        created: Any = sale.events[0].event
        notifier = chunk.copies["notifier"]
        notifier["sale"].append(line((sale.id, created.product.name)))
        for one in streams.sessions:
            self._taken(chunk, SESSIONS, one)
            now = standings(one.events)[-1]
            notifier["session"].append(
                line((one.id, now.status, now.schedule_version, now.starts_at, now.ends_at))
            )  # fmt: skip
            chunk.consulted.append(_consulted(one.events, self._months))
        causes: dict[UUID, Told] = {}
        for message in self._ledger.messages(streams):
            causes[message.cause.id] = message.cause
            notifier["notification"].append(_message(message))
            chunk.steps += message.steps()
            chunk.counts["messages"] += 1
        for told in causes.values():
            event = told.event
            notifier["cause"].append(line((told.id, event.TYPE, event.TYPE_VERSION, told.data, told.actor, told.at)))

    def _taken(self, chunk: Chunk, topic: Topic, stream: Stream[Any, Any]) -> None:
        for service, readers in READERS.items():
            for consumer, topics in readers.items():
                if topic in topics:
                    taken = (consumer, topic.name, stream.id, len(stream.events))
                    chunk.copies[service]["inbox"].append(line(taken))


def _entitlement(events: list[Told]) -> tuple[Any, ...]:
    """As consultation keeps it (`entitlements.store.note`)."""
    created: Any = events[0].event
    assert isinstance(created, TransactionCreated)
    practitioner, status = None, "awaiting_payment"
    for told in events[1:]:
        event: Any = told.event
        practitioner = event.practitioner_id or practitioner
        status = "paid" if isinstance(event, TransactionPaid) else entitlements.status_after(event) or status
    product = created.product
    return (
        created.transaction_id, created.user_id, practitioner, status, product.kind, created.request_limit_minutes,
        created.auto_start, events[-1].version, product.name, product.duration_minutes,
    )  # fmt: skip


def _consulted(events: list[Told], months: Months) -> figures.Consulted:
    """As checkout keeps it (`ranking.figures`)."""
    row: figures.Consulted | None = None
    for told in events:
        meta = SimpleNamespace(sequence=told.version, time=told.at, actor=told.actor)
        item: Any = SimpleNamespace(event=told.event, meta=meta)
        row = figures.fold(row, item, months)
    assert row is not None
    return row


def _message(one: Message) -> str:
    """Its line, written out: of a hundred thousand purchases there are more than a million."""
    planned, fence, not_before = one.planned, one.planned.fence, one.not_before
    return (
        f"{one.id}\t{one.cause_id}\t{planned.recipient_id}\t{one.channel}\t{planned.template}\t{one.locale}\t"
        f"{one.session_id or _NULL}\t{one.transaction_id or _NULL}\t{planned.due_at}\t"
        f"{fence.schedule_version if fence else _NULL}\t{fence.status if fence else _NULL}\t"
        f"{planned.useful_until or _NULL}\t{one.state}\t{one.reason or _NULL}\t{one.attempts}\t{one.ambiguities}\t"
        f"{one.queued_at}\t{not_before or _NULL}\t{one.provider_message_id or _NULL}\t{one.delivered_at or _NULL}\t"
        f"{one.changed_at}\t{one.version}\t{one.cause.correlation_id}\n"
    )
