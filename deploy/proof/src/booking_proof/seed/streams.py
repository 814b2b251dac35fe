"""A story told to the services' own deciders, in memory: the events as they are stored, and what is beside them.

Ids and correlations are drawn from the story's own random, so the same story is the same to the byte. What the append
statements keep beside the events (rows, reviews, refunds, words) comes of the aggregates' own `parameters`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, Generic, TypeVar
from uuid import UUID

from booking_contracts.envelope import metadata
from booking_contracts.event import Event
from booking_contracts.transactions import (
    PaymentNeedsReview,
    PaymentReviewSettled,
    RefundFailed,
    RefundRequested,
    TransactionRefunded,
)
from booking_proof.seed.story import Step, Story, uuid4_of, uuid7_at
from booking_store import Aggregate, Cause, Change, CommandContext, FreeText
from checkout.transactions.store import TRANSACTION
from consultation.sessions.store import SESSION

C = TypeVar("C")
S = TypeVar("S")
_ABOUT_MONEY = PaymentNeedsReview | PaymentReviewSettled | RefundRequested | TransactionRefunded | RefundFailed


class ImpossibleStoryError(Exception):
    """A decider refused what the seed tells: the story is impossible."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event as its store keeps it."""

    version: int
    id: UUID
    event: Event
    data: str
    actor: str
    metadata: str
    correlation_id: str
    at: datetime


@dataclass(slots=True)
class Stream(Generic[C, S]):
    """One stream as it grows, and the words that were written along."""

    aggregate: Aggregate[C, S]
    id: UUID
    state: S
    events: list[Told] = field(default_factory=list[Told])
    words: list[tuple[datetime, FreeText]] = field(default_factory=list[tuple[datetime, FreeText]])
    reviews: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    @classmethod
    def of(cls, aggregate: Aggregate[C, S], stream_id: UUID) -> Stream[C, S]:
        """One without events yet."""
        return cls(aggregate, stream_id, aggregate.initial)

    def tell(self, step: Step, random: Random, because: Told | None = None) -> None:
        """Have it decided. ImpossibleStoryError for a refusal."""
        command: Any = step.command
        at = max(step.at, self.events[-1].at) if self.events else step.at
        decision = self.aggregate.decide(command, self.state)
        if not isinstance(decision, Sequence):
            raise ImpossibleStoryError(f"{self.aggregate.stream_type} {self.id}: {command}: {decision}")
        correlation = because.correlation_id if because else str(uuid4_of(random))
        cause = self.aggregate.cause(command, Cause(step.actor, correlation, str(because.id) if because else None))
        said = metadata(cause.actor, cause.correlation_id, cause.causation_id)
        before = after = self.state
        for event in decision:
            after = self.aggregate.evolve(after, event, at)
            version = len(self.events) + 1
            told = Told(version, uuid7_at(at, random), event, event.to_json(), cause.actor, said, correlation, at)
            self.events.append(told)
        self.state = after
        if step.words is not None and decision:
            self.words.append((at, step.words))
        if any(isinstance(event, _ABOUT_MONEY) for event in decision):
            context = CommandContext(cause, at, text=step.words)
            self._beside(self.aggregate.parameters(Change(command, before, decision, after, context)), at)

    def _beside(self, written: Any, at: datetime) -> None:
        """What append.sql keeps of reviews and refunds, and a provider's word on one."""
        if "text" in written:
            self.words.append((at, FreeText(written["text_id"], None, written["text"])))
        for row in json.loads(written["reviews"]):
            version = self.reviews[row["id"]]["version"] + 1 if row["id"] in self.reviews else 1
            self.reviews[row["id"]] = {**self.reviews.get(row["id"], {}), **row, "version": version}
        for row in json.loads(written["refunds_requested"]):
            self.refunds[row["id"]] = {**row, "status": "requested", "requested_at": at, "settled_at": None}
        for row in json.loads(written["refunds_settled"]):
            if row["id"] in self.refunds:
                self.refunds[row["id"]] |= {**row, "settled_at": at}


@dataclass(slots=True)
class Streams:
    """A purchase's stream and its sessions', as far as they have come."""

    story: Story
    sale: Stream[Any, Any]
    sessions: list[Stream[Any, Any]]


def told(story: Story, seed: int, until: datetime) -> Streams:
    """The streams of a story by `until`; what services made of a step is told with it."""
    random = Random(f"streams {seed} {story.number}")  # noqa: S311 - a story, no key
    streams: list[Stream[Any, Any]] = [Stream.of(TRANSACTION, story.sale)]
    streams += [Stream.of(SESSION, session_id) for session_id in story.sessions]
    for step in story.steps:
        if step.at > until:
            break
        stream = streams[step.stream]
        seen = len(stream.events)
        stream.tell(step, random)
        for reaction in step.then:
            causes = [one for one in stream.events[seen:] if type(one.event).__name__ in _LEADS_TO]
            streams[reaction.stream].tell(reaction, random, causes[-1] if causes else None)
    return Streams(story, streams[0], [one for one in streams[1:] if one.events])


_LEADS_TO = frozenset({"PractitionerReassigned", "RefundRequested", "TransactionRefunded"})
