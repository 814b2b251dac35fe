"""What readers elsewhere are told of a republishing and of an accepted restore (`booking_contracts.notices`, ADR 20).

Sent by whoever holds the leader's lock, straight to the topic and acknowledged there: no mark and no row. A database is
what a restore takes back; what was done to a topic must be known where the topic is.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from booking_contracts import envelope, wire
from booking_contracts.ids import uuid7
from booking_contracts.notices import NoticeEvent, RepublishBegan, RepublishEnded, RestoreAccepted, Stretch
from booking_contracts.topics import NOTICES, Topic
from booking_outbox._encoding import Outgoing
from booking_outbox._lead import Lead
from booking_outbox._restore import Incarnation
from booking_outbox._sender import Sender


class Notices:
    """The notices of one operator's command, in their order."""

    def __init__(
        self, lead: Lead, topics: Mapping[str, Incarnation], *, bootstrap: str, prefix: str, options: dict[str, Any]
    ) -> None:
        self._lead, self._topics = lead, topics
        self._sender = Sender(bootstrap, prefix + NOTICES.name, options)

    async def began(self, topic: Topic, *, whole: bool) -> UUID:
        """Before the first copy. The notice's id, under which it is `ended`."""
        notice_id = uuid7()
        named = {"topic": topic.name, "topic_id": self._topics[topic.name].topic_id}
        await self._send(topic, 1, RepublishBegan(notice_id=notice_id, whole=whole, **named))
        return notice_id

    async def ended(self, topic: Topic, notice_id: UUID, records: int, stretches: tuple[Stretch, ...]) -> None:
        """After the last copy."""
        named = {"topic": topic.name, "topic_id": self._topics[topic.name].topic_id}
        await self._send(topic, 2, RepublishEnded(notice_id=notice_id, records=records, stretches=stretches, **named))

    async def restored(self, topic: Topic) -> None:
        """An operator accepts what the topic holds as yet."""
        topic_id, ends = self._topics[topic.name]
        stretches = tuple(Stretch(partition=p, first=0, last=end - 1) for p, end in sorted(ends.items()) if end)
        event = RestoreAccepted(notice_id=uuid7(), topic=topic.name, topic_id=topic_id, stretches=stretches)
        await self._send(topic, 1, event)

    async def close(self) -> None:
        """Nothing is in hand: each was acknowledged."""
        await self._sender.close()

    async def _send(self, topic: Topic, sequence: int, event: NoticeEvent) -> None:
        now, key = datetime.now(UTC), str(event.notice_id)
        record = wire.record(
            NOTICES.source,
            event.TYPE,
            event.TYPE_VERSION,
            key=key.encode(),
            value=event.to_json().encode(),
            event_id=str(uuid7()).encode(),
            time=envelope.rfc3339(now).encode(),
            sequence=str(sequence).encode(),
            metadata=envelope.metadata(f"service:{topic.writers[0]}", key).encode(),
            traceparent=None,
        )
        await self._sender.send([Outgoing(b"", record, int(now.timestamp() * 1000))], self._lead)
