"""Taking records from Kafka: exactly once in effect, in order per key, nothing skipped (architecture.md, Consumers).

    Consumer            record by record, for what has effects
    BatchConsumer       many records in one transaction, for read models that only fold
    held_records_router what an operator sees and does

A record's way: reader (Kafka) → reading (bytes to meaning) → rules (one transaction) → offsets (Kafka).
"""

from booking_inbox.api import held_records_router
from booking_inbox.batch import BatchConsumer
from booking_inbox.bulk import BatchApply
from booking_inbox.errors import ConsumerError, Hold, PositionLost
from booking_inbox.held import forget_key
from booking_inbox.positions import Move, Positions
from booking_inbox.runner import Consumer
from booking_inbox.subscription import Apply, Subscription
from booking_inbox.tuning import Tuning

__all__ = [
    "Apply",
    "BatchApply",
    "BatchConsumer",
    "Consumer",
    "ConsumerError",
    "Hold",
    "Move",
    "PositionLost",
    "Positions",
    "Subscription",
    "Tuning",
    "forget_key",
    "held_records_router",
]
