"""What the calendar does about an erasure (E4): the person's feeds go. Rows hold ids alone and stay valid."""

from typing import Any
from uuid import UUID

import psycopg

from booking_chassis.consumer import Subscription
from booking_contracts.decode import Decoded
from booking_contracts.topics import ERASURES
from calendar_projector.calendar import feeds


async def _erase(conn: psycopg.AsyncConnection[Any], item: Decoded) -> None:
    await feeds.forget(conn, UUID(item.meta.subject))


def subscriptions() -> list[Subscription]:
    """The topics beside the sessions, record by record."""
    return [Subscription(ERASURES, _erase)]
