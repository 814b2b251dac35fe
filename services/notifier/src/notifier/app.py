"""The composition root: the only place that reads settings and wires the notifier together."""

from collections.abc import Callable
from datetime import timedelta

from booking_inbox import Consumer, Tuning, held_records_router
from booking_inbox.http import ENUMERATIONS as HELD
from booking_inbox.http import TAGS as HELD_TAGS
from booking_outbox import Relay, Waker
from booking_process.database import Database
from booking_process.service import Service
from notifier import people
from notifier.kafka import CONSUMER, router
from notifier.ledger import http as ledger
from notifier.ledger.store import PUBLISHED as MESSAGES
from notifier.mail.channel import MailChannel
from notifier.sending.channel import Channel
from notifier.sending.pacing import RetryPolicy
from notifier.sending.worker import Sender
from notifier.settings import Settings
from notifier.webhooks import http as webhooks
from notifier.webhooks.addresses import is_public
from notifier.webhooks.pinned import PinnedBackend
from notifier.webhooks.post import Poster
from notifier.webhooks.schedule import Schedule
from notifier.webhooks.worker import WebhookSender
from notifier.whatsapp import webhook
from notifier.whatsapp.channel import WhatsAppChannel

TAGS = {
    "notifications": "Each mail and WhatsApp message, and what became of it.",
    "preferences": "By which channels the caller wants to be told.",
    "webhooks": "Events posted to addresses of yours: endpoints, deliveries, secrets.",
    "whatsapp": "What WhatsApp tells of its messages, with its own proof.",
}
"""What the operations of each tag are about."""


def build(settings: Settings) -> Service:
    """The notifier as a service; no I/O."""
    database = Database.of(settings, "notifier")
    waker = Waker(settings.direct_url)
    senders = senders_of(settings, database, waker.poke)
    webhook_sender = webhook_sender_of(settings, database)

    def committed() -> None:
        waker.poke()
        for sender in (*senders, webhook_sender):
            sender.wake()

    consumer = Consumer(
        CONSUMER,
        router,
        database=database,
        bootstrap=settings.brokers,
        topic_prefix=settings.topic_prefix,
        after_commit=committed,
        tuning=Tuning(gap_limit=settings.consumer_gap_limit),
    )
    relay = Relay(
        database_url=settings.direct_url,
        bootstrap=settings.brokers,
        topic_prefix=settings.topic_prefix,
        topics=[MESSAGES, people.PUBLISHED],
        lock_name="notifier-relay",
        wake=waker,
        kafka_options={"compression_type": settings.relay_compression},
    )
    return Service(
        name="notifier",
        title="Booking: notifier",
        description="Email and WhatsApp, reminders, preferences, webhooks.",
        settings=settings,
        database=database,
        routers=[
            ledger.router(database, CONSUMER, committed),
            people.router(database, committed),
            webhook.router(
                database,
                secrets=settings.whatsapp_secrets,
                verify_token=settings.whatsapp_verify_token.get_secret_value(),
                give_up_after=timedelta(seconds=settings.give_up_after_seconds),
                committed=committed,
            ),
            *webhooks.routers(database, committed, private=settings.webhook_allow_private),
            held_records_router(consumer, database),
        ],
        workers=[relay, consumer, *senders, webhook_sender],
        waker=waker,
        migrations="notifier:migrations",
        tags=TAGS | HELD_TAGS,
        enumerations=ledger.ENUMERATIONS | HELD,
        open_enumerations=ledger.OPEN_ENUMERATIONS,
        on_stop=[sender.close for sender in (*senders, webhook_sender)],
    )


def senders_of(settings: Settings, database: Database, published: Callable[[], None]) -> list[Sender]:
    """Both channels, each with its sender. `published` is called after each commit that changed the ledger."""
    mail = MailChannel(
        settings.smtp_server,
        mail_from=settings.mail_from,
        admin_emails=settings.admin_emails,
        gateway=settings.gateway_url,
    )
    whatsapp = WhatsAppChannel(
        settings.whatsapp_api_url,
        settings.whatsapp_phone_number_id,
        settings.whatsapp_token.get_secret_value(),
        timeout=settings.send_timeout_seconds,
    )
    channels: list[tuple[Channel, RetryPolicy]] = [
        (mail, settings.retry_policy(ambiguous_wait=settings.email_ambiguous_wait_seconds)),
        (
            whatsapp,
            settings.retry_policy(
                ambiguous_wait=settings.whatsapp_ambiguous_wait_seconds,
                pace=settings.whatsapp_pace_seconds,
                burst=settings.whatsapp_burst,
            ),
        ),
    ]
    return [
        Sender(
            channel,
            database=database,
            policy=policy,
            platform_zone=settings.platform_timezone,
            published=published,
            concurrency=settings.sender_concurrency,
        )
        for channel, policy in channels
    ]


def webhook_sender_of(settings: Settings, database: Database) -> WebhookSender:
    """The sender of webhooks, to the public internet alone unless the settings say otherwise."""
    backend = PinnedBackend(permitted=(lambda _: True) if settings.webhook_allow_private else is_public)
    poster = Poster(backend, deadline=settings.webhook_timeout_seconds)
    schedule = Schedule(lease=2 * settings.webhook_timeout_seconds + 5)
    return WebhookSender(poster, database=database, schedule=schedule, concurrency=settings.webhook_concurrency)
