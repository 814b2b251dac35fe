"""What an SMTP reply that is no success is about: this mail and its recipient, or us and the server (N5, F82).

The three digits say only "not now" or "never". Whether a refusal blames the recipient is told by the step at which it
comes, by the enhanced status code (RFC 3463, RFC 5248, RFC 7372 and what the big providers add), and where a provider
gives none, by its words. A refusal of our sender, our account or our quota is no recipient's fault: everything waits.

The table is read from the top, the first row that fits counts; what fits none is about this mail.
"""

import re
from dataclasses import dataclass
from typing import Literal

from notifier.sending.outcome import Later, Outcome, ProviderDown, Refused

Step = Literal["mail", "rcpt", "data", "content"]
"""The command that was refused: MAIL FROM, RCPT TO, DATA, or the content after it."""

About = Literal["mail", "us"]


@dataclass(frozen=True, slots=True)
class Row:
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


TABLE: tuple[Row, ...] = (
    Row("us", "the server is going away", code="421"),
    Row("us", "a login is wanted, wrong, too weak or no longer right", code="432|454|53[0458]"),
    Row("us", "we speak in a way that the server does not know", code="50[0234]"),
    Row("us", "whatever it says, it was asked about our sender alone", step="mail"),
    Row("us", "the sender's address", status=r"[45]\.1\.[78]"),
    Row("us", "congestion; Google's daily limit of an account", status=r"[45]\.4\.5"),
    Row("us", "the mail system itself, for now", status=r"4\.3\.\d+"),
    Row("us", "the mail system takes nothing, or is set up wrong", status=r"5\.3\.[25]"),
    Row("us", "login and encryption (RFC 4954, RFC 5248)", status=r"[45]\.7\.([389]|1[0-4])"),
    Row("us", "DKIM, SPF, reverse name, DMARC (RFC 7372), rates", status=r"[45]\.7\.(2\d|30)"),
    Row("us", "Exchange: not allowed as this sender, no relay, limits and bans", status=r"[45]\.7\.(57|6[04]|23[23])"),
    Row("us", "Exchange Online: account, address or tenant is restricted", status=r"[45]\.7\.[567]\d\d"),
    Row("us", "Exchange: not allowed as this sender", words=r"(?i)SendAsDenied|permissions? to send as"),
    Row("mail", "there is no such mailbox", step="rcpt", status=r"[45]\.1\.([1-6]|10)"),
    Row("mail", "that mailbox is full, closed or too small", status=r"[45]\.2\.\d+"),
    Row("mail", "a list or group with rules of its own; owner changed", status=r"[45]\.7\.(2|1[23]\d|1[7-9])"),
    Row("us", "the server is not ours to send by", words=r"(?i)\brelay"),
    Row("us", "the sender, in words", words=r"(?i)\bsender\b|\bmail ?from\b|\bfrom[ -](address|header|domain)"),
    Row("us", "an address or identity of ours that nobody has confirmed", words=r"(?i)\b(not|un) ?verified\b"),
    Row(
        "us",
        "the account's limit, in words",
        words=r"(?i)\b(daily|hourly|monthly|sending|outgoing|outbound|your)\b.{0,40}\b(limits?|quota|rate|credits?)\b"
        r"|\bmaximum credits\b",
    ),
    Row("us", "the account, in words", words=r"(?i)\b(your|sending) account\b"),
    Row("us", "login and proof of origin, in words", words=r"(?i)\bauthenticat|\b(SPF|DKIM|DMARC|PTR)\b"),
    Row("us", "our address is on a list", words=r"(?i)\bclient host\b|\bspamhaus\b|\bblock ?list|\bblacklist"),
)

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\b")


def about(step: Step, code: int, text: str) -> About:
    """Whom the reply blames: this mail (and its recipient), or us (and the server)."""
    found = _ENHANCED.match(text.lstrip())
    status = found[1] if found is not None else ""
    row = next((row for row in TABLE if row.fits(step, str(code), status, text)), None)
    return row.about if row is not None else "mail"


def outcome_of(step: Step, code: int, text: str = "") -> Outcome:
    """What a reply that is no success means: 5xx never and 4xx not now, for this mail or for everybody's.

    A 5xx about us calls a person: waiting alone heals it rarely. After MAIL FROM it may be about this mail alone all
    the same, which a word cannot tell for sure: that is borne for as long as any other "not now".
    """
    name = f"smtp_{code}"
    if about(step, code, text) == "us":
        return ProviderDown(name, alarm=code >= 500, perhaps_this_one=step != "mail")
    return Refused(name) if 500 <= code < 600 else Later(name)
