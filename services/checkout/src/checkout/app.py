"""The composition root: the only place that reads settings and wires things. Building does no I/O."""

from datetime import timedelta
from functools import partial

from fastapi import Depends

from booking_contracts.zones import zone
from booking_inbox import Consumer, Tuning, held_records_router
from booking_inbox.http import ENUMERATIONS as HELD
from booking_inbox.http import TAGS as HELD_TAGS
from booking_outbox import Relay, Waker
from booking_process.database import Database
from booking_process.service import Service, Worker
from booking_store import Busy
from checkout.catalogue import products_router
from checkout.contexts import CONSUMER
from checkout.kafka import PUBLISHED, router_of
from checkout.payments import http as reviews
from checkout.payments import pages
from checkout.payments.expiry import Expiry
from checkout.payments.http import reviews_router
from checkout.payments.manual import Manual
from checkout.payments.midtrans import Midtrans
from checkout.payments.notifications import forget_bodies, payments_router
from checkout.payments.pages import Pages
from checkout.payments.provider import Backoff, Provider
from checkout.payments.refunds import Refunds
from checkout.payments.timers import Figures, Matching
from checkout.people import erasure
from checkout.people.http import erasures_router, known_person, me_router
from checkout.people.practitioners import directory_router, practitioners_router, standing_router
from checkout.ranking.listing import PREPARING, Months, prepare_months
from checkout.settings import Settings
from checkout.timer import Timer
from checkout.transactions import reads
from checkout.transactions.handlers import Handlers
from checkout.transactions.http import transactions_router
from checkout.transactions.problems import PROBLEMS

DESCRIPTION = "Transactions, products, practitioners and their ranking; payments, refunds and reviews; contact data."

FIGURES_EVERY, EVERY = 15.0, 60.0  # seconds

TAGS = {
    "products": "What is sold, by kind and tier.",
    "practitioners": "Who gives sessions: profiles, the ranked list of who is offered, the directory.",
    "me": "The caller's own contact data, locale and zone.",
    "transactions": "Purchases: buy, wait for the payment, cancel, refund, reassign.",
    "payment reviews": "Money that fits nothing, or left: an admin decides.",
    "payments": "What payment providers tell, with their own proof.",
    "erasures": "People whose data is deleted for ever, and how far that is.",
}
"""What the operations of each tag are about."""


def build(settings: Settings) -> Service:
    """Return the whole service."""
    database = database_of(settings)
    waker = Waker(settings.direct_url)
    providers = providers_of(settings)
    months = Months(zone(settings.platform_timezone))
    provider = providers.get(settings.payment_provider)
    ask_page = partial(pages.ask, database, provider) if provider and provider.remote else None
    handlers = Handlers(database, settings.payment_provider, ask_page, waker.poke)
    known = Depends(known_person(database, settings.platform_timezone))
    consumer = Consumer(
        CONSUMER,
        router_of(months),
        database=database,
        bootstrap=settings.brokers,
        topic_prefix=settings.topic_prefix,
        transient=(Busy,),
        after_commit=waker.poke,
        tuning=Tuning(gap_limit=settings.consumer_gap_limit),
    )
    resend_after = timedelta(seconds=settings.erasure_resend_seconds)
    return Service(
        name="checkout",
        title="Checkout",
        description=DESCRIPTION,
        settings=settings,
        database=database,
        routers=[
            products_router(database, known),
            practitioners_router(database, known, months, waker.poke),
            standing_router(database, known, months),
            directory_router(database, known),
            me_router(database, known, waker.poke),
            transactions_router(handlers, known, settings.return_origins),
            reviews_router(handlers, known),
            payments_router(database, providers, waker.poke),
            erasures_router(database, known, months, resend_after, waker.poke),
            held_records_router(consumer, database),
        ],
        workers=[_relay(settings, waker), consumer, *_timers(settings, database, providers, months, waker)],
        waker=waker,
        problems=PROBLEMS,
        migrations="checkout:migrations",
        tags=TAGS | HELD_TAGS,
        enumerations=reads.ENUMERATIONS | reviews.ENUMERATIONS | HELD,
        open_enumerations=reads.OPEN_ENUMERATIONS | reviews.OPEN_ENUMERATIONS,
        on_stop=[provider.close for provider in providers.values()],
    )


def database_of(settings: Settings) -> Database:
    """Return the run-time role's database."""
    return Database.of(settings, "checkout")


def providers_of(settings: Settings) -> dict[str, Provider]:
    """Return the providers whose secret is set."""
    found: dict[str, Provider] = {}
    if settings.midtrans_server_key:
        keys = (settings.midtrans_server_key, *settings.midtrans_previous_server_keys)
        found["midtrans"] = Midtrans(
            api_url=settings.midtrans_api_url,
            snap_url=settings.midtrans_snap_url,
            server_keys=tuple(key.get_secret_value() for key in keys),
        )
    if settings.manual_secret:
        secrets = (settings.manual_secret, *settings.manual_previous_secrets)
        found["manual"] = Manual(tuple(secret.get_secret_value() for secret in secrets))
    return found


def _relay(settings: Settings, waker: Waker) -> Relay:
    return Relay(
        database_url=settings.direct_url,
        bootstrap=settings.brokers,
        topic_prefix=settings.topic_prefix,
        topics=PUBLISHED,
        lock_name="checkout-relay",
        wake=waker,
        kafka_options={"compression_type": settings.relay_compression},
    )


def _timers(
    settings: Settings, database: Database, providers: dict[str, Provider], months: Months, waker: Waker
) -> list[Worker]:
    backoff = Backoff(settings.retry_base_seconds, settings.retry_most_seconds)
    matching = Matching(database, waker.poke)
    grace = timedelta(seconds=settings.expiry_grace_seconds)
    often = settings.timer_seconds
    return [
        Timer("matching", often, matching.step),
        Timer("payment-pages", often, Pages(database, providers, backoff).step),
        Timer("expiry", often, Expiry(database, providers, backoff, grace, matching, waker.poke).step),
        Timer("refunds", often, Refunds(database, providers, backoff, waker.poke).step),
        Timer("tombstones", often, partial(erasure.send_again, database, waker.poke)),
        Timer("payment-bodies", EVERY, partial(forget_bodies, database)),
        Timer("figures", FIGURES_EVERY, Figures(database, settings.expiry_grace_seconds).step),
        Timer("ranking-months", EVERY, partial(prepare_months, database, months), allowed=PREPARING),
    ]
