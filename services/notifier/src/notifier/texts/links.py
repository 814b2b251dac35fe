"""Where a message leads in the gateway: the page of what it is about, which its reader sees once signed in."""

from dataclasses import dataclass

from booking_web.languages import Language
from notifier.rules import ADMINS
from notifier.texts.letter import Letter

_LABELS: dict[Language, dict[str, str]] = {
    "id": {"sessions": "Buka sesi", "orders": "Buka pesanan", "reviews": "Buka pembayaran yang perlu ditinjau"},
    "en": {"sessions": "Open the session", "orders": "Open the order", "reviews": "Open the payments to review"},
}


@dataclass(frozen=True, slots=True)
class Link:
    """A button of a mail."""

    label: str
    address: str


def page_of(letter: Letter, gateway: str | None) -> Link | None:
    """None without a gateway, and for whose session it is no more. `gateway` is its address without a slash at its end.

    Addresses hold the event's ids and nothing that a person wrote.
    """
    found = _path(letter)
    if gateway is None or found is None:
        return None
    kind, path = found
    return Link(_LABELS[letter.language][kind], f"{gateway}{path}")


def _path(letter: Letter) -> tuple[str, str] | None:
    event = letter.event
    session, order = getattr(event, "session_id", None), getattr(event, "transaction_id", None)
    if letter.template == "practitioner_released":
        return None
    if letter.template == "payment_review":
        return "reviews", "/admin/reviews"
    if letter.recipient_id == ADMINS:
        return ("orders", f"/admin/orders/{order}") if order else None
    if session:
        return "sessions", f"/sessions/{session}"
    return ("orders", f"/orders/{order}") if order else None
