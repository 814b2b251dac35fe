"""The Transaction's stream: read it to decide, write what was decided. One statement each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from booking_contracts.event import Event
from booking_contracts.topics import TRANSACTIONS
from booking_store import AppendSql, Cause, Decided, IdempotencyKey, Remembered, Stored, load, load_with_key
from checkout.transaction.row import Note, parameters
from checkout.transaction.state import Absent, Existing, State, evolve, fold

STREAM_TYPE = "transaction"
APPEND = AppendSql.load("checkout.transaction", "append.sql", topic=TRANSACTIONS.name)


@dataclass(frozen=True, slots=True)
class Read:
    """A Transaction as loaded, and what the request's idempotency key remembers."""

    id: UUID
    state: State
    version: int
    remembered: Remembered | None = None


async def read(conn: psycopg.AsyncConnection[Any], transaction_id: UUID, key: IdempotencyKey | None = None) -> Read:
    """Load and fold one stream; `Absent` at version 0 when there is none."""
    loaded = await load_with_key(conn, transaction_id, key)
    return Read(transaction_id, state_of(loaded.events), loaded.version, loaded.remembered)


async def read_at(
    conn: psycopg.AsyncConnection[Any],
    transaction_id: UUID,
    *,
    version: int | None = None,
    instant: datetime | None = None,
) -> Read:
    """Load and fold the stream up to a version, or to what was recorded by an instant (E5)."""
    events = await load(conn, transaction_id, up_to=instant, up_to_version=version)
    return Read(transaction_id, state_of(events), events[-1].version if events else 0)


def state_of(stored: Sequence[Stored | Decided]) -> State:
    """Fold stored events. A person's id may name a stream of another type (an erasure): that is no Transaction."""
    return fold((one.event, one.occurred_at) for one in stored if one.stream_type == STREAM_TYPE)


async def write(
    conn: psycopg.AsyncConnection[Any],
    before: Read,
    events: Sequence[Event],
    *,
    cause: Cause,
    now: datetime,
    key: IdempotencyKey | None = None,
    note: Note | None = None,
    session_at: datetime | None = None,
) -> Read:
    """Append and return the Transaction as it is then. Raises the errors of `booking_store`."""
    after = before.state
    for event in events:
        after = evolve(after, event, now)
    if not isinstance(after, Existing):
        raise AssertionError("events make a Transaction")  # noqa: TRY004 - a bug, no wrong type
    appended = await APPEND.run(
        conn,
        stream_type=STREAM_TYPE,
        stream_id=before.id,
        expected=before.version,
        events=events,
        cause=cause,
        occurred_at=now,
        idempotency=key,
        params=parameters(before.state, events, after, note=note, session_at=session_at),
    )
    return Read(before.id, after, appended.version)


__all__ = ["Absent", "Read", "read", "read_at", "state_of", "write"]
