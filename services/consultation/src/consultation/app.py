"""The composition root of consultation: the only place that reads settings and wires things. No I/O happens here."""

from booking_inbox import Consumer, Tuning, held_records_router
from booking_inbox.http import ENUMERATIONS as HELD
from booking_inbox.http import TAGS as HELD_TAGS
from booking_outbox import Relay, Waker
from booking_process.database import Database
from booking_process.service import Service
from booking_store import Busy
from consultation.dependencies import CONSUMER, SERVICE, Dependencies, now
from consultation.entitlements import told
from consultation.entitlements.http import assessments_router
from consultation.entitlements.products import SoldProducts
from consultation.kafka import router
from consultation.links import MeetingLinks, ResultLinks
from consultation.sessions import published, timers
from consultation.sessions.http import commands_router, requests_router
from consultation.sessions.models import ENUMERATIONS, OPEN_ENUMERATIONS
from consultation.sessions.problems import PROBLEMS
from consultation.sessions.queries import queries_router
from consultation.settings import Settings

TAGS = {
    "sessions": "A session from the request over its schedule to the result.",
    "assessments": "Completed assessments that a session may be about.",
}
"""What the operations of each tag are about."""


def build(settings: Settings) -> Service:
    """The whole service."""
    database = Database.of(settings, SERVICE)
    waker = Waker(settings.direct_url)
    relay = Relay(
        database_url=settings.direct_url,
        bootstrap=settings.brokers,
        topic_prefix=settings.topic_prefix,
        topics=(*published.PUBLISHED, told.PUBLISHED),
        lock_name=SERVICE,
        wake=waker,
        kafka_options={"compression_type": settings.relay_compression},
    )
    consumer = Consumer(
        CONSUMER,
        router,
        database=database,
        bootstrap=settings.brokers,
        topic_prefix=settings.topic_prefix,
        transient=(Busy,),
        after_commit=waker.poke,
        tuning=Tuning(gap_limit=settings.consumer_gap_limit),
    )
    timing = {
        "database": database,
        "poll_seconds": settings.timer_poll_seconds,
        "after_commit": waker.poke,
    }
    products = SoldProducts(database, settings.brokers, settings.topic_prefix)
    deps = Dependencies(
        database=database,
        clock=now,
        meeting_links=MeetingLinks(settings.meeting_hosts),
        result_links=ResultLinks(settings.result_hosts),
        platform_timezone=settings.platform_timezone,
        committed=waker.poke,
    )
    return Service(
        name=SERVICE,
        title="Consultation",
        description="FeedbackSessions: request, schedule, hold, result; and the assessments they may be about.",
        settings=settings,
        database=database,
        routers=[
            requests_router(deps),
            queries_router(deps),
            commands_router(deps),
            assessments_router(deps),
            held_records_router(consumer, database),
        ],
        workers=[relay, consumer, products, timers.time_outs(**timing), timers.starts(**timing)],
        waker=waker,
        problems=PROBLEMS,
        migrations="consultation:migrations",
        tags=TAGS | HELD_TAGS,
        enumerations=ENUMERATIONS | HELD,
        open_enumerations=OPEN_ENUMERATIONS,
    )
