"""Settings that contradict themselves stop the start with a sentence."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from notifier.settings import Settings

LEAST: dict[str, Any] = {
    "database_url": "postgresql://notifier@127.0.0.1/notifier",
    "kafka_bootstrap": "127.0.0.1:1",
    "jwt_issuer": "https://identity.test",
    "jwt_jwks_url": "https://identity.test/jwks.json",
    "smtp_host": "127.0.0.1",
    "mail_from": "Booking <no-reply@booking.test>",
    "whatsapp_phone_number_id": "1",
    "whatsapp_token": "token",
    "whatsapp_app_secret": "secret",
    "whatsapp_verify_token": "verify",
}


def test_login__leaves_by_starttls_unless_told_otherwise():
    server = Settings(**LEAST, smtp_username="booking", smtp_password=SecretStr("s3cret")).smtp_server
    assert (server.tls, server.username, server.password) == ("starttls", "booking", "s3cret")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"smtp_username": "booking"}, "set both or neither"),
        ({"smtp_password": "s3cret"}, "set both or neither"),
        ({"smtp_username": "booking", "smtp_password": "s3cret", "smtp_tls": "none"}, "in the clear"),
        ({"whatsapp_api_url": "http://graph.facebook.com/v23.0"}, "what is sent there is secret"),
        ({"whatsapp_api_url": "graph.facebook.com/v23.0"}, "not an http"),
    ],
)
def test_secret__half_of_a_login_or_one_in_the_clear_is_refused(wrong, sentence):
    with pytest.raises(ValidationError, match=sentence):
        Settings(**LEAST, **wrong)


@pytest.mark.parametrize(
    ("mail_from", "sentence"),
    [
        ("Booking, Inc. <a@b.de>", "double quotes"),
        ("Booking: a@b.de;", "name@example.com"),
        ("Booking: Team <a@b.de>", "double quotes"),
        ("Booking (Jakarta) <a@b.de>", "double quotes"),
        ("a@b.de (Booking)", "name@example.com"),
        ("Booking <a@b.de>, Other <c@d.de>", "double quotes"),
        ("Booking <a@localhost>", "name@example.com"),
        ("Booking", "name@example.com"),
        ('"Booking\r\nBcc: x@y.de" <a@b.de>', "on one line"),
        ('"Klinik ' + "Sehat, " * 15 + '" <a@b.de>', "on one line|too long"),
        ("=?utf-8?q?x?= <a@b.de>", "plain ASCII"),
        ("Sehát <a@b.de>", "plain ASCII"),
    ],
)
def test_sender__that_is_not_one_mailbox_stops_the_start(mail_from, sentence):
    """RFC 5322 §3.4: a second address, a group or a comment would make every mail fail."""
    with pytest.raises(ValidationError, match=sentence):
        Settings(**{**LEAST, "mail_from": mail_from})


def test_admins__by_the_rule_for_every_address():
    assert Settings(**LEAST, admin_emails=("ops@booking.example",)).admin_emails == ("ops@booking.example",)
    with pytest.raises(ValidationError, match="email address"):
        Settings(**LEAST, admin_emails=("ops.@booking.example",))
