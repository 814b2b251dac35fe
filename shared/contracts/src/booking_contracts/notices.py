"""What an operator did to a topic, told on `booking.operations.notices.v1`: readers see copies and second histories."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import ConfigDict, Field

from booking_contracts.event import Code, Event, Part

Partition = Annotated[int, Field(ge=0, le=2**31 - 1)]
Place = Annotated[int, Field(ge=0, le=2**63 - 1)]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]


class Stretch(Part):
    """Records of one partition that follow each other, both ends among them."""

    model_config = ConfigDict(title="Stretch")
    partition: Partition
    first: Place
    last: Place


class NoticeEvent(Event):
    """What every notice carries: one operator's deed on one topic."""

    NAMESPACE: ClassVar[str] = "com.booking.operations"
    notice_id: UUID
    topic: Code
    topic_id: Code


class RepublishBegan(NoticeEvent):
    """An operator publishes a topic again, all of it or a part: from now on records come that were there before. Who
    drops copies by `ce_id` need do nothing. `RepublishEnded` follows; without it the work was broken off, or still
    goes on. A data team reads it."""

    whole: bool


class RepublishEnded(NoticeEvent):
    """All that was asked for is in the topic again (`RepublishBegan`). Of an event topic `stretches` say where the
    copies lie, now and then with others between them; a state topic's rows follow within moments, by the relay. A data
    team reads it."""

    records: Count
    stretches: tuple[Stretch, ...]


class RestoreAccepted(NoticeEvent):
    """The topic's store was restored from before its topic, and an operator accepted that. Records up to the ends of
    `stretches` may be of a history that the store no longer knows: the same key may have the same `ce_sequence` again,
    with another `ce_id` and other data. What the store says is what counts from here on. A data team reads it."""

    stretches: tuple[Stretch, ...]
