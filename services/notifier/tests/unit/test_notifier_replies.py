"""Whom an SMTP reply blames: a test per row of the table, with what real servers say (N5, F82)."""

import re

import pytest

from notifier.mail.smtp import REPLIES, outcome_of
from notifier.sending.channel import Later, ProviderDown, Refused

US = [
    ("content", "421 4.7.0 Try again later, closing connection"),
    ("rcpt", "421 4.3.2 not available"),
    ("rcpt", "530 5.7.0 Authentication required"),
    ("rcpt", "535 5.7.8 bad credentials"),
    ("rcpt", "454 4.7.0 Temporary authentication failure"),
    ("rcpt", "503 5.5.1 need MAIL before RCPT"),
    ("data", "502 5.5.1 not implemented"),
    ("mail", "550 no"),
    ("mail", "550 5.1.1 no"),
    ("mail", "553 5.7.1 Sender address rejected: not owned by user"),
    ("mail", "501 5.1.7 Invalid address"),
    ("mail", "452 4.3.1 Insufficient system storage"),
    ("rcpt", "550 5.1.8 Access denied, bad outbound account"),
    ("rcpt", "450 4.1.8 <a@b.de>: domain not found"),
    ("content", "550 5.4.5 Daily user sending limit exceeded. Learn more"),
    ("content", "550-5.4.5 Daily sending quota exceeded.\n5.4.5 more"),
    ("content", "451 4.4.5 congested"),
    ("rcpt", "451 4.3.0 Temporary lookup failure"),
    ("content", "554 5.3.2 system not accepting messages"),
    ("content", "554 5.3.5 system incorrectly configured"),
    ("rcpt", "550 5.7.3 client was not authenticated"),
    ("content", "550 5.7.13 disabled"),
    ("content", "550 5.7.26 This mail is unauthenticated, which poses a risk"),
    ("content", "550 5.7.60 SMTP; Client does not have permissions to send as this sender"),
    ("rcpt", "550 5.7.64 TenantAttribution"),
    ("content", "550 5.7.708 Service unavailable. Access denied"),
    ("content", "554 5.2.252 SendAsDenied; a@b.de not allowed"),
    ("rcpt", "554 5.7.1 <budi@example.com>: Relay access denied"),
    ("rcpt", "550 5.7.1 Relaying denied"),
    ("rcpt", "553 5.7.1 <no-reply@b.de>: Sender address rejected: not owned by user booking"),
    ("content", "550 The from address does not match a verified Sender Identity. Mail cannot be sent"),
    ("content", "554 Message rejected: Email address is not verified. The following identities failed the check"),
    ("content", "454 Throttling failure: Daily message quota exceeded."),
    ("content", "452 Hourly outgoing limit reached"),
    ("content", "550 Maximum credits exceeded"),
    ("content", "554 Your account is suspended"),
    ("content", "550 5.7.1 Unauthenticated email is not accepted due to the domain's DMARC policy"),
    ("rcpt", "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked"),
]
THIS_MAIL = [
    ("rcpt", "550 no"),
    ("rcpt", "550 5.1.1 <budi@example.com>: Recipient address rejected: User unknown"),
    ("rcpt", "550 5.1.1 The email account that you tried to reach does not exist. Check your account's address"),
    ("rcpt", "550 5.1.2 domain not found"),
    ("rcpt", "556 5.1.10 recipient address has null MX"),
    ("rcpt", "501 5.1.3 bad address syntax"),
    ("rcpt", "552 5.2.2 The recipient's inbox is out of storage space"),
    ("rcpt", "550 5.2.1 The email account that you tried to reach is disabled"),
    ("rcpt", "550 5.4.1 Recipient address rejected: Access denied"),
    ("rcpt", "550 5.7.124 sender not in allowed-senders list"),
    ("rcpt", "550 5.7.1 no"),
    ("rcpt", "450 greylisted"),
    ("rcpt", "450 4.7.1 <budi@example.com>: Too many messages, try again later"),
    ("rcpt", "450 4.2.0 Recipient address rejected: Greylisted"),
    ("rcpt", "452 4.2.2 mailbox full"),
    ("content", "552 5.3.4 message too big"),
    ("content", "554 5.6.0 content"),
    ("content", "554 5.7.1 Message looks like spam"),
    ("content", "451 again"),
    ("data", "554 5.5.1 no valid recipients"),
]


def parts(reply):
    code, text = re.fullmatch(r"(\d{3})[ -](.*)", reply, re.DOTALL).groups()  # type: ignore[union-attr]
    return int(code), text


@pytest.mark.parametrize(("step", "reply"), US)
def test_reply_about_us__everybody_waits(step, reply):
    code, text = parts(reply)
    assert outcome_of(step, code, text) == ProviderDown(
        f"smtp_{code}", alarm=code >= 500, perhaps_this_one=step != "mail"
    )


@pytest.mark.parametrize(("step", "reply"), THIS_MAIL)
def test_reply_about_this_mail__is_final_or_not_now_for_it_alone(step, reply):
    code, text = parts(reply)
    assert outcome_of(step, code, text) == (Refused(f"smtp_{code}") if code >= 500 else Later(f"smtp_{code}"))


@pytest.mark.parametrize("rule", REPLIES, ids=lambda rule: rule.why)
def test_every_row__is_the_first_that_fits_some_real_reply(rule):
    """No row is there for nothing, none is hidden by those above it."""

    def first(step, reply):
        code, text = parts(reply)
        found = re.match(r"[245]\.\d+\.\d+", text)
        status = found[0] if found else ""
        return next((one for one in REPLIES if one.fits(step, str(code), status, text)), None)

    assert any(first(*reply) is rule for reply in (US if rule.about == "us" else THIS_MAIL))
