"""WhatsApp as a channel: the templates that Meta approves once, one HTTP call, and what its answer means.

`templates.json` is what an operator registers with Meta, name for name; `parameters` names the value of each numbered
place (T17). Admins are told by email only, so their templates have no entry. The call is
`POST {base}/{phone_number_id}/messages`; replies are untrusted (T28). Meta's error codes are data: what may be tried
again, what never, what needs a person (reliability.md F84).
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib import resources
from typing import Any
from uuid import UUID

import httpx2

from booking_people import Unusable, phone, whatsapp_digits
from notifier.rules import Channel as ChannelName
from notifier.sending.channel import (
    Accepted,
    BadAddress,
    Contact,
    Failure,
    Later,
    NoAddress,
    Outcome,
    ProviderDown,
    Refused,
    Unknown,
)
from notifier.texts.formats import safe_parameter
from notifier.texts.letter import Letter, template_values

CATALOGUE: dict[str, dict[str, Any]] = json.loads(
    (resources.files("notifier.whatsapp") / "templates.json").read_text(encoding="utf-8")
)

_MAX_REPLY = 64 * 1024

# Throughput of our number or application: everybody waits.
_THROTTLED = frozenset({4, 80007, 130429, 133016})
# Too many messages to this one person, of ours or of everybody's.
_PACED = frozenset({131049, 131056})
# Meta's own trouble.
_TROUBLE = frozenset({1, 2, 131000, 131016, 131057, 133004})
# The token, the account, its number, its payment, its standing (131048: too many of its messages were blocked) or its
# permissions: nothing leaves until a person acts.
_NEEDS_A_PERSON = frozenset(
    {0, 3, 10, 33, 190, 368, 131005, 131031, 131037, 131042, 131045, 131048, 133000, 133006, 133010}
) | frozenset(range(200, 300))
# A gateway in between that had handed the message on and got no answer, or none it understood: perhaps taken (N3).
_GATEWAYS = frozenset({502, 504})


class WhatsAppChannel:
    """Approved templates by the Cloud API. No redirect is followed, no reply beyond 64 KiB is read, every wait ends."""

    name: ChannelName = "whatsapp"

    def __init__(self, base_url: str, phone_number_id: str, token: str, *, timeout: float = 15.0) -> None:
        self._path = f"{base_url.rstrip('/')}/{phone_number_id}/messages"
        # A kept-alive connection that the server has just closed fails after the request was written, which looks like
        # a lost answer and would make a harmless message ambiguous. A fresh connection fails while connecting instead.
        self._client = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx2.Timeout(timeout, connect=min(5.0, timeout)),
            limits=httpx2.Limits(max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,
        )

    def prepare(
        self, notification_id: UUID, letter: Letter, contact: Contact | None, _now: datetime, /
    ) -> Mapping[str, Any]:
        """The body of one send."""
        if contact is None or not contact.phone:
            raise NoAddress
        try:
            digits = whatsapp_digits(phone(contact.phone))
        except Unusable:
            raise BadAddress from None
        return message_body(letter, notification_id, digits)

    async def send(self, prepared: Mapping[str, Any]) -> Outcome:
        """Send one message. Never raises for what the network or the provider does."""
        try:
            async with self._client.stream("POST", self._path, json=dict(prepared)) as response:
                reply = await _read(response)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol):
            return ProviderDown("whatsapp_unreachable")
        except httpx2.HTTPError as cut:
            # The request had begun to leave: Meta may have taken it although we hold no answer (F85).
            return Unknown(f"whatsapp_{type(cut).__name__.lower()}")
        return _outcome(response.status_code, reply, _retry_after(response.headers.get("retry-after")))

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()


def parameters(letter: Letter) -> list[str]:
    """The values of the template's places, in order. KeyError when the event lacks one: none leaves half empty."""
    values = template_values(letter)
    return [_parameter(name, values[name]) for name in CATALOGUE[letter.template]["parameters"]]


def message_body(letter: Letter, notification_id: UUID, phone: str) -> dict[str, Any]:
    """The body of one send. `phone` is E.164 digits without the plus.

    `biz_opaque_callback_data` comes back in every status webhook: the only way to learn of a message whose answer was
    lost, since sends have no idempotency key (F85).
    """
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": phone,
        "type": "template",
        "template": {
            "name": letter.template,
            "language": {"code": letter.language},
            "components": [
                {"type": "body", "parameters": [{"type": "text", "text": text} for text in parameters(letter)]}
            ],
        },
        "biz_opaque_callback_data": str(notification_id),
    }


def _parameter(name: str, value: Any) -> str:
    if value is None:
        raise KeyError(name)
    return safe_parameter(str(value))


async def _read(response: httpx2.Response) -> bytes:
    reply = b""
    async for chunk in response.aiter_bytes():
        reply += chunk
        if len(reply) > _MAX_REPLY:
            return b""
    return reply


def _outcome(status: int, reply: bytes, retry_after: float | None) -> Outcome:
    succeeded = 200 <= status < 300
    match _document(reply):
        case {"messages": [{"id": str(wamid)}, *_]} if succeeded and 0 < len(wamid) <= 200:
            return Accepted(wamid)
        case _ if succeeded:
            # 2xx without Meta's id is a stranger's answer: perhaps taken, perhaps not.
            return Unknown("whatsapp_strange_answer")
        case {"error": {"code": int(code)}}:
            return outcome_of(code, status, retry_after)
        case _:
            return outcome_of(None, status, retry_after)


def _document(reply: bytes) -> Any:
    try:
        return json.loads(reply)
    except (ValueError, RecursionError):
        return None


def _retry_after(value: str | None) -> float | None:
    """Seconds, from either form of RFC 9110 §10.2.3; at most an hour, since a provider's typo must not silence us."""
    if value is None:
        return None
    try:
        seconds = float(value) if value.strip().isdigit() else _until(value)
    except ValueError:
        return None
    return min(max(seconds, 0.0), 3600.0)


def _until(value: str) -> float:
    moment = parsedate_to_datetime(value)
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()


def outcome_of(code: int | None, status: int, retry_after: float | None) -> Failure:
    """What an error answer means. `code` is Meta's, None when the body held none; `status` is HTTP's.

    A code that is neither Meta's trouble nor ours to wait for is about this message or this recipient and never heals:
    131026 undeliverable, 131047 re-engagement, 132xxx template, 131008 and 131009 parameters.
    """
    name = f"whatsapp_{code if code is not None else f'http_{status}'}"
    if code in _PACED:
        return Later(name, retry_after)
    if code in _NEEDS_A_PERSON or status == 401:
        return ProviderDown(name, retry_after, alarm=True)
    if code is None and status in _GATEWAYS:
        return Unknown(name)
    if code in _THROTTLED or code in _TROUBLE or status == 429 or status >= 500:
        return ProviderDown(name, retry_after)
    if code is None:
        # No answer of Meta's API at all: a proxy's page, a wrong base URL. Not this recipient's fault.
        return ProviderDown(name, retry_after, alarm=True)
    return Refused(name)
