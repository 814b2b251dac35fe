"""What people may be called and how they can be reached: one rule each, for bodies, claims and messages alike.

Each function gives what is kept, or raises `Unusable` with a sentence that says what is expected. What a service keeps
of people, and how it forgets them, is `booking_people.copies`.
"""

from booking_people.addresses import MOST_EMAIL, email, mailto
from booking_people.names import MOST_NAME, MOST_PARAGRAPH, Unusable, is_visible, name, one_line, paragraph
from booking_people.phones import MOST_PHONE, phone, whatsapp_digits

__all__ = [
    "MOST_EMAIL",
    "MOST_NAME",
    "MOST_PARAGRAPH",
    "MOST_PHONE",
    "Unusable",
    "email",
    "is_visible",
    "mailto",
    "name",
    "one_line",
    "paragraph",
    "phone",
    "whatsapp_digits",
]
