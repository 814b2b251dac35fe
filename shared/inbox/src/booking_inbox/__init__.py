"""Taking records from Kafka: exactly once in effect, in order per key, nothing skipped (architecture.md, Consumers).

    InboxRouter         a service's subscribers, record by record or many at once
    Consumer            the worker that takes them
    Engine              what is beneath, for a projection with rows and positions of its own
    held_records_router what an operator sees and does

A record's way: reader (Kafka) → engine (tries, transactions) → reading (bytes to meaning) → inbox (rules) → subscriber.
"""

from booking_inbox.batch import ApplyAll
from booking_inbox.consumer import Consumer, InboxRouter
from booking_inbox.engine import Engine, Move, PositionLost, Positions, ShortWay
from booking_inbox.held import forget_key
from booking_inbox.http import held_records_router
from booking_inbox.inbox import Apply, Failure, Hold, Inbox, Result
from booking_inbox.operations import HeldNotFound, StillHeld
from booking_inbox.patience import Tuning

__all__ = [
    "Apply",
    "ApplyAll",
    "Consumer",
    "Engine",
    "Failure",
    "HeldNotFound",
    "Hold",
    "Inbox",
    "InboxRouter",
    "Move",
    "PositionLost",
    "Positions",
    "Result",
    "ShortWay",
    "StillHeld",
    "Tuning",
    "forget_key",
    "held_records_router",
]
