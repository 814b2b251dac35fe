"""How the decider says no: a value, never an exception."""

from dataclasses import dataclass
from typing import Literal

from booking_contracts.sessions import SessionStatus
from consultation.session.lifecycle import CommandName
from consultation.session.times import Fault

RefusalCode = Literal[
    "not_found", "forbidden", "wrong_status", "transaction_not_paid", "invalid_time", "invalid_reason", "not_due"
]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing happened. A wrong status tells the present one and what is allowed in it, a wrong field its faults."""

    code: RefusalCode
    detail: str
    current_status: SessionStatus | None = None
    allowed_commands: tuple[CommandName, ...] = ()
    faults: tuple[Fault, ...] = ()
