"""Where a deployment is: addresses, names and a token, from the environment or from files of SECRETS_DIR.

A command asks for what it needs, and only that must be set: `topics` needs no database, `held` no Kafka.
"""

import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from booking_contracts.brokers import Brokers, KafkaAccess
from booking_contracts.zones import Zone, zone
from booking_ops.failure import Failure
from booking_process.service import Service
from booking_process.settings import Dsn, PlatformTimezone, WebAddress, brokers

SERVICES = {
    "checkout": "checkout",
    "consultation": "consultation",
    "notifier": "notifier",
    "calendar": "calendar_projector",
}
"""What has a database and an address of its own, and the package that it is."""

_Database = Annotated[
    Dsn | None, Field(description="the PostgreSQL address of the owner role, postgresql://user:password@host:port/name")
]
_Address = Annotated[WebAddress | None, Field(description="the service's address, http://host:port")]


class Settings(KafkaAccess, BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True)

    checkout_database_url: _Database = None
    consultation_database_url: _Database = None
    notifier_database_url: _Database = None
    calendar_database_url: _Database = None
    checkout_url: _Address = None
    consultation_url: _Address = None
    notifier_url: _Address = None
    calendar_url: _Address = None
    kafka_bootstrap: Annotated[
        Annotated[str, AfterValidator(brokers)] | None, Field(description="the brokers, host:port[,host:port]")
    ] = None
    topic_prefix: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{0,64}$", description="the prefix of topic names")] = ""
    operator_token: Annotated[SecretStr | None, Field(description="an access token with the role `admin`")] = None
    platform_timezone: PlatformTimezone = "Asia/Jakarta"
    relay_compression: Annotated[Literal["zstd", "gzip", "none"], Field(description="zstd, gzip or none")] = "zstd"
    erasure_resend_seconds: Annotated[int, Field(ge=0, description="seconds until a tombstone is sent once more")] = (
        3_660
    )

    build_revision: Annotated[str, Field(max_length=64, description="the commit that the image was built of")] = (
        "unknown"
    )

    @field_validator("operator_token")
    @classmethod
    def _a_word(cls, token: SecretStr | None) -> SecretStr | None:
        """What is no header's value would be refused by words that quote it."""
        text = token.get_secret_value().strip() if token else ""
        if not (text.isascii() and text.isprintable()) or " " in text:
            raise ValueError("a token is one word")
        return SecretStr(text) if text else None


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment. Each of its answers is there, or a Failure names the variable that must be set."""

    settings: Settings

    def database(self, service: str) -> str:
        """The address of a service's database, as its owner role."""
        return str(self._needed(f"{service}_database_url"))

    def databases(self) -> dict[str, str]:
        """All four of them."""
        return {service: self.database(service) for service in SERVICES}

    def address(self, service: str) -> str:
        """The HTTP address of a service."""
        return str(self._needed(f"{service}_url"))

    @property
    def kafka(self) -> Brokers:
        """The brokers, with what it takes to be let in there."""
        return Brokers(self._needed("kafka_bootstrap"), self.settings.security)

    @property
    def prefix(self) -> str:
        """What topics' names begin with."""
        return self.settings.topic_prefix

    @property
    def zone(self) -> Zone:
        """The platform's zone, by which the ranking counts months."""
        return zone(self.settings.platform_timezone)

    @property
    def token(self) -> str:
        """An admin's access token."""
        return self._needed("operator_token").get_secret_value()

    def service(self, name: str) -> Service:
        """The service as it is wired, against this deployment's database and broker: what it publishes, and under which
        lock, stands there once. Nothing of it runs; what is no setting of ours has the value of the documents."""
        package = SERVICES[name]
        kind: Any = import_module(f"{package}.settings").Settings
        given = {"database_url": self.database(name), "kafka_bootstrap": str(self.kafka), "topic_prefix": self.prefix}
        given |= {name: value for name, value in self.settings if name in kind.model_fields and name not in given}
        return import_module(f"{package}.app").build(kind.documented().model_copy(update=given))

    def _needed(self, name: str) -> Any:
        found = getattr(self.settings, name)
        if found is None:
            what = Settings.model_fields[name].description
            raise Failure(f"{name.upper()} is not set; set it to {what}.")
        return found


def deployment() -> Deployment:
    """The one that the environment tells of; Failure for a setting that can't be."""
    folder = os.environ.get("SECRETS_DIR")
    if folder and not Path(folder).is_dir():
        raise Failure(f"SECRETS_DIR is wrong: {folder} is no folder.")
    try:
        return Deployment(Settings(_secrets_dir=folder or None))  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        raise Failure("; ".join(map(_wrong, error.errors())) + ".") from None


def _wrong(one: Any) -> str:
    why = one["msg"].removeprefix("Value error, ")
    return f"{str(one['loc'][0]).upper()} is wrong ({why})" if one["loc"] else why


def chosen(services: list[str] | None) -> list[str]:
    """The services of these names, all for none; Failure for one that there is not."""
    unknown = [name for name in services or () if name not in SERVICES]
    if unknown:
        raise Failure(f"There is no service {unknown[0]}: it is one of {', '.join(SERVICES)}.")
    return list(dict.fromkeys(services or SERVICES))
