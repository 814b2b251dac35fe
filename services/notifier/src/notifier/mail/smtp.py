"""One conversation with the SMTP server, in steps, because it matters how far it came.

Until the server has answered DATA with 354 nothing can have been accepted: a cut there is harmless. From then on a cut
or silence may hide an acceptance (RFC 1047, F83): only that is `Unknown`.
"""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import aiosmtplib
from aiosmtplib.protocol import PERIOD_REGEX, normalize_message_line_endings

from notifier.mail.message import Mail
from notifier.mail.replies import Step, outcome_of
from notifier.sending.outcome import Accepted, Later, Outcome, ProviderDown, Refused, Unknown

Tls = Literal["none", "starttls", "tls"]


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed over. `timeout` is the deadline of one whole send, in seconds (F81).

    `step_timeout` is that of each step before the content is sent. The answer to the content may take all of `timeout`:
    to give up there makes the mail ambiguous, and RFC 5321 §4.5.3.2.6 asks for patience.
    """

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    tls: Tls = "none"
    timeout: float = 60.0
    step_timeout: float = 15.0


class _Answered(Exception):
    """The server said no; carries the outcome."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


async def send(server: Server, mail: Mail) -> Outcome:
    """Hand one mail over. Never raises for what the network or the server does."""
    client = _client(server)
    conversation = _Conversation(client, mail)
    try:
        async with asyncio.timeout(server.timeout):
            return await conversation.run()
    except _Answered as answer:
        return answer.outcome
    except (TimeoutError, OSError, aiosmtplib.SMTPException, ssl.SSLError) as cut:
        return conversation.cut(cut)
    finally:
        # The conversation is over for us; QUIT is a courtesy that must not delay or fail anything.
        client.close()


class _Conversation:
    def __init__(self, client: aiosmtplib.SMTP, mail: Mail) -> None:
        self._client = client
        self._mail = mail
        self._content_sent = False

    async def run(self) -> Outcome:
        await self._open()
        _expect(await self._client.execute_command(b"MAIL", b"FROM:<%b>" % self._mail.sender.encode("ascii")), "mail")
        await self._recipients()
        _expect(await self._client.execute_command(b"DATA"), "data", 354)
        self._content_sent = True
        _expect(await self._content(), "content")
        with suppress(TimeoutError, OSError, aiosmtplib.SMTPException):
            await self._client.execute_command(b"QUIT", timeout=0.5)
        return Accepted()

    def cut(self, cause: BaseException) -> Outcome:
        """What a cut or silence means at the place where it came."""
        if self._content_sent:
            return Unknown("smtp_silent" if isinstance(cause, TimeoutError) else "smtp_cut")
        return ProviderDown("smtp_silent" if isinstance(cause, TimeoutError) else "smtp_unreachable")

    async def _open(self) -> None:
        try:
            await self._client.connect()
            if self._client.is_ehlo_or_helo_needed:
                await self._client.ehlo()
        except aiosmtplib.SMTPAuthenticationError as refused:
            raise _Answered(ProviderDown(f"smtp_{refused.code}", alarm=True)) from refused
        except aiosmtplib.SMTPResponseException as refused:
            # The greeting itself, EHLO or STARTTLS: nobody's mail would be taken now.
            raise _Answered(ProviderDown(f"smtp_{refused.code}", alarm=refused.code >= 500)) from refused
        except (aiosmtplib.SMTPException, OSError) as error:
            if (code := _for_a_person(error)) is None:
                raise
            raise _Answered(ProviderDown(code, alarm=True)) from error

    async def _recipients(self) -> None:
        """One recipient's refusal is the message's; of several (admins) one accepted is enough."""
        refusals: list[Outcome] = []
        for recipient in self._mail.recipients:
            answer = await self._client.execute_command(b"RCPT", b"TO:<%b>" % recipient.encode("ascii"))
            if answer.code not in (250, 251):
                refusals.append(outcome_of("rcpt", answer.code, answer.message))
        if len(refusals) == len(self._mail.recipients):
            # If any of them may still be taken later, so may the mail.
            raise _Answered(min(refusals, key=_mildness))

    async def _content(self) -> aiosmtplib.SMTPResponse:
        protocol = self._client.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        protocol.write(PERIOD_REGEX.sub(b"..", normalize_message_line_endings(self._mail.content)) + b".\r\n")
        return await protocol.read_response()


def _expect(answer: aiosmtplib.SMTPResponse, step: Step, code: int = 250) -> None:
    if answer.code != code:
        raise _Answered(outcome_of(step, answer.code, answer.message))


def _mildness(outcome: Outcome) -> int:
    """Of several refusals the mildest counts: everybody waits, this one waits, never."""
    return (ProviderDown, Later, Refused).index(type(outcome))  # type: ignore[arg-type]


def _for_a_person(error: Exception) -> str | None:
    """The code of what waiting never heals: a certificate that is not the server's, a server without TLS or login.

    None for a server that is away: it comes back by itself.
    """
    cause = error.__cause__ or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "smtp_certificate"
    if isinstance(cause, ssl.SSLError):
        return "smtp_tls"
    # The library says "no STARTTLS" and "no AUTH" by its bare class; of a cut and of silence it makes subclasses.
    return "smtp_no_tls_or_login" if type(error) in {aiosmtplib.SMTPException, aiosmtplib.SMTPNotSupported} else None


def _client(server: Server) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        username=server.username,
        password=server.password,
        use_tls=server.tls == "tls",
        start_tls=server.tls == "starttls",
        timeout=min(server.step_timeout, server.timeout),
        local_hostname="booking-notifier",
    )
