"""Mail as a channel: the sender, one mail as bytes, and the channel that prepares and sends it.

The sender is one mailbox, as the operator's setting names it. A name with `,`, `:` or `(` is written in quotes, in the
setting as in the header; else it would be several addresses, a group or a comment (RFC 5322 §3.2.3, §3.4).
"""

import re
from datetime import datetime
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from functools import lru_cache
from uuid import UUID

from booking_people import Unusable, email
from notifier.mail import smtp
from notifier.mail.invitation import Invitation, invitation_of, to_ical
from notifier.rules import ADMINS
from notifier.rules import Channel as ChannelName
from notifier.sending.channel import BadAddress, Contact, NoAddress, Outcome
from notifier.texts.formats import safe_header
from notifier.texts.letter import Letter
from notifier.texts.render import Text, render

# Not every server announces 8BITMIME, and we don't ask.
_SEVEN_BITS = policy.SMTP.clone(cte_type="7bit")

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
    message = EmailMessage(policy=_SEVEN_BITS)
    message["From"] = address
    received = message_from_bytes(message.as_bytes(), policy=policy.default)["From"]
    return [] if received.defects else list(received.addresses)


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
) -> smtp.Mail:
    """The mail to these checked mailboxes. `mail_from` is the operator's setting, with or without a display name."""
    origin = sender(mail_from)
    message = EmailMessage(policy=_SEVEN_BITS)
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
    return smtp.Mail(origin.addr_spec, recipients, message.as_bytes())


class MailChannel:
    """Mail by one SMTP server. `admin_emails` are the checked addresses of the setting, `gateway` as in `render`."""

    name: ChannelName = "email"

    def __init__(
        self, server: smtp.Server, *, mail_from: str, admin_emails: tuple[str, ...], gateway: str | None = None
    ) -> None:
        self._server = server
        self._mail_from = mail_from
        self._admin_emails = admin_emails
        self._gateway = gateway

    def prepare(self, notification_id: UUID, letter: Letter, contact: Contact | None, now: datetime, /) -> smtp.Mail:
        """Words, headers and invitation of one mail."""
        recipients = self._admin_emails if letter.recipient_id == ADMINS else _own(contact)
        if not recipients:
            raise NoAddress
        return compose(
            notification_id,
            render(letter, self._gateway),
            mail_from=self._mail_from,
            recipients=recipients,
            invitation=invitation_of(letter),
            now=now,
        )

    async def send(self, prepared: smtp.Mail) -> Outcome:
        """One conversation with the server."""
        return await smtp.send(self._server, prepared)

    async def close(self) -> None:
        """Nothing is kept open."""


def _own(contact: Contact | None) -> tuple[str, ...]:
    if contact is None or not contact.email:
        return ()
    try:
        return (email(contact.email),)
    except Unusable:
        raise BadAddress from None
