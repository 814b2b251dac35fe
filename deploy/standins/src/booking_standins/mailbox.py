"""The mailbox: a real SMTP server whose mail is read over HTTP. `python -m booking_standins.mailbox`

`GET /messages`, `DELETE /messages`, `GET`/`PUT /behaviour`. SMTP listens on SMTP_HOST:SMTP_PORT.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.types import ASGIApp

from booking_standins.serving import Behaviour, Received, application, serve, setting, state_file


class Mailbox:
    """aiosmtpd's handler: takes every mail, unless told to misbehave."""

    def __init__(self, received: Received, behaviour: Behaviour) -> None:
        self.received = received
        self.behaviour = behaviour

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The sender, who may be refused: an account that is throttled, or not allowed to send as that address."""
        if (refusal := self._refusal("mail", address)) is not None:
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refusals are per recipient, as real servers do: 550 for good, 450 for now."""
        if (refusal := self._refusal("rcpt", address)) is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Kept first, then answered: `break_after_accept` cuts just between the two (RFC 1047)."""
        if (refusal := self._refusal("data", " ".join(envelope.rcpt_tos))) is not None:
            return refusal
        mode = "ok"
        if self.behaviour.mode in ("slow", "break_after_accept"):
            mode = self.behaviour.take(" ".join(envelope.rcpt_tos))
        if mode == "slow":
            await self.behaviour.delay()
        item = read_mail(cast("bytes", envelope.content), envelope.rcpt_tos, envelope.mail_from or "")
        self.received.append(item)
        if mode == "break_after_accept":
            assert server.transport is not None
            cast("asyncio.WriteTransport", server.transport).abort()
        return f"250 2.0.0 OK: queued as {item['id']}"

    def _refusal(self, step: str, address: str) -> str | None:
        """What is said to a command of this step, if it is to be refused; the given words, else the usual ones."""
        behaviour = self.behaviour
        if behaviour.mode not in ("reject", "throttle") or behaviour.step != step:
            return None
        mode = behaviour.take(address)
        if mode == "ok":
            return None
        rejected = {
            "mail": (553, f"5.7.1 <{address}>: Sender address rejected: not owned by user"),
            "rcpt": (550, f"5.1.1 <{address}>: Recipient address rejected: User unknown"),
            "data": (554, "5.6.0 Message content rejected"),
        }
        throttled = (450, f"4.7.1 <{address}>: Too many messages, try again later")
        code, words = rejected[step] if mode == "reject" else throttled
        return behaviour.reply or f"{behaviour.code or code} {words}"


class _Server(SMTP):
    """`down`: says so and hangs up."""

    def __init__(self, mailbox: Mailbox) -> None:
        super().__init__(mailbox, hostname="mailbox.local", enable_SMTPUTF8=True, data_size_limit=30 * 2**20)
        self._mailbox = mailbox

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._mailbox.behaviour.mode == "down" and self._mailbox.behaviour.take() == "down":
            cast("asyncio.WriteTransport", transport).write(b"421 4.3.2 mailbox.local Service not available\r\n")
            transport.close()
            return
        super().connection_made(transport)


def read_mail(raw: bytes, recipients: list[str], sender: str) -> dict[str, Any]:
    """A mail as `GET /messages` shows it."""
    message = cast("EmailMessage", message_from_bytes(raw, policy=policy.default))
    return {
        "id": uuid.uuid4().hex,
        "to": recipients,
        "from": str(message["From"] or sender),
        "subject": str(message["Subject"] or ""),
        "text": _body(message, "plain"),
        "html": _body(message, "html"),
        "raw": raw.decode("utf-8", "replace"),
        "message_id": str(message["Message-ID"] or ""),
        "attachments": [
            {
                "content_type": part.get_content_type(),
                "filename": part.get_filename(),
                "content": cast("bytes", part.get_payload(decode=True) or b"").decode("utf-8", "replace"),
            }
            for part in message.walk()
            if part.get_content_type() not in ("text/plain", "text/html") and not part.is_multipart()
        ],
        "received_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }


def _body(message: EmailMessage, kind: str) -> str:
    for part in message.walk():
        if part.get_content_type() == f"text/{kind}" and part.get_content_disposition() != "attachment":
            return str(part.get_content())
    return ""


def build() -> ASGIApp:
    mailbox = Mailbox(Received(state_file("mailbox.jsonl")), Behaviour())

    @asynccontextmanager
    async def smtp(_: Starlette) -> AsyncIterator[None]:
        host, port = setting("SMTP_HOST", "127.0.0.1"), int(setting("SMTP_PORT", "8025"))
        server = await asyncio.get_running_loop().create_server(lambda: _Server(mailbox), host, port)
        async with server:
            yield

    return application([*mailbox.received.routes(), *mailbox.behaviour.routes()], smtp)


if __name__ == "__main__":
    serve(build())
