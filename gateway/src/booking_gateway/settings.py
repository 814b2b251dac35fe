"""The gateway's settings, from environment variables and secret files; a wrong one stops the start with a sentence."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from booking_contracts.brokers import Brokers, KafkaAccess

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class SettingsError(Exception):
    """The gateway cannot start; the message names each wrong variable and says what to set, never its value."""


def _web(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or any(one.isspace() for one in url):
        raise ValueError("not an http:// or https:// address")
    return url.rstrip("/")


def _webs(urls: str) -> str:
    return " ".join(_web(one) for one in urls.split())


WebAddress = Annotated[str, AfterValidator(_web)]
WebAddresses = Annotated[str, AfterValidator(_webs)]


class Settings(KafkaAccess, BaseSettings):
    """Where everything is, and who the gateway is to the identity provider."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True)

    public_url: Annotated[WebAddress, Field(description="the address that browsers see, https://booking.example")]
    checkout_url: Annotated[WebAddress, Field(description="checkout's address")]
    consultation_url: Annotated[WebAddress, Field(description="consultation's address")]
    notifier_url: Annotated[WebAddress, Field(description="the notifier's address")]
    calendar_url: Annotated[WebAddress, Field(description="the calendar's address")]
    oidc_issuer: Annotated[WebAddress, Field(description="the identity provider's issuer, as its discovery says")]
    oidc_internal_url: Annotated[
        WebAddress | None,
        Field(description="where the gateway itself reaches the provider, if not at the issuer's address"),
    ] = None
    oidc_client_id: Annotated[str, Field(min_length=1, description="who the gateway is to the identity provider")]
    oidc_client_secret: Annotated[
        SecretStr | None, Field(description="its secret there; none for a public client, which has PKCE alone")
    ] = None
    oidc_scopes: Annotated[
        str, Field(description="the scopes to ask for, by blanks; offline_access brings a refresh token")
    ] = "openid profile email phone offline_access"
    session_secret: Annotated[
        SecretStr, Field(min_length=32, description="32 or more random characters: it encrypts what browsers keep")
    ]
    session_hours: Annotated[float, Field(gt=0, le=24 * 30, description="after how long to sign in again")] = 12.0
    assets_folder: Annotated[
        Path | None, Field(description="where `python -m booking_gateway.assets.fetch` put the browser's files")
    ] = None
    call_timeout_seconds: Annotated[float, Field(gt=0, le=60, description="how long a service may take")] = 10.0
    kafka_bootstrap: Annotated[
        str | None,
        Field(
            pattern=r"^[^\s,:/]+:[0-9]{1,5}(,[^\s,:/]+:[0-9]{1,5})*$",
            description="the brokers, host:port[,host:port]; none: pages don't follow changes, and say so",
        ),
    ] = None
    topic_prefix: Annotated[
        str | None, Field(pattern=r"^[a-zA-Z0-9._-]{0,64}$", description="a prefix of topic names, for shared clusters")
    ] = None
    metrics_urls: Annotated[
        WebAddresses | None,
        Field(description="the addresses of all processes that have /metrics, by blanks"),
    ] = None
    metrics_seconds: Annotated[float, Field(ge=1, le=300, description="how often they are asked, in seconds")] = 10.0
    http_host: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]+$", description="the address to listen on")] = (
        "127.0.0.1"
    )
    http_port: Annotated[int, Field(ge=0, le=65535, description="the port to listen on")] = 8000
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @model_validator(mode="after")
    def _secrets_travel_encrypted(self) -> Self:
        public = urlsplit(self.public_url)
        if public.path:
            raise ValueError("PUBLIC_URL has no path: the gateway has an origin of its own")
        if public.scheme == "http" and public.hostname not in LOOPBACK:
            raise ValueError("PUBLIC_URL must be https: a session's cookie must not be heard on its way")
        return self

    @property
    def brokers(self) -> Brokers | None:
        """KAFKA_BOOTSTRAP, with what it takes to be let in there; None where no topics are heard."""
        return None if self.kafka_bootstrap is None else Brokers(self.kafka_bootstrap, self.security)

    @property
    def processes(self) -> tuple[str, ...]:
        """Whose `/metrics` are read: those that are named, else the services."""
        named = tuple((self.metrics_urls or "").split())
        return named or (self.checkout_url, self.consultation_url, self.notifier_url, self.calendar_url)

    @property
    def secure(self) -> bool:
        """Whether browsers come by https."""
        return self.public_url.startswith("https://")


def load() -> Settings:
    """From the environment; files of SECRETS_DIR, named as the settings, count where no variable does.

    Raises SettingsError.
    """
    try:
        return Settings(_secrets_dir=os.environ.get("SECRETS_DIR"))  # type: ignore[call-arg]
    except ValidationError as wrong:
        raise SettingsError(" ".join(_sentence(one) for one in wrong.errors(include_input=False))) from None


def _sentence(error: object) -> str:
    assert isinstance(error, dict)
    where = error["loc"]
    if not where:
        return f"{str(error['msg']).removeprefix('Value error, ')}."
    name = str(where[0])
    field = Settings.model_fields.get(name)
    meant = f": set it to {field.description}" if field is not None and field.description else ""
    return f"{name.upper()} is {'missing' if error['type'] == 'missing' else 'wrong'}{meant}."
