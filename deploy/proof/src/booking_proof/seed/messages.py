"""The notifier's ledger as it would stand: what each event asked for (its own rules), and what became of every message.

Most leave within seconds; some wait for a provider that was down, are refused, have no address, are of no use any more,
or ended with nobody knowing whether they left (N3 to N5). What was due after `until` still waits, for the notifier.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from booking_contracts import envelope, wire
from booking_contracts.ids import state_id_text
from booking_contracts.sessions import PractitionerChanged, SessionEvent, SessionRescheduled, SessionScheduled
from booking_contracts.topics import NOTIFICATIONS
from booking_proof.seed.people import Somebody
from booking_proof.seed.story import uuid7_text
from booking_proof.seed.streams import Stream, Streams, Told
from booking_proof.seed.times import after
from booking_web.languages import language_for
from notifier.rules import (
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


@dataclass(slots=True)
class Message:
    """A row of the ledger; `sent_at` of what was sent, delivered or not. `about`: what all of its records say."""

    id: str
    cause: Told
    cause_id: str
    planned: PlannedMessage
    channel: Channel
    locale: str
    session_id: str | None
    transaction_id: str | None
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

    def steps(self) -> list[tuple[datetime, bytes]]:
        """Its records, with their times: asked for, and what came of it."""
        planned = self.planned
        # No JSON encoder, which takes as long as all the rest: ids, codes and times need no escape.
        about = (
            f'{{"notification_id":"{self.id}","recipient_id":"{planned.recipient_id}","channel":"{self.channel}",'
            f'"template":"{planned.template}"'
        )
        if self.session_id is not None:
            about += f',"session_id":"{self.session_id}"'
        if self.transaction_id is not None:
            about += f',"transaction_id":"{self.transaction_id}"'
        by = envelope.metadata("system", self.cause.correlation_id, self.cause_id).encode()
        asked = f',"cause_event_id":"{self.cause_id}","locale":"{self.locale}","due_at":"{_instant(planned.due_at)}"}}'
        found = [_record(self.id, 1, "NotificationRequested", self.queued_at, about + asked, by=by)]
        about += f',"attempt":{self.attempts}'
        if self.sent_at is not None:
            said = f',"provider_message_id":"{self.provider_message_id}"}}' if self.provider_message_id else "}"
            version = self.version - (self.state == "delivered")
            found.append(_record(self.id, version, "NotificationSent", self.sent_at, about + said, by=by))
        if self.delivered_at is not None:
            said = f',"at":"{_instant(self.delivered_at)}"}}'
            found.append(_record(self.id, self.version, "NotificationDelivered", self.changed_at, about + said, by=by))
        elif (kind := _ENDS.get(self.state)) is not None:
            said = f',"{kind[1]}":"{self.reason}"}}'
            found.append(_record(self.id, self.version, kind[0], self.changed_at, about + said, by=by))
        return found


_ENDS = {
    "failed": ("NotificationFailed", "code"),
    "ambiguous": ("NotificationAmbiguous", "code"),
    "skipped": ("NotificationSkipped", "reason"),
}


def _record(key: str, version: int, kind: str, at: datetime, value: str, *, by: bytes) -> tuple[datetime, bytes]:
    record = wire.record(
        NOTIFICATIONS.source,
        kind,
        1,
        key=key.encode(),
        value=value.encode(),
        event_id=state_id_text(NOTIFICATIONS.name, key, version).encode(),
        time=envelope.rfc3339(at).encode(),
        sequence=str(version).encode(),
        metadata=by,
        traceparent=None,
    )
    return at, record


def _instant(at: datetime) -> str:
    """As the ledger's own query writes it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


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
            ids = (getattr(told.event, name, None) for name in ("session_id", "transaction_id"))
            session_id, transaction_id = (id_ and str(id_) for id_ in ids)
            cause_id = str(told.id)
            for planned in messages_for(told.event, actor=told.actor, at=told.at):
                person = self._people.get(planned.recipient_id)
                locale = language_for(person and person.locale)
                wanted = channels_to_write(
                    planned.recipient_id, _preferences(person, queued_at), is_timer=planned.fence is not None
                )
                for channel in wanted:
                    id_ = uuid7_text(queued_at, random)
                    asked = Message(
                        id_, told, cause_id, planned, channel, locale, session_id, transaction_id, queued_at, queued_at
                    )
                    self._become(asked, person, timeline, random)
                    yield asked

    def _become(self, one: Message, person: Somebody | None, timeline: list[Standing], random: Random) -> None:
        """What came of it by `until`."""
        planned, until = one.planned, self._until
        tried_at = max(planned.due_at, one.queued_at) + after(timedelta(milliseconds=700), random, 0.7)
        if random.random() < _OUTAGE:
            tried_at += after(timedelta(minutes=25), random)
        dropped_at = _dropped(planned, timeline, one.cause.at)
        if dropped_at is not None and dropped_at <= tried_at:
            if dropped_at <= until:
                _end(one, "skipped", "superseded", dropped_at)
            return
        if tried_at > until:
            return
        standing = timeline[bisect_right(timeline, tried_at, key=lambda one: one.since) - 1] if timeline else None
        current = CurrentState(
            schedule_version=standing and standing.schedule_version,
            status=standing and standing.status,
            recipient_erased=person is not None and person.erased_at is not None and person.erased_at <= tried_at,
            channel_wanted=one.channel in channels(planned.recipient_id, _preferences(person, tried_at)),
        )
        reason = skip_reason(planned.fence, planned.useful_until, current, tried_at)
        if reason is not None:
            _end(one, "skipped", reason, tried_at)
        elif one.channel == "whatsapp" and person is not None and person.phone is None:
            late = max(planned.due_at, one.queued_at) + ADDRESS_WAIT
            if late <= until:
                _end(one, "failed", "no_address", late)
        else:
            self._tried(one, tried_at, random)

    def _tried(self, one: Message, at: datetime, random: Random) -> None:
        channel, attempts = one.channel, 1
        at += after(timedelta(seconds=1.2 if channel == "email" else 0.5), random, 0.6)
        while random.random() < _AGAIN:  # "not now": a minute later once more, or ten
            attempts += 1
            at += after(timedelta(minutes=3), random)
        ambiguous = random.random() < _AMBIGUOUS
        if ambiguous:  # tried once more, and again nobody knows
            attempts += 1
            at += timedelta(seconds=random.randrange(5, 40))
        if at > self._until:
            return
        one.attempts, version = attempts, 1 + 2 * attempts
        if ambiguous:
            one.ambiguities = 2
            _end(one, "ambiguous", random.choice(("worker_died", "no_answer")), at, version)
        elif random.random() < _REFUSED[channel]:
            _end(one, "failed", random.choice(_REFUSALS[channel]), at, version)
        else:
            _end(one, "sent", None, at, version)
            one.sent_at = at
            if channel == "whatsapp":
                self._arrived(one, at, random)

    def _arrived(self, one: Message, at: datetime, random: Random) -> None:
        one.provider_message_id = f"wamid.{random.getrandbits(128):032X}"
        arrived = at + after(timedelta(seconds=4), random, 1.5)
        if random.random() < _READ and arrived <= self._until:
            _end(one, "delivered", None, arrived, one.version + 1)
            one.delivered_at = max(at, arrived.replace(microsecond=0))


def _end(one: Message, state: str, reason: str | None, at: datetime, version: int = 2) -> None:
    one.state, one.reason, one.changed_at, one.version = state, reason, at, version


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
