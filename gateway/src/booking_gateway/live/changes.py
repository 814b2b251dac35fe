"""What a page is told of an event: its type and ids, and nothing that a person wrote or is."""

import base64
import json
from dataclasses import dataclass

from booking_contracts.decode import Decoded
from booking_contracts.sessions import PractitionerChanged, SessionEvent
from booking_contracts.transactions import TransactionEvent


@dataclass(frozen=True, slots=True)
class Change:
    """One event. `people` may know of it beside admins, as they may read the thing itself: a Transaction its member,
    a session both of its people, and who it was taken from that it was.

    `seen` is `service:token`, with which a page is not shown from before it (docs/api.md, Consistency-Token).
    """

    type: str
    transaction_id: str
    session_id: str | None
    people: frozenset[str]
    seen: str

    def told(self) -> str:
        """As it is sent."""
        ids = {"session_id": self.session_id, "transaction_id": self.transaction_id}
        return json.dumps({"type": self.type, **ids, "seen": self.seen})


def change_of(record: Decoded) -> Change | None:
    """None for what no page shows: a type that is newer than this gateway."""
    event, version = record.event, record.meta.sequence or 0
    match event:
        case TransactionEvent():
            seen = _seen("checkout", "transaction", event.transaction_id, version)
            return Change(event.TYPE, str(event.transaction_id), None, frozenset({str(event.user_id)}), seen)
        case SessionEvent():
            people = {str(event.user_id), str(event.practitioner_id)}
            if isinstance(event, PractitionerChanged):
                people.add(str(event.previous_practitioner_id))
            seen = _seen("consultation", "session", event.session_id, version)
            return Change(event.TYPE, str(event.transaction_id), str(event.session_id), frozenset(people), seen)
        case _:
            return None


def _seen(service: str, kind: str, key: object, version: int) -> str:
    token = base64.urlsafe_b64encode(f"{service}:{kind}:{key}:{version}".encode()).decode().rstrip("=")
    return f"{service}:{token}"
