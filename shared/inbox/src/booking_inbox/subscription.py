"""What a service subscribes to, and what it does with each record."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import psycopg

from booking_contracts.decode import Decoded
from booking_contracts.topics import Topic

Apply = Callable[[psycopg.AsyncConnection, Decoded], Awaitable[None]]
"""Changes the consumer's own tables on the connection given, inside the transaction that moves the version row.

It gets events and tombstones, each at most once in effect and in version order per key. It must not commit. Whatever
it raises rolls all back: `Hold` holds the record, transient errors are tried again for ever, others a few times.
"""


@dataclass(frozen=True)
class Subscription:
    """One topic and what to do with its records."""

    topic: Topic
    apply: Apply
