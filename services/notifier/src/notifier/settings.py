"""The notifier's own settings."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from booking_people import email
from booking_process.settings import PrivateWebAddress, ServiceSettings
from notifier.mail.channel import sender
from notifier.mail.smtp import Server
from notifier.sending.pacing import RetryPolicy

Seconds = Annotated[float, Field(ge=0, le=604_800)]


class Settings(ServiceSettings):
    """Where messages go out, and how patient we are with recipients and providers."""

    smtp_host: Annotated[str, Field(description="the SMTP server's host name", examples=["127.0.0.1"])]
    smtp_port: Annotated[int, Field(ge=1, le=65535, description="the SMTP server's port")] = 587
    smtp_username: Annotated[str | None, Field(description="the SMTP account's name, if the server wants one")] = None
    smtp_password: Annotated[SecretStr | None, Field(description="the SMTP account's password")] = None
    smtp_tls: Annotated[
        Literal["none", "starttls", "tls"], Field(description="how the connection is secured: none, starttls or tls")
    ] = "starttls"
    mail_from: Annotated[
        str,
        Field(
            description='the sender of all mail, `Name <address>` or `"Name, with signs" <address>`',
            examples=["Booking <no-reply@booking.example>"],
        ),
    ]
    whatsapp_api_url: Annotated[
        PrivateWebAddress,
        Field(description="the Cloud API's base with its version, such as https://graph.facebook.com/v23.0"),
    ] = "https://graph.facebook.com/v23.0"
    whatsapp_phone_number_id: Annotated[
        str, Field(description="the sending number's id at Meta", examples=["100000000000001"])
    ]
    whatsapp_token: Annotated[SecretStr, Field(description="the Cloud API's access token", examples=["token"])]
    whatsapp_app_secret: Annotated[
        SecretStr,
        Field(
            description="the app secret that signs webhooks; several, by commas, while one is rotated",
            examples=["secret"],
        ),
    ]
    whatsapp_verify_token: Annotated[
        SecretStr, Field(description="the token that Meta repeats when the webhook is set up", examples=["verify"])
    ]
    admin_emails: Annotated[tuple[str, ...], Field(description='a JSON list such as ["ops@booking.example"]')] = ()
    gateway_url: Annotated[
        PrivateWebAddress | None,
        Field(description="the gateway whose pages mails lead to, such as https://booking.example"),
    ] = None
    sender_concurrency: Annotated[int, Field(ge=1, le=100, description="messages under way at once per channel")] = 8
    send_timeout_seconds: Annotated[
        float, Field(ge=0.1, le=600, description="the deadline of one send, in seconds")
    ] = 60.0
    address_wait_seconds: Annotated[Seconds, Field(description="how long a missing address is waited for (N5)")] = 900.0
    email_ambiguous_wait_seconds: Annotated[
        Seconds, Field(description="the pause before a mail's one more try (N3)")
    ] = 5.0
    whatsapp_ambiguous_wait_seconds: Annotated[
        Seconds, Field(description="how long WhatsApp's own status is waited for before the one more try (F85)")
    ] = 20.0
    whatsapp_pace_seconds: Annotated[
        Seconds, Field(description="the least pause between two messages to one person (131056)")
    ] = 6.0
    whatsapp_burst: Annotated[
        int, Field(ge=1, le=45, description="messages to one person before that pause counts")
    ] = 5
    give_up_after_seconds: Annotated[
        Seconds, Field(description="how long one recipient's refusal 'not now' is borne")
    ] = 259_200.0
    sending_lease_seconds: Annotated[
        float, Field(ge=1, le=600, description="without a sign of its worker an attempt counts as a crash, in seconds")
    ] = 15.0

    webhook_timeout_seconds: Annotated[
        float, Field(ge=1, le=60, description="how long a receiver of webhooks may take for its answer, in seconds")
    ] = 15.0
    webhook_concurrency: Annotated[int, Field(ge=1, le=100, description="webhooks under way at once")] = 16
    webhook_allow_private: Annotated[
        bool, Field(description="true only for local use and tests: webhooks to http and private addresses")
    ] = False

    @field_validator("mail_from")
    @classmethod
    def _one_sender(cls, text: str) -> str:
        sender(text)
        return text

    @field_validator("admin_emails")
    @classmethod
    def _mailboxes(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(email(address) for address in addresses)

    @model_validator(mode="after")
    def _no_password_in_the_clear(self) -> "Settings":
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("SMTP_USERNAME and SMTP_PASSWORD are of use together only; set both or neither")
        if self.smtp_username is not None and self.smtp_tls == "none":
            raise ValueError("SMTP_TLS=none would send SMTP_PASSWORD in the clear; set starttls or tls")
        return self

    @property
    def smtp_server(self) -> Server:
        """Where mail is handed over."""
        password = self.smtp_password.get_secret_value() if self.smtp_password else None
        return Server(
            self.smtp_host, self.smtp_port, self.smtp_username, password, self.smtp_tls, self.send_timeout_seconds
        )

    @property
    def whatsapp_secrets(self) -> tuple[str, ...]:
        """Every app secret that may have signed a webhook."""
        return tuple(
            part for part in (s.strip() for s in self.whatsapp_app_secret.get_secret_value().split(",")) if part
        )

    def retry_policy(self, *, ambiguous_wait: float, pace: float = 0.0, burst: int = 1) -> RetryPolicy:
        """The waits of one channel."""
        return RetryPolicy(
            send_timeout=self.send_timeout_seconds,
            pace=pace,
            burst=burst,
            address_wait=timedelta(seconds=self.address_wait_seconds),
            ambiguous_wait=timedelta(seconds=ambiguous_wait),
            give_up_after=timedelta(seconds=self.give_up_after_seconds),
            lease=self.sending_lease_seconds,
        )
