"""The mailbox is a real SMTP server, and misbehaves as real ones do."""

import smtplib
from email.message import EmailMessage

import pytest
from deploy.standins.tests.standin_process import standin


@pytest.fixture
def mailbox(tmp_path):
    with standin("mailbox", tmp_path) as running:
        yield running


def mail(to="sari@example.com"):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "booking@example.com", to, "Jadwal: Selasa – 09.00"
    message["Message-ID"] = "<m1@example.com>"
    message.set_content("Halo Sari")
    message.add_alternative("<p>Halo Sari</p>", subtype="html")
    message.add_attachment(b"BEGIN:VCALENDAR", maintype="text", subtype="calendar", filename="invite.ics")
    return message


def send(mailbox, *to):
    with smtplib.SMTP("127.0.0.1", mailbox.smtp_port, timeout=10) as smtp:
        return smtp.send_message(mail(), to_addrs=list(to) or ["sari@example.com"])


def items(mailbox):
    return mailbox.http.get("/messages").json()["items"]


def behave(mailbox, **wish):
    assert mailbox.http.put("/behaviour", json=wish).status_code == 200


def test_ok__the_mail_as_sent_newest_last(mailbox):
    send(mailbox)
    send(mailbox, "budi@example.com")
    first, second = items(mailbox)
    assert (first["to"], second["to"]) == (["sari@example.com"], ["budi@example.com"])
    assert (first["subject"], first["text"].strip(), first["html"].strip()) == (
        "Jadwal: Selasa – 09.00",
        "Halo Sari",
        "<p>Halo Sari</p>",
    )
    assert first["attachments"][0]["content_type"] == "text/calendar"
    assert first["message_id"] in first["raw"]


def test_restart__mail_is_still_there_until_deleted(mailbox):
    send(mailbox)
    mailbox.kill()
    mailbox.start()
    assert len(items(mailbox)) == 1
    assert mailbox.http.delete("/messages").status_code == 204
    assert items(mailbox) == []


def test_down__says_421_and_hangs_up(mailbox):
    behave(mailbox, mode="down")
    with pytest.raises(smtplib.SMTPConnectError) as refused:
        send(mailbox)
    assert refused.value.smtp_code == 421


@pytest.mark.parametrize(("mode", "code"), [("reject", 550), ("throttle", 450)])
def test_reject_and_throttle__per_recipient(mailbox, mode, code):
    behave(mailbox, mode=mode, only="budi@")
    refused = send(mailbox, "sari@example.com", "budi@example.com")
    assert refused["budi@example.com"][0] == code
    assert items(mailbox)[0]["to"] == ["sari@example.com"]


SENDER = b"5.7.1 <booking@example.com>: Sender address rejected: not owned by user"
QUOTA = "5.4.5 Daily user sending limit exceeded"


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"mode": "reject", "step": "mail"}, (553, SENDER)),
        ({"mode": "reject", "step": "data", "reply": f"550 {QUOTA}"}, (550, QUOTA.encode())),
        ({"mode": "throttle", "step": "mail", "reply": "454 4.7.0 Throttling"}, (454, b"4.7.0 Throttling")),
    ],
)
def test_refusal__at_any_step_in_the_words_that_were_given(mailbox, wish, said):
    """As a provider refuses an account, not a recipient."""
    behave(mailbox, **wish)
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        send(mailbox)
    assert (refused.value.smtp_code, refused.value.smtp_error) == said
    assert items(mailbox) == []


def test_slow__taken_after_the_delay(mailbox):
    behave(mailbox, mode="slow", seconds=0.3)
    send(mailbox)
    assert len(items(mailbox)) == 1


def test_break_after_accept__kept_but_never_answered(mailbox):
    behave(mailbox, mode="break_after_accept", times=1)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        send(mailbox)
    assert len(items(mailbox)) == 1
    send(mailbox)
    assert len(items(mailbox)) == 2


def test_unknown_mode__refused(mailbox):
    assert mailbox.http.put("/behaviour", json={"mode": "angry"}).status_code == 422
