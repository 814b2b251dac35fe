"""The FastStream subscriber, with every default that loses records switched off (reliability.md K10-K21)."""
# pyright: standard
# aiokafka and parts of FastStream are untyped, hence not strict here.

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage

from booking_inbox.assignment import Assignment

if TYPE_CHECKING:
    from booking_inbox.reader import Reader


def subscribe(
    reader: "Reader", assignment: Assignment, handle: Callable[[Any], Awaitable[None]], *, max_fetch: int
) -> tuple[KafkaBroker, Any]:
    """A broker that reads only, and its one subscriber of all topics; nothing is connected yet."""
    tuning = reader.tuning
    broker = KafkaBroker(
        reader.bootstrap.split(","),
        client_id=f"booking-{reader.name}",
        consumer_only=True,
        metadata_max_age_ms=int(tuning.metadata_age * 1000),
        allow_auto_create_topics=False,  # K20: it would create them with one partition and replica
        apply_types=False,
        graceful_timeout=1.0,  # the reader has waited already, with its own deadline (K19)
        logger=None,  # it logs headers and keys; aiokafka's own log and the monitor tell what matters
    )
    subscriber = broker.subscriber(
        *reader.topics,
        group_id=reader.group_id,
        # K6: also the answer to expired or out-of-range offsets. Everything comes again, and the inbox knows it (F50).
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.MANUAL,  # K13-K15: offsets are committed by OffsetCommits alone
        max_workers=1,  # K18
        no_reply=True,
        listener=assignment,
        parser=parse,
        decoder=raw_of,
        max_partition_fetch_bytes=max_fetch,
        fetch_max_wait_ms=int(tuning.fetch_wait * 1000),
        session_timeout_ms=int(tuning.session_timeout * 1000),
        heartbeat_interval_ms=int(tuning.heartbeat_interval * 1000),
        max_poll_interval_ms=int(tuning.max_poll_interval * 1000),
    )
    subscriber(handle)
    return broker, subscriber


async def parse(raw: Any) -> KafkaMessage:
    """FastStream's message around the raw record, looking at nothing: its own parser dies on a null header (K10)."""
    return KafkaMessage(raw_message=raw, body=raw.value or b"", headers={}, correlation_id="-", consumer=FAKE_CONSUMER)


async def raw_of(message: Any) -> Any:
    """The handler gets aiokafka's record."""
    return message.raw_message
