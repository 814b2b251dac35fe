"""Booking from Python: `Booking` once for each process, a `Caller` for each person, and every operation by its name."""

from booking_client import models, operator_models, problems
from booking_client.answers import Answer, NotModified, Versioned
from booking_client.booking import Booking, Servers
from booking_client.caller import Caller
from booking_client.operators import Operator
from booking_client.pages import Pages
from booking_client.refusals import Refused, Unanswered, Unexpected
from booking_client.retries import Patience
from booking_client.seen import Seen

__all__ = [
    "Answer",
    "Booking",
    "Caller",
    "NotModified",
    "Operator",
    "Pages",
    "Patience",
    "Refused",
    "Seen",
    "Servers",
    "Unanswered",
    "Unexpected",
    "Versioned",
    "models",
    "operator_models",
    "problems",
]
