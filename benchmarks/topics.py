"""What a million sessions take in their topics: records made by commands and read by the relay's own reading, packed as
the relay packs them; counted on a few and multiplied.

Each purchase is bought, paid, requested, scheduled, started and completed, every third is moved once; the commands of
all come in a random order, as in life, so a batch holds records of many kinds. The relay comes to every command by
itself, which is the most that a state topic can get: one record for each. Batches of one are those of a quiet hour,
batches of a hundred those of a busy one, and full batches (900 KB) those of a backlog or of `booking republish`.
"""

import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg

from benchmarks.harness import Line, Report, Scale
from benchmarks.system import System
from booking_contracts.ids import partition_of, uuid7
from booking_contracts.money import Money
from booking_contracts.topics import SESSION_STATES, SESSIONS, TRANSACTION_STATES, TRANSACTIONS, Topic
from booking_contracts.transactions import ProductSnapshot
from booking_outbox import EventTopic, Published, StateTopic
from booking_outbox._encoding import Batch, Compression, Outgoing
from booking_outbox._publisher import MAX_BATCH_BYTES
from booking_outbox._reading import read, settle
from booking_store import Aggregate, Cause, CommandContext, handle
from checkout.transactions import commands as sale
from checkout.transactions.published import PUBLISHED as SALES
from checkout.transactions.store import TRANSACTION
from consultation.entitlements.domain import Entitlement
from consultation.sessions import commands as session
from consultation.sessions.published import PUBLISHED as MEETINGS
from consultation.sessions.store import SESSION
from consultation.sessions.times import LocalTimes

PURCHASES: dict[Scale, int] = {"tiny": 6, "default": 1_000, "full": 5_000}
MILLION, GIGA = 1_000_000, 1e9
PACKED: tuple[tuple[Compression, int], ...] = (
    ("none", 100), ("gzip", 100), ("zstd", 1), ("zstd", 100), ("zstd", MAX_BATCH_BYTES),
)  # fmt: skip
LINK = "https://meet.google.com/abc-defg-hij"
PRICE = Money(250_000, "IDR")
PRODUCT = ProductSnapshot(id=uuid7(), name="Konseling 60 menit", kind="counseling", tier="gold", duration_minutes=60)
PRACTITIONERS = [uuid4() for _ in range(100)]
# The purchase is written here, not consumed: there is no entitlement to guard.
SESSION_UNGUARDED = replace(
    SESSION, parameters=lambda change: {**SESSION.parameters(change), "entitlement_version": None}
)

Step = tuple[Aggregate[Any, Any], UUID, Any, str]
"""Which aggregate, which stream, which command, who gives it."""


@dataclass(frozen=True)
class Purchase:
    """One purchase and its session, each practitioner's at hours of their own."""

    number: int
    begin: datetime

    def steps(self) -> Iterator[Step]:
        """Its commands, each with the clock of its time."""
        member, practitioner, bought, made = uuid4(), PRACTITIONERS[self.number % 100], uuid7(), uuid7()
        of_member, of_practitioner = f"member:{member}", f"practitioner:{practitioner}"
        at = self.begin + timedelta(minutes=self.number)
        offer = sale.Offer(PRODUCT, PRICE, request_limit_minutes=10_080, auto_start=False, active=True)
        chosen = sale.Candidate(practitioner, frozenset({"gold"}), active=True)
        create = sale.Create(bought, member, offer, chosen, "midtrans", at + timedelta(days=1))
        yield TRANSACTION, bought, create, of_member
        ids = sale.NewIds(uuid7(), uuid7(), uuid7(), uuid7())
        settled, told = at + timedelta(minutes=6), at + timedelta(minutes=7)
        paid = sale.ReportPayment("midtrans", str(uuid4()), "paid", PRICE, told, ids, settled_at=settled)
        yield TRANSACTION, bought, paid, "service:midtrans"
        right = Entitlement(bought, member, practitioner, "paid", "counseling", 10_080, auto_start=False, version=3)
        asked, answered = at + timedelta(minutes=10), at + timedelta(hours=5)
        as_member, as_practitioner = session.Actor("member", member), session.Actor("practitioner", practitioner)
        yield SESSION_UNGUARDED, made, session.Request(as_member, asked, made, right), of_member
        starts = self.begin + timedelta(days=20, hours=self.number // 100)
        held = session.Schedule(as_practitioner, answered, _hour(starts), LINK)
        yield SESSION_UNGUARDED, made, held, of_practitioner
        if self.number % 3 == 0:
            moved = session.Reschedule(as_practitioner, answered, _hour(starts, 15), LINK)
            yield SESSION_UNGUARDED, made, moved, of_practitioner
        yield SESSION_UNGUARDED, made, session.Start(as_practitioner, starts), of_practitioner
        result = session.UploadResult(
            as_practitioner, starts + timedelta(hours=2), uuid7(), True, False, starts + timedelta(minutes=50)
        )
        yield SESSION_UNGUARDED, made, result, of_practitioner


def _hour(starts: datetime, minute: int = 0) -> LocalTimes:
    return LocalTimes(starts.date(), time(starts.hour, minute), time(starts.hour, minute + 30), "Etc/UTC")


async def measure(system: System, scale: Scale) -> Report:
    """The table of a million sessions, in gigabytes (10^9 bytes) of one replica."""
    count = PURCHASES[scale]
    records = await _made(system, count)
    lines: list[Line] = []
    for topic, sent in records.items():
        for compression, most in PACKED:
            size, left = _packed(topic, sent, compression, most)
            unit = "GB, " + ("uncompressed" if compression == "none" else f"{compression}, {_told(most)}")
            lines.append(_line(topic.name, unit, size / count))
            if topic.state:
                lines.append(_line(f"{topic.name}, compacted", unit, left / count))
    made = sum(len(sent) for sent in records.values()) / count
    notes = [f"Of {count:,} purchases, {made:.1f} records each, counted and multiplied."]
    return Report("In the topics: a million sessions and their sales", 1, lines, notes)


def _told(most: int) -> str:
    return "full batches" if most == MAX_BATCH_BYTES else "batches of 1" if most == 1 else f"batches of {most}"


def _line(name: str, unit: str, of_one: float) -> Line:
    size = of_one * MILLION / GIGA
    return Line(name, unit, size, size, size, None, "", None)


async def _made(system: System, count: int) -> dict[Topic, list[Outgoing]]:
    """Every record, in the order in which the relay came to it."""
    sent: dict[Topic, list[Outgoing]] = {TRANSACTIONS: [], TRANSACTION_STATES: [], SESSIONS: [], SESSION_STATES: []}
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=100)
    under_way = [Purchase(number, midnight).steps() for number in range(count)]
    chance = random.Random(1)  # the same order every time
    checkout, consultation = (system.database(name).app_url for name in ("checkout", "consultation"))
    async with (
        await psycopg.AsyncConnection.connect(checkout, autocommit=True) as sales,
        await psycopg.AsyncConnection.connect(consultation, autocommit=True) as meetings,
    ):
        while under_way:
            place = chance.randrange(len(under_way))
            step = next(under_way[place], None)
            if step is None:
                under_way.pop(place)
                continue
            conn, published = (sales, SALES) if step[0] is TRANSACTION else (meetings, MEETINGS)
            await _carry_out(conn, step)
            for one in published:
                sent[one.topic] += await _relayed(conn, one)
    return sent


async def _carry_out(conn: psycopg.AsyncConnection[Any], step: Step) -> None:
    aggregate, stream, command, actor = step

    def draft(given: object) -> Callable[[Any], Awaitable[Any]]:
        async def command(_state: Any) -> Any:
            return given

        return command

    at = getattr(command, "at", None) or command.expires_at - timedelta(days=1)
    cause = Cause(actor, str(stream), str(uuid7()))
    await handle(conn, aggregate, stream, draft(command), CommandContext(cause, at))


async def _relayed(conn: psycopg.AsyncConnection[Any], published: Published) -> list[Outgoing]:
    """What the relay would send now; its marks are settled."""
    found = await read(conn, published, 5_000, ())
    marks = [mark for record in found for mark in (record.mark, *record.more)]
    states = published.states if isinstance(published, EventTopic) else None
    await settle(conn, published.topic.name, marks, states)
    assert found or isinstance(published, StateTopic)
    return found


def _packed(topic: Topic, sent: Sequence[Outgoing], compression: Compression, most: int) -> tuple[int, int]:
    """The bytes of all batches; and of those that compaction leaves: each with what is the last of its key."""
    whole = compacted = 0
    last = {record.key: record for record in sent}
    for partition in range(topic.partitions):
        mine = [record for record in sent if partition_of(record.key, topic.partitions) == partition]
        start = 0
        while start < len(mine):
            batch = Batch(MAX_BATCH_BYTES, compression)
            end = start + batch.fill(mine[start : start + most], 0, mine[start].at + 10**9)
            whole += len(batch.build())
            if left := [record for record in mine[start:end] if last[record.key] is record]:
                rest = Batch(MAX_BATCH_BYTES, compression)
                rest.fill(left, 0, left[0].at + 10**9)
                compacted += len(rest.build())
            start = end
    return whole, compacted
