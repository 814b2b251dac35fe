"""Why an append was not made, and why a command was not carried out. Nothing was changed then.

StoreError               (of the append)
├── StreamConflict       another command was first: load again, decide again
│   └── Contended        deadlock or serialisation failure, still there after the bounded reruns
├── IdempotencyTwin      the same request succeeded meanwhile: answer what it answered
├── Overlap              an exclusion constraint: somebody would be in two places (K33)
├── UniqueConflict       a unique constraint of the aggregate's own tables
├── GuardFailed          a row the decision relied upon has changed: load again, decide again
└── TooLarge             an event's data is over 512 KiB

CommandError             (of the command; a domain adds its own below it)
├── Refused              the decider said no
├── Stale                the caller decided on another version (If-Match)
├── KeyReused            the idempotency key came with another request before
└── Busy                 other commands were faster, every time

Everything else (no connection, a bug in the SQL) stays psycopg's own error.
"""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg import errors


class StoreError(Exception):
    """The append was not made."""


class StreamConflict(StoreError):
    """The stream is not at the expected version any more."""


class Contended(StreamConflict):
    """PostgreSQL kept choosing this command as the victim (40P01, 40001)."""


class IdempotencyTwin(StoreError):
    """A request with the same idempotency key committed first; read its record and answer from it."""


class Overlap(StoreError):
    """An exclusion constraint refused the rows (23P01).

    ``person_ids`` are those PostgreSQL named, empty when it named none.
    """

    def __init__(self, constraint: str, person_ids: tuple[UUID, ...] = ()) -> None:
        super().__init__(f"{constraint}: {', '.join(map(str, person_ids)) or 'overlap'}")
        self.constraint = constraint
        self.person_ids = person_ids


class UniqueConflict(StoreError):
    """A unique constraint of the aggregate refused the row; ``code`` is what its AppendSql calls it."""

    def __init__(self, constraint: str, code: str) -> None:
        super().__init__(f"{constraint}: {code}")
        self.constraint = constraint
        self.code = code


class GuardFailed(StoreError):
    """The statement wrote nothing: its guard found no row, or the expected version is not in the stream."""


class TooLarge(StoreError):
    """An event's data is over 512 KiB, which no topic would take."""


class CommandError(Exception):
    """The command changed nothing."""


class Refused(CommandError):
    """The decider said no; ``refusal`` is its own value, which says why."""

    def __init__(self, refusal: Any) -> None:
        super().__init__(f"{refusal.code}: {refusal.detail}")
        self.refusal = refusal


class Stale(CommandError):
    """The condition named another version than the present one; ``current`` is None where there is nothing."""

    def __init__(self, current: int | None) -> None:
        super().__init__(f"it is at version {current}")
        self.current = current


class KeyReused(CommandError):
    """The same idempotency key came with another request."""


class Busy(CommandError):
    """The stream changed under every attempt."""


_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def conflict(error: errors.IntegrityError, constraints: Mapping[str, str]) -> StoreError | None:
    """The named conflict, or None for a constraint that is no rule of the domain (a bug; let it rise as it is)."""
    constraint = error.diag.constraint_name or ""
    match error:
        case errors.UniqueViolation() if constraint == "events_stream_version":
            return StreamConflict(str(error))
        case errors.UniqueViolation() if constraint == "idempotency_pkey":
            return IdempotencyTwin(str(error))
        case errors.UniqueViolation():
            return UniqueConflict(constraint, constraints.get(constraint, constraint))
        case errors.ExclusionViolation():
            return Overlap(constraint, _persons(error.diag.message_detail or ""))
        case errors.CheckViolation() if constraint == "events_data_size":
            return TooLarge(str(error))
        case _:
            return None


def _persons(detail: str) -> tuple[UUID, ...]:
    return tuple(dict.fromkeys(UUID(text) for text in _UUID.findall(detail)))
