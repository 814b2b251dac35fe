"""The menu: what there is for somebody's roles."""

from typing import Any

from booking_gateway.words.translations import mark as _
from booking_gateway.words.words import Words

_MENU = (
    ("member", "/services", _("Services")),
    ("member", "/orders", _("Orders")),
    ("practitioner", "/waiting", _("Waiting for you")),
    ("admin", "/admin/orders", _("All orders")),
    ("admin", "/admin/reviews", _("Payments to review")),
    ("admin", "/admin/messages", _("Messages")),
    ("admin", "/admin/products", _("Products")),
    ("admin", "/admin/practitioners", _("Practitioners")),
    ("admin", "/admin/operations", _("Operations")),
    ("", "/sessions", _("Sessions")),
    ("", "/calendar", _("Calendar")),
    ("practitioner", "/practice", _("Practice")),
    ("", "/profile", _("Profile")),
)


def menu_for(viewer: Any, words: Words) -> list[tuple[str, str]]:
    """Addresses and names, in their order; nothing for who is not signed in."""
    if viewer is None:
        return []
    return [(address, words.text(name)) for role, address, name in _MENU if not role or role in viewer.roles]
