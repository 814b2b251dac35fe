"""One sale without its database: signed words in, the Transaction's state out, by the service's functions."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from services.checkout.tests.given import AWAITING, NOON, after
from services.checkout.tests.midtrans_server import SERVER_KEY

from booking_contracts.event import Event
from checkout.payments.midtrans import Midtrans
from checkout.payments.notifications import report_of
from checkout.payments.provider import Heard
from checkout.transactions.commands import Command, NewIds, Refusal
from checkout.transactions.decider import decide
from checkout.transactions.state import STATUS, Absent, Existing, Review, evolve

MIDTRANS = Midtrans(api_url="http://127.0.0.1:1", snap_url="http://127.0.0.1:1", server_keys=(SERVER_KEY,))


@dataclass
class OneSale:
    """One Transaction that waits for its payment, at noon."""

    state: Existing = field(default_factory=lambda: _existing(after(*AWAITING)))
    heard: dict[str, Heard] = field(default_factory=dict)
    told: list[Event] = field(default_factory=list)
    taken: set[bytes] = field(default_factory=set)

    def hear(self, body: dict[str, Any]) -> None:
        """Take a signed notification, as `receive` does: the same bytes count once."""
        raw = json.dumps(body).encode()
        if raw in self.taken:
            return
        self.taken.add(raw)
        MIDTRANS.verify({}, raw)
        said = MIDTRANS.parse(raw)
        assert said.status is not None, body
        self.heard[said.payment_id] = heard = self.heard.get(said.payment_id, Heard()).and_(said)
        ids = NewIds(uuid4(), uuid4(), uuid4(), uuid4())
        assert not isinstance(self.do(report_of(said, heard, ids, NOON, elsewhere=False)), Refusal)

    def do(self, command: Command) -> list[Event] | Refusal:
        """Decide a command and believe what came of it."""
        events = decide(command, self.state)
        if not isinstance(events, Refusal):
            for event in events:
                self.state = _existing(evolve(self.state, event, NOON))
            self.told += events
        return events

    @property
    def status(self) -> str:
        return STATUS[type(self.state)]

    @property
    def open(self) -> list[Review]:
        """What waits for an admin."""
        return [review for review in self.state.reviews if review.state == "open"]

    @property
    def rest(self) -> int:
        """What came and is not known to have gone, of all payments."""
        return sum(flow.rest for flow in self.state.flows)


def _existing(state: Any) -> Existing:
    assert not isinstance(state, Absent)
    return state
