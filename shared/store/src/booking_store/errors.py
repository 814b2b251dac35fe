"""Why an append was not made.

StoreError
├── StreamConflict       another command was first: load again, decide again
│   └── Contended        deadlock or serialisation failure, still there after the bounded reruns
├── IdempotencyTwin      the same request succeeded meanwhile: answer what it answered
├── Overlap              an exclusion constraint: somebody would be in two places (K33)
├── UniqueConflict       a unique constraint of the aggregate's own tables
├── GuardFailed          a row the decision relied upon has changed: load again, decide again
└── TooLarge             an event's data is over 512 KiB

Everything else (no connection, a bug in the SQL) stays psycopg's own error.
"""

from uuid import UUID


class StoreError(Exception):
    """The append was not made; nothing was changed."""


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
