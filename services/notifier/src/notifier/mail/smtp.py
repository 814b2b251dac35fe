"""One conversation with the SMTP server, in steps, because it matters how far it came.

Until the server has answered DATA with 354 nothing can have been accepted: a cut there is harmless. From then on a cut
or silence may hide an acceptance (RFC 1047, F83): only that is `Unknown`.

A reply that is no success is about this mail and its recipient, or about us and the server (N5, F82). The three digits
say only "not now" or "never". Whom a refusal blames is told by the step at which it comes, by the enhanced status code
(RFC 3463, RFC 5248, RFC 7372 and what the big providers add), and where a provider gives none, by its words. A refusal
of our sender, our account or our quota is no recipient's fault: everything waits.
"""

import asyncio
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import aiosmtplib
from aiosmtplib.protocol import PERIOD_REGEX, normalize_message_line_endings

from notifier.sending.channel import Accepted, Failure, Later, Outcome, ProviderDown, Refused, Unknown

Tls = Literal["none", "starttls", "tls"]
Step = Literal["mail", "rcpt", "data", "content"]
"""The command that was refused: MAIL FROM, RCPT TO, DATA, or the content after it."""

About = Literal["mail", "us"]


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


@dataclass(frozen=True, slots=True)
class Mail:
    """What goes to the server: the envelope's addresses and the bytes between DATA and the final dot."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


class _Answered(Exception):
    """The server said no; carries the outcome."""

    def __init__(self, outcome: Failure) -> None:
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
        refusals: list[Failure] = []
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


def _mildness(outcome: Failure) -> int:
    """Of several refusals the mildest counts: everybody waits, this one waits, never."""
    return 0 if isinstance(outcome, ProviderDown) else 1 if isinstance(outcome, Later) else 2


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


@dataclass(frozen=True, slots=True)
class ReplyRule:
    """One kind of reply; what is None fits any. `status` is the enhanced code, such as `5.4.5`."""

    about: About
    why: str
    step: Step | None = None
    code: str | None = None
    status: str | None = None
    words: str | None = None

    def fits(self, step: Step, code: str, status: str, words: str) -> bool:
        """Whether a reply is of this kind."""
        return (
            self.step in (None, step)
            and (self.code is None or re.fullmatch(self.code, code) is not None)
            and (self.status is None or re.fullmatch(self.status, status) is not None)
            and (self.words is None or re.search(self.words, words) is not None)
        )


# Read from the top, the first row that fits counts; what fits none is about this mail.
REPLIES: tuple[ReplyRule, ...] = (
    ReplyRule("us", "the server is going away", code="421"),
    ReplyRule("us", "a login is wanted, wrong, too weak or no longer right", code="432|454|53[0458]"),
    ReplyRule("us", "we speak in a way that the server does not know", code="50[0234]"),
    ReplyRule("us", "whatever it says, it was asked about our sender alone", step="mail"),
    ReplyRule("us", "the sender's address", status=r"[45]\.1\.[78]"),
    ReplyRule("us", "congestion; Google's daily limit of an account", status=r"[45]\.4\.5"),
    ReplyRule("us", "the mail system itself, for now", status=r"4\.3\.\d+"),
    ReplyRule("us", "the mail system takes nothing, or is set up wrong", status=r"5\.3\.[25]"),
    ReplyRule("us", "login and encryption (RFC 4954, RFC 5248)", status=r"[45]\.7\.([389]|1[0-4])"),
    ReplyRule("us", "DKIM, SPF, reverse name, DMARC (RFC 7372), rates", status=r"[45]\.7\.(2\d|30)"),
    ReplyRule(
        "us", "Exchange: not allowed as this sender, no relay, limits and bans", status=r"[45]\.7\.(57|6[04]|23[23])"
    ),
    ReplyRule("us", "Exchange Online: account, address or tenant is restricted", status=r"[45]\.7\.[567]\d\d"),
    ReplyRule("us", "Exchange: not allowed as this sender", words=r"(?i)SendAsDenied|permissions? to send as"),
    ReplyRule("mail", "there is no such mailbox", step="rcpt", status=r"[45]\.1\.([1-6]|10)"),
    ReplyRule("mail", "that mailbox is full, closed or too small", status=r"[45]\.2\.\d+"),
    ReplyRule("mail", "a list or group with rules of its own; owner changed", status=r"[45]\.7\.(2|1[23]\d|1[7-9])"),
    ReplyRule("us", "the server is not ours to send by", words=r"(?i)\brelay"),
    ReplyRule("us", "the sender, in words", words=r"(?i)\bsender\b|\bmail ?from\b|\bfrom[ -](address|header|domain)"),
    ReplyRule("us", "an address or identity of ours that nobody has confirmed", words=r"(?i)\b(not|un) ?verified\b"),
    ReplyRule(
        "us",
        "the account's limit, in words",
        words=r"(?i)\b(daily|hourly|monthly|sending|outgoing|outbound|your)\b.{0,40}\b(limits?|quota|rate|credits?)\b"
        r"|\bmaximum credits\b",
    ),
    ReplyRule("us", "the account, in words", words=r"(?i)\b(your|sending) account\b"),
    ReplyRule("us", "login and proof of origin, in words", words=r"(?i)\bauthenticat|\b(SPF|DKIM|DMARC|PTR)\b"),
    ReplyRule("us", "our address is on a list", words=r"(?i)\bclient host\b|\bspamhaus\b|\bblock ?list|\bblacklist"),
)

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\b")


def about(step: Step, code: int, text: str) -> About:
    """Whom the reply blames: this mail (and its recipient), or us (and the server)."""
    found = _ENHANCED.match(text.lstrip())
    status = found[1] if found is not None else ""
    rule = next((rule for rule in REPLIES if rule.fits(step, str(code), status, text)), None)
    return rule.about if rule is not None else "mail"


def outcome_of(step: Step, code: int, text: str = "") -> Failure:
    """What a reply that is no success means: 5xx never and 4xx not now, for this mail or for everybody's.

    A 5xx about us calls a person: waiting alone heals it rarely. After MAIL FROM it may be about this mail alone all
    the same, which a word cannot tell for sure: that is borne for as long as any other "not now".
    """
    name = f"smtp_{code}"
    if about(step, code, text) == "us":
        return ProviderDown(name, alarm=code >= 500, perhaps_this_one=step != "mail")
    return Refused(name) if 500 <= code < 600 else Later(name)
