"""One mail as bytes: fixed Message-ID, plain text, HTML and, where the message carries one, an invitation."""

from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from uuid import UUID

from notifier.mail.address import SEVEN_BITS, sender
from notifier.mail.invitation import Invitation, to_ical
from notifier.texts.formats import safe_header
from notifier.texts.render import Text


@dataclass(frozen=True, slots=True)
class Mail:
    """What goes to the server: the envelope's addresses and the bytes between DATA and the final dot."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


def message_id(notification_id: UUID, sender: str) -> str:
    """The same for every attempt of one notification, so that a second copy is recognised as one (F83, RFC 1047)."""
    domain = sender.rpartition("@")[2] or "booking"
    return f"<{notification_id}@{domain}>"


def compose(
    notification_id: UUID,
    text: Text,
    *,
    mail_from: str,
    recipients: tuple[str, ...],
    invitation: Invitation | None,
    now: datetime,
) -> Mail:
    """The mail to these checked mailboxes. `mail_from` is the operator's setting, with or without a display name."""
    origin = sender(mail_from)
    message = EmailMessage(policy=SEVEN_BITS)
    message["Message-ID"] = message_id(notification_id, origin.addr_spec)
    message["Date"] = format_datetime(now)
    message["From"] = origin
    message["To"] = [Address(addr_spec=recipient) for recipient in recipients]
    message["Subject"] = safe_header(text.subject)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text.plain)
    message.add_alternative(text.html, subtype="html")
    if invitation is not None:
        calendar = to_ical(invitation, organizer=origin.addr_spec, attendee=recipients[0], now=now).decode()
        message.add_alternative(calendar, subtype="calendar", params={"method": invitation.method})
    return Mail(origin.addr_spec, recipients, message.as_bytes())
