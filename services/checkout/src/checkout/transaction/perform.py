"""One command from request to commit: load, decide, append with the version it was decided on.

A conflict is one retry of the whole decision, then 409. The idempotency key is read with the stream, written with the
events, and read again before any refusal is answered: the twin of a success must get the success, never the refusal
that the success itself brought about (test_twins__both_get_the_first_answer).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from booking_store import GuardFailed, IdempotencyKey, IdempotencyTwin, Remembered, StreamConflict
from booking_web.problems import Problem, conflict, not_found, unprocessable
from checkout.asking import Asked
from checkout.transaction.commands import Command
from checkout.transaction.decider import decide
from checkout.transaction.refusal import Refusal
from checkout.transaction.row import MOST_UNPAID, Note
from checkout.transaction.state import Absent
from checkout.transaction.stream import Read, read, write

ATTEMPTS = 2
Asking = Command | Callable[[], Awaitable[Command]]
"""A command, or how to put it together: read anew for each attempt, and only once no replay has answered."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command came to. `status`: of a replay the remembered one, else None."""

    after: Read
    changed: bool
    replay: Remembered | None = None


async def perform(
    conn: psycopg.AsyncConnection[Any],
    transaction_id: UUID,
    command: Asking,
    asked: Asked,
    *,
    note: Note | None = None,
    session_at: datetime | None = None,
    attempts: int = ATTEMPTS,
) -> Done:
    """Carry out a command; a refusal rises as the Problem that it is to people."""
    for _ in range(attempts):
        before = await read(conn, transaction_id, asked.key)
        if before.remembered:
            return _replay(before, asked.key)
        try:
            return await _once(conn, before, command, asked, note=note, session_at=session_at)
        except (Problem, IdempotencyTwin):
            again = await read(conn, transaction_id, asked.key) if asked.key else None
            if again and again.remembered:
                return _replay(again, asked.key)
            raise
        except StreamConflict:
            continue
    raise conflict("changed_meanwhile", "It kept changing while this was decided. Try again.")


async def _once(
    conn: psycopg.AsyncConnection[Any],
    before: Read,
    command: Asking,
    asked: Asked,
    *,
    note: Note | None,
    session_at: datetime | None,
) -> Done:
    _check_rights(before, asked)
    asked.seen.check(before.version or None)
    decision = decide(await command() if callable(command) else command, before.state)
    if isinstance(decision, Refusal):
        raise problem(decision)
    if not decision:
        return Done(before, changed=False)
    try:
        after = await write(
            conn,
            before,
            decision,
            cause=asked.cause,
            now=asked.now,
            key=asked.key,
            note=note,
            session_at=session_at,
        )
    except GuardFailed:
        if before.version:
            raise StreamConflict("the stream is older than the state decided on") from None
        raise conflict(
            "too_many_unpaid", f"{MOST_UNPAID} Transactions await payment already: pay or cancel one first."
        ) from None
    return Done(after, changed=True)


def _check_rights(before: Read, asked: Asked) -> None:
    """E1: what is not the caller's does not exist for them."""
    if asked.owner is None or isinstance(before.state, Absent):
        return
    if before.state.sale.user_id != asked.owner:
        raise not_found()


def _replay(before: Read, key: IdempotencyKey | None) -> Done:
    remembered = before.remembered
    if remembered is None or key is None:
        raise AssertionError("a replay has a key and its record")
    if remembered.sha != key.sha:
        raise unprocessable("idempotency_key_reused", "This Idempotency-Key was sent before with another request.")
    return Done(before, changed=False, replay=remembered)


def problem(refusal: Refusal) -> Problem:
    """Say a refusal in HTTP."""
    if refusal.code == "not_found":
        return not_found(refusal.detail)
    members = {"current_status": refusal.current_status} if refusal.current_status else {}
    return conflict(refusal.code, refusal.detail, **members)
