"""A real SMTP server (aiosmtpd) for tests, whose misbehaviour is scripted per recipient and step.

With a `certificate` it wants TLS, with a `password` it wants a login.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

Reply = str
Answer = Callable[[str], Reply | None]


@dataclass
class Inbox:
    """What was accepted, and how to answer. `mail` gets the sender, `rcpt` and `data` the recipient; None: accept."""

    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    mail: Answer = lambda _: None
    rcpt: Answer = lambda _: None
    data: Answer = lambda _: None
    cut_after_dot: bool = False
    greeting: str | None = None
    silent_for: frozenset[str] = frozenset()
    conversations: int = 0
    port: int = 0
    certificate: ssl.SSLContext | None = None
    implicit_tls: bool = False
    password: str | None = None
    logins: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    def to(self, address: str) -> list[EmailMessage]:
        """The accepted mails to one address."""
        return [mail for recipients, mail in self.mails if address in recipients]

    async def handle_MAIL(
        self, _server: Any, _session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> Reply:
        if (refusal := self.mail(address)) is not None:
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, _server: Any, session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> Reply:
        if self.password is not None and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if (refusal := self.rcpt(address)) is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Envelope) -> Reply:
        self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
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
        super().__init__(
            inbox,
            hostname="mx.test",
            enable_SMTPUTF8=True,
            tls_context=None if inbox.implicit_tls else inbox.certificate,
            require_starttls=inbox.certificate is not None and not inbox.implicit_tls,
            authenticator=self._judge,
            auth_require_tls=not inbox.implicit_tls,  # aiosmtpd knows of its own STARTTLS only
            auth_exclude_mechanism=[] if inbox.password is not None else ["LOGIN", "PLAIN"],
        )
        self._inbox = inbox

    def _judge(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, given: LoginPassword) -> AuthResult:
        self._inbox.logins.append(given.login.decode())
        # `handled=False`: aiosmtpd answers 535 by itself.
        return AuthResult(success=given.password.decode() == self._inbox.password, handled=False)

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
    server = await asyncio.get_running_loop().create_server(
        lambda: _Server(inbox), "127.0.0.1", inbox.port, ssl=inbox.certificate if inbox.implicit_tls else None
    )
    inbox.port = server.sockets[0].getsockname()[1]
    try:
        yield inbox
    finally:
        server.close()
