"""The composition root of the calendar: the only place that reads settings and wires things. No I/O happens here."""

from dataclasses import dataclass
from typing import get_args

from booking_contracts.sessions import SessionStatus
from booking_inbox import Consumer, Inbox, Tuning, held_records_router
from booking_inbox.http import ENUMERATIONS as HELD
from booking_inbox.http import TAGS as HELD_TAGS
from booking_outbox import Relay, Waker
from booking_process.database import Database
from booking_process.service import Service
from calendar_projector.calendar.http import events_router
from calendar_projector.feeds.http import feeds_router, public_feeds_router
from calendar_projector.feeds.store import Tokens
from calendar_projector.kafka import CONSUMER, router
from calendar_projector.projection import generations, switch
from calendar_projector.projection.consumer import Kafka
from calendar_projector.projection.http import projections_router
from calendar_projector.projection.projector import Projector
from calendar_projector.projection.slot import ROWS, Slot, inbox_of
from calendar_projector.projection.state import ProjectionStatus
from calendar_projector.settings import Settings
from calendar_projector.stream import items
from calendar_projector.stream.http import stream_router, tickets_router
from calendar_projector.stream.hub import Hub
from calendar_projector.stream.log import Forgetting
from calendar_projector.stream.telling import teller
from calendar_projector.stream.tickets import Tickets

SERVICE = "calendar"

TAGS = {
    "calendar": "Whose time is taken by what.",
    "feeds": "Secret addresses that calendar apps subscribe to.",
    "stream": "What happens to Transactions and sessions, as it happens.",
    "projections": "How far the calendar has read its topics; rebuilding it.",
}
"""What the operations of each tag are about."""


def build(settings: Settings) -> Service:
    """The whole service."""
    database = Database.of(settings, SERVICE)
    waker = Waker(settings.direct_url)
    hub = Hub(database)
    secret = settings.feed_secret.get_secret_value()
    previous = [one.get_secret_value() for one in settings.feed_previous_secrets]
    tokens, tickets = Tokens(secret, settings.public_url, previous), Tickets(secret, previous)
    kafka = Kafka(settings.brokers, settings.topic_prefix)
    projector = Projector(
        database=database,
        kafka=kafka,
        published=waker.poke,
        rebuild_consumers=settings.rebuild_consumers,
        patience=settings.switch_patience_seconds,
    )
    relay = Relay(
        database_url=settings.direct_url,
        bootstrap=kafka.bootstrap,
        topic_prefix=kafka.prefix,
        topics=[ROWS],
        lock_name="calendar-projector",
        wake=waker,
        kafka_options={"compression_type": settings.relay_compression},
    )
    people = Consumer(
        CONSUMER,
        router,
        database=database,
        bootstrap=kafka.bootstrap,
        topic_prefix=kafka.prefix,
        tuning=Tuning(gap_limit=settings.consumer_gap_limit),
    )
    changes = teller(database, kafka.bootstrap, kafka.prefix)
    return Service(
        name=SERVICE,
        title="Calendar",
        description="user_schedule: the calendar of practitioners and members, its feeds; the stream of changes.",
        version="4.0.0",
        settings=settings,
        database=database,
        routers=[
            events_router(database, settings.platform_timezone),
            tickets_router(database, tickets),
            stream_router(database, hub, tickets),
            feeds_router(database, tokens),
            public_feeds_router(database, tokens),
            projections_router(database),
            held_records_router(
                [people, *_slots()], database, replay=switch.replay, discard=switch.discard, past=[generations.PAST]
            ),
        ],
        workers=[projector, relay, people, changes, Forgetting(database)],
        waker=waker,
        migrations="calendar_projector:migrations",
        tags=TAGS | HELD_TAGS,
        enumerations={"SessionStatus": get_args(SessionStatus), "ProjectionStatus": get_args(ProjectionStatus)}
        | items.ENUMERATIONS
        | HELD,
        on_start=[hub.start],
        on_stop=[hub.close],
    )


@dataclass
class _SlotConsumer:
    """What the held records' routes need of a slot's consumer, which runs in a worker."""

    name: str
    inbox: Inbox


def _slots() -> list[_SlotConsumer]:
    # Rows that a replay publishes are found by the relay's own polling.
    return [_SlotConsumer(Slot(name).consumer, inbox_of(Slot(name), lambda _: None)) for name in "ab"]
