"""Mail as a channel."""

from datetime import datetime
from uuid import UUID

from booking_people import Unusable, email
from notifier.mail import smtp
from notifier.mail.invitation import invitation
from notifier.mail.message import Mail, compose
from notifier.rules.delivery import Channel as ChannelName
from notifier.rules.table import ADMINS
from notifier.sending.channel import BadAddress, Contact, NoAddress
from notifier.sending.outcome import Outcome
from notifier.texts.letter import Letter
from notifier.texts.render import render


class MailChannel:
    """Mail by one SMTP server. `admin_emails` are the checked addresses of the setting."""

    name: ChannelName = "email"

    def __init__(self, server: smtp.Server, *, mail_from: str, admin_emails: tuple[str, ...]) -> None:
        self._server = server
        self._mail_from = mail_from
        self._admin_emails = admin_emails

    def prepare(self, notification_id: UUID, letter: Letter, contact: Contact | None, now: datetime) -> Mail:
        """Words, headers and invitation of one mail."""
        recipients = self._admin_emails if letter.recipient_id == ADMINS else _own(contact)
        if not recipients:
            raise NoAddress
        return compose(
            notification_id,
            render(letter),
            mail_from=self._mail_from,
            recipients=recipients,
            invitation=invitation(letter),
            now=now,
        )

    async def send(self, prepared: Mail) -> Outcome:
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
