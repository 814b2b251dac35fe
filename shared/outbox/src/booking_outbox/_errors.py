"""What the outbox says no to.

OutboxError
├── StoreOlderThanTopic   a record in the topic is not in the store: a restore; publishing waits for an operator (F53)
├── LeadLost              the leader's session is gone: another relay may lead
├── Unpublished           Kafka did not acknowledge a batch in time: unknown, to be sent again
└── LockBusy              republish could not get the leader's lock in time
"""


class OutboxError(Exception):
    """The outbox's own errors."""


class StoreOlderThanTopic(OutboxError):
    """The topic holds one of our records that the store has never written, so the store is an older copy."""


class LeadLost(OutboxError):
    """Nothing may be sent or deleted any more: the session that held the lock is gone or was silent for too long."""


class Unpublished(OutboxError):
    """A batch was not acknowledged. It may be in the topic or not."""


class LockBusy(OutboxError):
    """The leader did not give its lock up in time."""
