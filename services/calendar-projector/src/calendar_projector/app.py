"""The composition root of the calendar: the only place that reads settings and wires things. No I/O happens here."""

from dataclasses import dataclass

from booking_inbox import Consumer, Inbox, Tuning, held_records_router
from booking_outbox import Relay, Waker
from booking_process.database import Database
from booking_process.service import Service
from calendar_projector.calendar.http import events_router
from calendar_projector.calendar.live import Announcer, Hub, stream_router
from calendar_projector.feeds.http import feeds_router, public_feeds_router
from calendar_projector.feeds.store import Tokens
from calendar_projector.kafka import CONSUMER, router
from calendar_projector.projection import generations, switch
from calendar_projector.projection.consumer import Kafka
from calendar_projector.projection.http import projections_router
from calendar_projector.projection.projector import Projector
from calendar_projector.projection.slot import ROWS, Slot, inbox_of
from calendar_projector.settings import Settings

SERVICE = "calendar"


def build(settings: Settings) -> Service:
    """The whole service."""
    database = Database.of(settings, SERVICE)
    waker = Waker(settings.database_url)
    announcer, hub = Announcer(settings.database_url, waker.poke), Hub(settings.database_url)
    tokens = Tokens(settings.feed_secret.get_secret_value(), settings.public_url)
    kafka = Kafka(settings.kafka_bootstrap, settings.topic_prefix)
    projector = Projector(
        database=database,
        kafka=kafka,
        listener=announcer,
        rebuild_consumers=settings.rebuild_consumers,
        patience=settings.switch_patience_seconds,
    )
    relay = Relay(
        database_url=settings.database_url,
        bootstrap=kafka.bootstrap,
        topic_prefix=kafka.prefix,
        topics=[ROWS],
        lock_name="calendar-projector",
        wake=waker,
        kafka_options={"compression_type": settings.relay_compression},
    )
    erasures = Consumer(
        CONSUMER,
        router,
        database=database,
        bootstrap=kafka.bootstrap,
        topic_prefix=kafka.prefix,
        tuning=Tuning(gap_limit=settings.consumer_gap_limit),
    )
    return Service(
        name=SERVICE,
        title="Calendar",
        description="user_schedule: the calendar of practitioners and members, its feeds, its changes as they happen.",
        settings=settings,
        database=database,
        routers=[
            events_router(database, settings.platform_timezone),
            stream_router(database, hub),
            feeds_router(database, tokens),
            public_feeds_router(database, tokens),
            projections_router(database),
            held_records_router(
                [erasures, *_slots()], database, replay=switch.replay, discard=switch.discard, past=[generations.PAST]
            ),
        ],
        workers=[projector, relay, erasures],
        waker=waker,
        migrations="calendar_projector:migrations",
        on_start=[announcer.start, hub.start],
        on_stop=[announcer.close, hub.close],
    )


@dataclass
class _SlotConsumer:
    """What the held records' routes need of a slot's consumer, which runs in a worker."""

    name: str
    inbox: Inbox


def _slots() -> list[_SlotConsumer]:
    # Rows that a replay publishes are found by the relay's own polling.
    return [_SlotConsumer(Slot(name).consumer, inbox_of(Slot(name), lambda _: None)) for name in "ab"]
