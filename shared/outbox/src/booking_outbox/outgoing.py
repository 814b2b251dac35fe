"""A record on its way: the mark it settles, and the bytes that go to Kafka."""

from collections.abc import Sequence
from typing import NamedTuple

Header = tuple[str, bytes]


class Outgoing(NamedTuple):
    """``mark`` is the outbox row's id in text, as it came; ``more`` are further marks that the same record settles."""

    mark: bytes
    key: bytes
    value: bytes | None
    headers: Sequence[Header]
    more: tuple[bytes, ...] = ()
