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
    ],
)
def test_login__half_of_one_or_one_in_the_clear_is_refused(wrong, sentence):
    with pytest.raises(ValidationError, match=sentence):
        Settings(**LEAST, **wrong)
