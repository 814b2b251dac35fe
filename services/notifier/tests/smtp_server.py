"""A real SMTP server (aiosmtpd) for tests, whose misbehaviour is scripted per recipient and step."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope

Reply = str
Answer = Callable[[str], Reply | None]


@dataclass
class Inbox:
    """What was accepted, and how to answer. `rcpt` and `data` get the recipient; None means accept."""

    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    rcpt: Answer = lambda _: None
    data: Answer = lambda _: None
    cut_after_dot: bool = False
    greeting: str | None = None
    silent_for: frozenset[str] = frozenset()
    conversations: int = 0
    port: int = 0

    def to(self, address: str) -> list[EmailMessage]:
        """The accepted mails to one address."""
        return [mail for recipients, mail in self.mails if address in recipients]

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> Reply:
        if (refusal := self.rcpt(address)) is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Envelope) -> Reply:
        if (refusal := self.data(envelope.rcpt_tos[0])) is not None:
            return refusal
        mail = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        self.mails.append((list(envelope.rcpt_tos), mail))  # type: ignore[arg-type]
        if self.cut_after_dot:
            server.transport.abort()
        if self.silent_for & set(envelope.rcpt_tos):
            await asyncio.Event().wait()
        return "250 OK"


class _Server(SMTP):
    def __init__(self, inbox: Inbox) -> None:
        super().__init__(inbox, hostname="mx.test", enable_SMTPUTF8=True)
        self._inbox = inbox

    def connection_made(self, transport: Any) -> None:
        self._inbox.conversations += 1
        if self._inbox.greeting is not None:
            transport.write(f"{self._inbox.greeting}\r\n".encode())
            transport.close()
            return
        super().connection_made(transport)


@asynccontextmanager
async def smtp_server(inbox: Inbox) -> AsyncIterator[Inbox]:
    """Serve on a free port (or again on the inbox's own) until the end of the block."""
    server = await asyncio.get_running_loop().create_server(lambda: _Server(inbox), "127.0.0.1", inbox.port)
    inbox.port = server.sockets[0].getsockname()[1]
    try:
        yield inbox
    finally:
        server.close()
