"""What a service may declare: record by record or many at once, never both in one consumer."""

from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from booking_contracts.decode import Decoded
from booking_contracts.topics import PRACTITIONERS, SESSIONS
from booking_inbox import InboxRouter

Connection = psycopg.AsyncConnection[Any]


async def each(_conn: Connection, _item: Decoded) -> None:
    """Takes one."""


async def many(_conn: Connection, _items: Sequence[Decoded]) -> None:
    """Takes all."""


def test_subscriber__leaves_the_function_as_it_was_and_knows_it_by_topic():
    router = InboxRouter()
    assert router.subscriber(SESSIONS, PRACTITIONERS)(each) is each
    assert router.subscribers == {SESSIONS: each, PRACTITIONERS: each}
    assert router.batch is None


async def test_subscriber__of_many_also_takes_a_single_one():
    """A held record that follows, or that an operator replays, comes alone."""
    taken: list[Any] = []
    router = InboxRouter()

    @router.subscriber(SESSIONS, batch=True)
    async def sessions(_conn: Connection, items: Sequence[Decoded]) -> None:
        taken.append(items)

    conn: Any = object()
    item: Any = object()
    await router.subscribers[SESSIONS](conn, item)
    assert taken == [[item]]
    assert router.batch is sessions


@pytest.mark.parametrize("batch_first", [True, False])
def test_subscriber__of_many_stands_alone(batch_first: bool):
    router = InboxRouter()

    def one() -> None:
        router.subscriber(PRACTITIONERS)(each)

    def all_of_them() -> None:
        router.subscriber(SESSIONS, batch=True)(many)

    first, second = (all_of_them, one) if batch_first else (one, all_of_them)
    first()
    with pytest.raises(ValueError, match="the only one"):
        second()
