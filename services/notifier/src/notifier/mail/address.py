"""The sender of all mail, as the operator's setting names it: one mailbox, with or without a display name.

A name with `,`, `:` or `(` is written in quotes, in the setting as in the header; else it would be several addresses,
a group or a comment (RFC 5322 §3.2.3, §3.4).
"""

import re
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from functools import lru_cache

from booking_people import Unusable, email
from notifier.texts.formats import safe_header

# Not every server announces 8BITMIME, and we don't ask.
SEVEN_BITS = policy.SMTP.clone(cte_type="7bit")

_FORM = re.compile(
    r'(?:(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^"()<>\[\]:;@\\,]*))\s*<(?P<named>[^<>]*)>|(?P<bare>[^<>]*))'
)


@lru_cache(maxsize=8)
def sender(text: str) -> Address:
    """The one mailbox of a text such as `"Klinik Sehat, PT." <no-reply@example.com>`; ValueError says what is wrong."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            'not of the form `Name <address>`; a name with any of ()<>[]:;@\\," needs double quotes around it'
        )
    display = _unquoted(found["quoted"]) if found["quoted"] is not None else (found["plain"] or "").strip()
    if not display.isascii() or safe_header(display) != display:
        raise ValueError("the name before the address must be plain ASCII on one line, without `=?`")
    try:
        address = Address(display, addr_spec=email(found["named"] if found["bare"] is None else found["bare"]))
    except Unusable as wrong:
        raise ValueError(f"not of the form `Name <address>` with {wrong}") from None
    if _as_received(address) != [address]:
        raise ValueError("the name before the address is too long for one line of a header")
    return address


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _as_received(address: Address) -> list[Address]:
    """What a reader makes of the header. Some versions of Python lose the quotes when they fold a long name."""
    message = EmailMessage(policy=SEVEN_BITS)
    message["From"] = address
    received = message_from_bytes(message.as_bytes(), policy=policy.default)["From"]
    return [] if received.defects else list(received.addresses)
