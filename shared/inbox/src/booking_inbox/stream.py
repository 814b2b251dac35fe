"""The FastStream subscriber that reads, with every default that loses records switched off (reliability.md K10-K21).

One subscriber of all topics, one after the other, raw: the handler is the reader's, which hands batches to the engine.
"""
# pyright: standard
# aiokafka and parts of FastStream are untyped, hence not strict here.

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from faststream import AckPolicy, security
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage

from booking_contracts.brokers import faststream_options
from booking_inbox.patience import Tuning

_MAX_FETCH = 2 * 1024 * 1024
"""Above the topics' largest record, so that one fetch always holds a whole record."""


def subscribe(
    handle: Callable[[Any], Awaitable[None]],
    *topics: str,
    name: str,
    group_id: str,
    bootstrap: str,
    listener: Any,
    tuning: Tuning,
) -> tuple[KafkaBroker, Any]:
    """A broker that reads only, and its one subscriber; nothing is connected yet."""
    broker = KafkaBroker(
        **faststream_options(bootstrap, security),
        client_id=f"booking-{name}",
        consumer_only=True,
        metadata_max_age_ms=int(tuning.metadata_age * 1000),
        allow_auto_create_topics=False,  # K20: it would create them with one partition and replica
        apply_types=False,
        parser=parse,
        decoder=raw_of,
        ack_policy=AckPolicy.MANUAL,  # K13-K15: offsets are committed by OffsetCommits alone
        graceful_timeout=1.0,  # the reader has waited already, with its own deadline (K19)
        logger=None,  # it logs headers and keys; aiokafka's own log and the monitor tell what matters
    )

    @broker.subscriber(
        *topics,
        group_id=group_id,
        # K6: also the answer to expired or out-of-range offsets. Everything comes again, and the inbox knows it (F50).
        auto_offset_reset="earliest",
        max_workers=1,  # K18
        no_reply=True,
        listener=listener,
        max_partition_fetch_bytes=_MAX_FETCH,
        fetch_max_wait_ms=int(tuning.fetch_wait * 1000),
        session_timeout_ms=int(tuning.session_timeout * 1000),
        heartbeat_interval_ms=int(tuning.heartbeat_interval * 1000),
        max_poll_interval_ms=int(tuning.max_poll_interval * 1000),
    )
    async def records(raw: Any) -> None:
        await handle(raw)

    return broker, broker.subscribers[0]


def build_clients_by(broker: Any, consumer: type[Any]) -> None:
    """Let a connected broker build Kafka clients of this kind."""
    config = broker.config.broker_config
    config.builder = partial(consumer, **config.builder.keywords)


async def parse(raw: Any) -> KafkaMessage:
    """FastStream's message around the raw record, looking at nothing: its own parser dies on a null header (K10)."""
    return KafkaMessage(raw_message=raw, body=raw.value or b"", headers={}, correlation_id="-", consumer=FAKE_CONSUMER)


async def raw_of(message: Any) -> Any:
    """The handler gets aiokafka's record."""
    return message.raw_message
