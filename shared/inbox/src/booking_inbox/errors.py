"""What can go wrong with a record, and who may say so.

ConsumerError
├── Hold           an apply says: this record will never do, hold it now (reason "failed")
├── PositionLost   the stored position moved under us: another copy owns the partition now
├── HeldNotFound   no such held record, or it is settled
└── StillHeld      a replay or discard did not get as far as the record asked for
"""

from uuid import UUID


class ConsumerError(Exception):
    """Root of the consumer's own errors."""


class Hold(ConsumerError):
    """Raised by an apply: hold the record at once, without further tries (reason "failed")."""


class PositionLost(ConsumerError):
    """Raised by `Positions.advance`: the stored position is not the expected one, so roll back all and seek again."""


class HeldNotFound(ConsumerError):
    """No unsettled held record has this id."""


class StillHeld(ConsumerError):
    """The key's records were tried in order and one of them, perhaps an earlier one, is still held."""

    def __init__(self, blocking: UUID, reason: str, error: str | None) -> None:
        super().__init__(f"record {blocking} is still held ({reason}): {error or 'its predecessor is missing'}")
        self.blocking = blocking
        self.reason = reason
        self.error = error
