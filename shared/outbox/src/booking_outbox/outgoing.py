"""A record on its way: the mark it settles, and the bytes that go to Kafka."""

from typing import NamedTuple


class Outgoing(NamedTuple):
    """``mark`` is the outbox row's id in text, as it came; ``more`` are further marks that the same record settles.

    ``headers`` is the block that `booking_outbox.headers` makes.
    """

    mark: bytes
    key: bytes
    value: bytes | None
    headers: bytes
    more: tuple[bytes, ...] = ()
