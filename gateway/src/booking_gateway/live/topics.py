"""Hears the topics as any consumer may: the newest records, without a group, in each copy of the gateway all of them.

FastStream reads beneath. Not its FastAPI router: that lets no application start without Kafka, and keeps a client that
is stuck. Here a client that is not known to hear everything is thrown away, and what it may have missed is shown again
(`Hub.is_live`).
"""
# pyright: standard
# aiokafka and parts of FastStream are untyped, hence not strict here.

import asyncio
import contextlib
import importlib
import logging
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import structlog

from booking_contracts.brokers import faststream_options
from booking_contracts.deadlines import within
from booking_contracts.decode import decode
from booking_contracts.errors import NewerVersion, Undecodable
from booking_contracts.records import from_aiokafka
from booking_contracts.topics import SESSIONS, TRANSACTIONS
from booking_gateway.live.changes import change_of
from booking_gateway.live.hub import Hub

log = structlog.get_logger(__name__)
_TOPICS = (TRANSACTIONS, SESSIONS)
_BEAT, _PATIENCE, _PAUSE = 2.0, 5.0, 2.0
_METADATA_MS = 15_000


class NotHeard(Exception):
    """Kafka doesn't answer, lacks a topic, or its client is stuck."""


class _Look(NamedTuple):
    """Of each partition: what is read next, and what will be written next."""

    places: dict[Any, int]
    ends: dict[Any, int]


class Topics:
    """The subscription of a process; without brokers nothing is heard, and pages say so."""

    def __init__(self, bootstrap: str | None, prefix: str, hub: Hub) -> None:
        self._bootstrap, self._prefix, self._hub = bootstrap, prefix, hub

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """For the length of a block, in the background: nobody waits for Kafka."""
        task = asyncio.create_task(self._follow(self._bootstrap)) if self._bootstrap else None
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _follow(self, bootstrap: str) -> None:
        for noisy in ("aiokafka", "faststream"):  # they tell of a broker that is away several times a second
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        await asyncio.to_thread(importlib.import_module, "faststream.kafka")  # half a second, in which pages are made
        while True:
            try:
                await self._hear(bootstrap)
            except Exception as broken:  # noqa: BLE001 - whatever it was, pages go on and it is tried again
                if self._hub.live:
                    log.warning("changes are not heard", why=type(broken).__name__)
            self._hub.is_live(False)
            await asyncio.sleep(_PAUSE)

    async def _hear(self, bootstrap: str) -> None:
        broker = self._broker(bootstrap)
        try:
            await within(_PATIENCE * 2, broker.start())
            consumer = broker.subscribers[0].consumer
            look = _Look({}, {})
            while True:
                look = await within(_PATIENCE, self._look(consumer, look))
                if not self._hub.live:
                    log.info("changes are heard")
                    self._hub.is_live(True)
                await asyncio.sleep(_BEAT)
        finally:
            with contextlib.suppress(Exception):
                await within(_PATIENCE, broker.stop())

    async def _look(self, consumer: Any, before: _Look) -> _Look:
        """How far the client is, if it has what there was at the look before, or has moved. Raises NotHeard."""
        partitions = consumer.assignment()
        if {one.topic for one in partitions} != {self._prefix + topic.name for topic in _TOPICS}:
            raise NotHeard
        places = {one: await consumer.position(one) for one in partitions}
        if any(before.places.get(one) == place < before.ends[one] for one, place in places.items()):
            raise NotHeard
        return _Look(places, await consumer.end_offsets(list(partitions)))

    def _broker(self, bootstrap: str) -> Any:
        from faststream import AckPolicy, security  # noqa: PLC0415 - see _follow
        from faststream.kafka import KafkaBroker  # noqa: PLC0415
        from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage  # noqa: PLC0415

        async def whole(raw: Any) -> KafkaMessage:
            return KafkaMessage(
                raw_message=raw, body=raw.value or b"", headers={}, correlation_id="-", consumer=FAKE_CONSUMER
            )

        async def record(message: Any) -> Any:
            return message.raw_message

        broker = KafkaBroker(
            **faststream_options(bootstrap, security),
            client_id="booking-gateway",
            consumer_only=True,
            metadata_max_age_ms=_METADATA_MS,
            allow_auto_create_topics=False,
            apply_types=False,
            parser=whole,
            decoder=record,
            ack_policy=AckPolicy.MANUAL,
            graceful_timeout=1.0,
            logger=None,
        )

        names = [self._prefix + topic.name for topic in _TOPICS]

        @broker.subscriber(*names, group_id=None, auto_offset_reset="latest", max_workers=1, no_reply=True)
        async def changed(raw: Any) -> None:
            self._tell(raw)

        return broker

    def _tell(self, raw: Any) -> None:
        try:
            change = change_of(decode(from_aiokafka(raw, self._prefix)))
        except (Undecodable, NewerVersion) as unknown:
            log.warning("a record is not understood", why=type(unknown).__name__)
            return
        if change is not None:
            self._hub.tell(change)
