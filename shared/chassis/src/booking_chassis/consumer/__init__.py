"""Taking records from Kafka: exactly once in effect, in order per key, nothing skipped (architecture.md, Consumers).

    Consumer            record by record, for what has effects
    BatchConsumer       many records in one transaction, for read models that only fold
    held_records_router what an operator sees and does

A record's way: reader (Kafka) → reading (bytes to meaning) → rules (one transaction) → offsets (Kafka).
"""

from booking_chassis.consumer.api import held_records_router
from booking_chassis.consumer.batch import BatchConsumer
from booking_chassis.consumer.bulk import BatchApply
from booking_chassis.consumer.errors import ConsumerError, Hold, PositionLost
from booking_chassis.consumer.held import forget_key
from booking_chassis.consumer.positions import Move, Positions
from booking_chassis.consumer.runner import Consumer
from booking_chassis.consumer.subscription import Apply, Subscription
from booking_chassis.consumer.tuning import Tuning

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
