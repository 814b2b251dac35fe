"""The notifier's ledger as it would stand: what each event asked for (its own rules), and what became of every message.

Most leave within seconds; some wait for a provider that was down, are refused, have no address, are of no use any more,
or ended with nobody knowing whether they left (N3 to N5). What was due after `until` still waits, for the notifier.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from booking_contracts import envelope, wire
from booking_contracts.ids import state_id
from booking_contracts.sessions import PractitionerChanged, SessionEvent, SessionRescheduled, SessionScheduled
from booking_contracts.topics import NOTIFICATIONS
from booking_proof.seed.people import Somebody
from booking_proof.seed.story import uuid7_at
from booking_proof.seed.streams import Stream, Streams, Told
from booking_proof.seed.times import after
from booking_web.languages import language_for
from notifier.rules import (
    ADMINS,
    TABLE,
    Channel,
    CurrentState,
    PlannedMessage,
    Preferences,
    channels,
    channels_to_write,
    messages_for,
    skip_reason,
)

ADDRESS_WAIT = timedelta(minutes=15)
# Of those that are tried: how often it ends so, by channel.
_REFUSED: Mapping[Channel, float] = {"email": 0.009, "whatsapp": 0.03}
_REFUSALS: Mapping[Channel, tuple[str, ...]] = {
    "email": ("smtp_550", "smtp_550", "smtp_552"),
    "whatsapp": ("131026", "131026", "131049"),
}
_AMBIGUOUS, _READ, _AGAIN, _OUTAGE = 0.003, 0.93, 0.03, 0.004


@dataclass(frozen=True, slots=True)
class Standing:
    """How a session stood for the notifier, since when."""

    since: datetime
    status: str
    schedule_version: int
    starts_at: datetime | None
    ends_at: datetime | None


def standings(events: list[Told]) -> list[Standing]:
    """A session's, event by event: a time comes with a schedule and goes with a change of practitioner."""
    found: list[Standing] = []
    for told in events:
        event: Any = told.event
        assert isinstance(event, SessionEvent)
        before = found[-1] if found else Standing(told.at, event.status, 0, None, None)
        version = getattr(event, "schedule_version", before.schedule_version)
        starts_at, ends_at = before.starts_at, before.ends_at
        if isinstance(event, SessionScheduled | SessionRescheduled):
            starts_at, ends_at = event.starts_at, event.ends_at
        elif isinstance(event, PractitionerChanged):
            starts_at = ends_at = None
        found.append(Standing(told.at, event.status, version, starts_at, ends_at))
    return found


@dataclass(frozen=True, slots=True)
class Message:
    """A row of the ledger; `sent_at` of what was sent, delivered or not."""

    id: UUID
    cause: Told
    planned: PlannedMessage
    channel: Channel
    locale: str
    session_id: UUID | None
    transaction_id: UUID | None
    queued_at: datetime
    changed_at: datetime
    state: str = "pending"
    reason: str | None = None
    attempts: int = 0
    ambiguities: int = 0
    version: int = 1
    provider_message_id: str | None = None
    sent_at: datetime | None = None
    delivered_at: datetime | None = None

    @property
    def not_before(self) -> datetime | None:
        """When it is tried, where it waits."""
        return max(self.planned.due_at, self.queued_at) if self.state == "pending" else None

    def steps(self) -> Iterator[tuple[datetime, bytes]]:
        """Its records, with their times: asked for, and what came of it."""
        due = {"cause_event_id": str(self.cause.id), "locale": self.locale, "due_at": _instant(self.planned.due_at)}
        yield self._record(1, "NotificationRequested", self.queued_at, due)
        if self.sent_at is not None:
            version = self.version - (self.state == "delivered")
            said = {"attempt": self.attempts, "provider_message_id": self.provider_message_id}
            yield self._record(version, "NotificationSent", self.sent_at, said)
        said: dict[str, Any]
        match self.state:
            case "delivered":
                assert self.delivered_at is not None
                said = {"attempt": self.attempts, "at": _instant(self.delivered_at)}
                yield self._record(self.version, "NotificationDelivered", self.changed_at, said)
            case "failed" | "ambiguous":
                kind = f"Notification{self.state.capitalize()}"
                said = {"attempt": self.attempts, "code": self.reason}
                yield self._record(self.version, kind, self.changed_at, said)
            case "skipped":
                said = {"attempt": self.attempts, "reason": self.reason}
                yield self._record(self.version, "NotificationSkipped", self.changed_at, said)
            case _:
                pass

    def _record(self, version: int, kind: str, at: datetime, said: Mapping[str, Any]) -> tuple[datetime, bytes]:
        key, planned = str(self.id), self.planned
        value: dict[str, Any] = {
            "notification_id": key, "recipient_id": planned.recipient_id, "channel": self.channel,
            "template": planned.template, "session_id": self.session_id and str(self.session_id),
            "transaction_id": self.transaction_id and str(self.transaction_id), **said,
        }  # fmt: skip
        record = wire.record(
            NOTIFICATIONS.source,
            kind,
            1,
            key=key.encode(),
            value=json.dumps({name: one for name, one in value.items() if one is not None}).encode(),
            event_id=str(state_id(NOTIFICATIONS.name, key, version)).encode(),
            time=envelope.rfc3339(at).encode(),
            sequence=str(version).encode(),
            metadata=envelope.metadata("system", self.cause.correlation_id, str(self.cause.id)).encode(),
            traceparent=None,
        )
        return at, record


def _instant(at: datetime) -> str:
    """As the ledger's own query writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Ledger:
    """Writes down what a purchase's events asked for."""

    def __init__(self, people: Mapping[str, Somebody], seed: int, until: datetime) -> None:
        self._people, self._seed, self._until = people, seed, until

    def messages(self, streams: Streams) -> list[Message]:
        """All of them, in the order in which they were asked for."""
        random = Random(f"messages {self._seed} {streams.story.number}")  # noqa: S311 - a story, no key
        found = list(self._of(streams.sale, [], random))
        for one in streams.sessions:
            found += self._of(one, standings(one.events), random)
        return found

    def _of(self, stream: Stream[Any, Any], timeline: list[Standing], random: Random) -> Iterator[Message]:
        for told in stream.events:
            if type(told.event) not in TABLE:
                continue
            queued_at = told.at + timedelta(milliseconds=random.randrange(30, 900))
            for planned in messages_for(told.event, actor=told.actor, at=told.at):
                person = self._people.get(planned.recipient_id)
                wanted = channels_to_write(
                    planned.recipient_id, _preferences(person, queued_at), is_timer=planned.fence is not None
                )
                for channel in wanted:
                    asked = Message(
                        uuid7_at(queued_at, random), told, planned, channel, language_for(person and person.locale),
                        getattr(told.event, "session_id", None), getattr(told.event, "transaction_id", None),
                        queued_at, queued_at,
                    )  # fmt: skip
                    yield self._become(asked, person, timeline, random)

    def _become(self, asked: Message, person: Somebody | None, timeline: list[Standing], random: Random) -> Message:
        """What came of it by `until`."""
        planned = asked.planned
        tried_at = max(planned.due_at, asked.queued_at) + after(timedelta(milliseconds=700), random, 0.7)
        if random.random() < _OUTAGE:
            tried_at += after(timedelta(minutes=25), random)
        dropped_at = _dropped(planned, timeline, asked.cause.at)
        if dropped_at is not None and dropped_at <= tried_at:
            skipped = replace(asked, state="skipped", reason="superseded", version=2, changed_at=dropped_at)
            return asked if dropped_at > self._until else skipped
        if tried_at > self._until:
            return asked
        standing = timeline[bisect_right(timeline, tried_at, key=lambda one: one.since) - 1] if timeline else None
        current = CurrentState(
            schedule_version=standing and standing.schedule_version,
            status=standing and standing.status,
            recipient_erased=person is not None and person.erased_at is not None and person.erased_at <= tried_at,
            channel_wanted=asked.channel in channels(planned.recipient_id, _preferences(person, tried_at)),
        )
        reason = skip_reason(planned.fence, planned.useful_until, current, tried_at)
        if reason is not None:
            return replace(asked, state="skipped", reason=reason, version=2, changed_at=tried_at)
        if asked.channel == "whatsapp" and person is not None and person.phone is None:
            late = max(planned.due_at, asked.queued_at) + ADDRESS_WAIT
            failed = replace(asked, state="failed", reason="no_address", version=2, changed_at=late)
            return failed if late <= self._until else asked
        return self._tried(asked, tried_at, random)

    def _tried(self, asked: Message, at: datetime, random: Random) -> Message:
        channel, attempts = asked.channel, 1
        at += after(timedelta(seconds=1.2 if channel == "email" else 0.5), random, 0.6)
        while random.random() < _AGAIN:  # "not now": a minute later once more, or ten
            attempts += 1
            at += after(timedelta(minutes=3), random)
        if at > self._until:
            return asked
        done = replace(asked, attempts=attempts, version=1 + 2 * attempts, changed_at=at)
        if random.random() < _AMBIGUOUS:
            at += timedelta(seconds=random.uniform(5, 40))
            twice = replace(done, attempts=attempts + 1, version=done.version + 2, changed_at=at, ambiguities=2)
            return replace(twice, state="ambiguous", reason=random.choice(("worker_died", "no_answer")))
        if random.random() < _REFUSED[channel]:
            return replace(done, state="failed", reason=random.choice(_REFUSALS[channel]))
        if channel == "email":
            return replace(done, state="sent", sent_at=at)
        sent = replace(done, state="sent", sent_at=at, provider_message_id=f"wamid.{random.getrandbits(128):032X}")
        arrived = at + after(timedelta(seconds=4), random, 1.5)
        if random.random() > _READ or arrived > self._until:
            return sent
        delivered_at = arrived.replace(microsecond=0)
        return replace(
            sent, state="delivered", version=sent.version + 1, changed_at=arrived, delivered_at=max(at, delivered_at)
        )


def _preferences(person: Somebody | None, at: datetime) -> Preferences:
    if person is None or person.channels is None or person.chose_at is None or person.chose_at > at:
        return Preferences()
    return Preferences(*person.channels)


def _dropped(planned: PlannedMessage, timeline: list[Standing], since: datetime) -> datetime | None:
    """When the session came to stand otherwise than its timer is for (N4)."""
    if planned.fence is None:
        return None
    wanted = (planned.fence.schedule_version, planned.fence.status)
    for one in timeline:
        if one.since >= since and (one.schedule_version, one.status) != wanted:
            return one.since + timedelta(milliseconds=350)
    return None


__all__ = ["ADMINS", "Ledger", "Message", "Standing", "standings"]
