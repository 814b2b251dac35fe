"""WhatsApp as a channel."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from booking_people import Unusable, phone, whatsapp_digits
from notifier.rules.delivery import Channel as ChannelName
from notifier.sending.channel import BadAddress, Contact, NoAddress
from notifier.sending.outcome import Outcome
from notifier.texts.letter import Letter
from notifier.whatsapp.client import CloudApi
from notifier.whatsapp.templates import message


class WhatsAppChannel:
    """Approved templates by the Cloud API."""

    name: ChannelName = "whatsapp"

    def __init__(self, api: CloudApi) -> None:
        self._api = api

    def prepare(
        self,
        notification_id: UUID,
        letter: Letter,
        contact: Contact | None,
        now: datetime,  # noqa: ARG002 - the protocol's signature
    ) -> Mapping[str, Any]:
        """The body of one send."""
        if contact is None or not contact.phone:
            raise NoAddress
        try:
            digits = whatsapp_digits(phone(contact.phone))
        except Unusable:
            raise BadAddress from None
        return message(letter, notification_id, digits)

    async def send(self, prepared: Mapping[str, Any]) -> Outcome:
        """One call."""
        return await self._api.send(prepared)

    async def close(self) -> None:
        """Close the client."""
        await self._api.close()
