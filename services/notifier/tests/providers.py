"""The providers as tests play them, and the authority that a mail server's certificate is by.

Meta's Cloud API is a raw HTTP server, so that it can cut a connection at any byte. The SMTP server is a real one
(aiosmtpd), whose misbehaviour is scripted per recipient and step; with a `certificate` it wants TLS, with a `password`
a login. The authority and its certificates are made anew for each test.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from trustme import CA

from booking_local.servers.ports import free_port

Reply = str
Answer = Callable[[str], Reply | None]


@dataclass
class Meta:
    """What was accepted, and the script of answers: each is taken once, then all goes well."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    script: list["Misdeed"] = field(default_factory=list)
    always: "Misdeed | None" = None
    before_answer: "Callable[[], Awaitable[None]] | None" = None
    """Awaited once a message is taken, before its sender is told."""
    asked: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v23.0"

    def accept(self, body: dict[str, Any]) -> dict[str, Any]:
        self.messages.append(body)
        return {"messaging_product": "whatsapp", "messages": [{"id": f"wamid.{len(self.messages)}"}]}


@dataclass(frozen=True)
class Misdeed:
    """One answer: an error of Meta's, or a cut after the message was taken."""

    status: int = 400
    code: int | None = None
    retry_after: int | None = None
    cut_after_accept: bool = False
    raw: bytes | None = None


@asynccontextmanager
async def cloud_api(meta: Meta) -> AsyncIterator[Meta]:
    """Serve on a free port until the end of the block."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        body = json.loads(await reader.readexactly(length))
        meta.asked += 1
        misdeed = meta.script.pop(0) if meta.script else meta.always
        cut = misdeed is not None and misdeed.cut_after_accept
        answer = _answer(meta, body, None if cut else misdeed)
        if meta.before_answer is not None:
            await meta.before_answer()
        if cut:
            writer.transport.abort()
            return
        writer.write(answer)
        await writer.drain()
        writer.close()

    meta.port = meta.port or free_port()
    server = await asyncio.start_server(serve, "127.0.0.1", meta.port)
    try:
        yield meta
    finally:
        server.close()


def _answer(meta: Meta, body: dict[str, Any], misdeed: Misdeed | None) -> bytes:
    if misdeed is not None and misdeed.raw is not None:
        return misdeed.raw
    status = 200 if misdeed is None else misdeed.status
    document = meta.accept(body) if misdeed is None else {"error": {"code": misdeed.code, "message": "no"}}
    content = json.dumps(document).encode()
    head = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(content)}"]
    if misdeed is not None and misdeed.retry_after is not None:
        head.append(f"Retry-After: {misdeed.retry_after}")
    return "\r\n".join([*head, "Connection: close", "", ""]).encode() + content


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
    inbox.port = inbox.port or free_port()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Server(inbox), "127.0.0.1", inbox.port, ssl=inbox.certificate if inbox.implicit_tls else None
    )
    try:
        yield inbox
    finally:
        server.close()


class Authority:
    """Signs servers' certificates, and keeps its files in the folder. `file` is what a client trusts it by."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._ca = folder, CA()
        self.file = folder / "authority.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def chain(self, address: str = "127.0.0.1", *, days: int = 1) -> Path:
        """A file with a key and its certificate for this address or name; expired with negative `days`."""
        made = self._ca.issue_cert(address, not_after=datetime.now(UTC) + timedelta(days=days))
        chain = self._folder / f"server-{address}-{days}.pem"
        made.private_key_and_cert_chain_pem.write_to_path(chain)
        return chain
