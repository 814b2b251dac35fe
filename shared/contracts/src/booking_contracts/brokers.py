"""How a client gets to the brokers: where they are, whether TLS is spoken, who it says it is. The one place for it.

Every client of ours is made with `client_options(...)` (a test looks), so what the settings say reaches all of them.
Certificates are files and read anew for each client: the relay, consumers and probes make new ones by themselves when a
connection is lost, so a renewed file needs no restart. A password is read once, at the start.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256"]


@dataclass(frozen=True, slots=True)
class Security:
    """What the settings say of a connection, checked to belong together (`KafkaAccess`)."""

    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism | None = None
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    @property
    def tls(self) -> bool:
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def sasl(self) -> bool:
        return self.protocol in ("SASL_PLAINTEXT", "SASL_SSL")

    def context(self) -> ssl.SSLContext | None:
        """The files as TLS needs them, or None without TLS. The broker's name is checked. Raises OSError, SSLError."""
        if not self.tls:
            return None
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.certificate_file is not None:
            context.load_cert_chain(self.certificate_file, self.key_file)
        return context


class Brokers(str):
    """`host:port[,host:port]`, with what it takes to be let in there; a plain string means plain text."""

    __slots__ = ("security",)
    security: Security

    def __new__(cls, bootstrap: str, security: Security | None = None) -> Self:
        made = super().__new__(cls, bootstrap)
        made.security = security or Security()
        return made


def security_of(bootstrap: str) -> Security:
    """What it takes to be let in at this address."""
    return bootstrap.security if isinstance(bootstrap, Brokers) else Security()


def client_options(bootstrap: str) -> dict[str, Any]:
    """What each of aiokafka's clients is given: `AIOKafkaConsumer(**client_options(brokers), ...)`."""
    return {"bootstrap_servers": str(bootstrap), **connection_options(bootstrap)}


def connection_options(bootstrap: str) -> dict[str, Any]:
    """The part of it that says how one connection is made; nothing for plain text."""
    security = security_of(bootstrap)
    found: dict[str, Any] = {} if security.protocol == "PLAINTEXT" else {"security_protocol": security.protocol}
    if security.tls:
        found["ssl_context"] = security.context()
    if security.sasl and security.password is not None:
        found["sasl_mechanism"] = security.mechanism
        found["sasl_plain_username"] = security.username
        found["sasl_plain_password"] = security.password.get_secret_value()
    return found


def faststream_options(bootstrap: str, kinds: Any) -> dict[str, Any]:
    """The same for `KafkaBroker(**faststream_options(brokers, faststream.security), ...)`, which has its own words."""
    security = security_of(bootstrap)
    found: dict[str, Any] = {"bootstrap_servers": str(bootstrap).split(",")}
    if security.sasl and security.password is not None:
        kind = kinds.SASLScram512 if security.mechanism == "SCRAM-SHA-512" else kinds.SASLScram256
        password = security.password.get_secret_value()
        found["security"] = kind(security.username, password, ssl_context=security.context(), use_ssl=security.tls)
    elif security.tls:
        found["security"] = kinds.BaseSecurity(ssl_context=security.context())
    return found


class KafkaAccess(BaseModel):
    """The settings of it, for every program that has KAFKA_BOOTSTRAP."""

    model_config = ConfigDict(frozen=True)

    kafka_security_protocol: Annotated[
        Protocol, Field(description="PLAINTEXT, SSL, SASL_SSL, or SASL_PLAINTEXT where a mesh encrypts")
    ] = "PLAINTEXT"
    kafka_sasl_mechanism: Annotated[Mechanism, Field(description="SCRAM-SHA-512 or SCRAM-SHA-256")] = "SCRAM-SHA-512"
    kafka_username: Annotated[str | None, Field(description="the SCRAM user")] = None
    kafka_password: Annotated[SecretStr | None, Field(description="the SCRAM user's password")] = None
    kafka_ca_file: Annotated[
        Path | None, Field(description="the file of the brokers' CA (PEM); unset: the system's own CAs")
    ] = None
    kafka_certificate_file: Annotated[
        Path | None, Field(description="the file of our certificate (PEM), where brokers ask for one")
    ] = None
    kafka_key_file: Annotated[Path | None, Field(description="the file of the certificate's key (PEM)")] = None

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        security = self.security
        if security.sasl and not (security.username and security.password):
            raise ValueError(f"KAFKA_SECURITY_PROTOCOL={security.protocol} needs KAFKA_USERNAME and KAFKA_PASSWORD")
        if not security.sasl and (self.kafka_username or self.kafka_password):
            raise ValueError("KAFKA_USERNAME and KAFKA_PASSWORD need KAFKA_SECURITY_PROTOCOL=SASL_SSL")
        files = (self.kafka_ca_file, self.kafka_certificate_file, self.kafka_key_file)
        if not security.tls and any(files):
            raise ValueError("KAFKA_CA_FILE and certificates need KAFKA_SECURITY_PROTOCOL=SSL or SASL_SSL")
        if (self.kafka_certificate_file is None) != (self.kafka_key_file is None):
            raise ValueError("KAFKA_CERTIFICATE_FILE and KAFKA_KEY_FILE come together")
        try:
            security.context()
        except OSError as refused:  # SSLError is one
            names = "KAFKA_CA_FILE, KAFKA_CERTIFICATE_FILE or KAFKA_KEY_FILE"
            raise ValueError(f"{names} can't be used: {refused.strerror or type(refused).__name__}") from None
        return self

    @property
    def security(self) -> Security:
        """All of it as one value."""
        sasl = self.kafka_security_protocol.startswith("SASL_")
        return Security(
            protocol=self.kafka_security_protocol,
            mechanism=self.kafka_sasl_mechanism if sasl else None,
            username=self.kafka_username,
            password=self.kafka_password,
            ca_file=self.kafka_ca_file,
            certificate_file=self.kafka_certificate_file,
            key_file=self.kafka_key_file,
        )

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "KafkaAccess":
        """From variables, for programs that have no settings else. Raises pydantic's ValidationError."""
        names = KafkaAccess.model_fields
        return KafkaAccess.model_validate(
            {name: environment[name.upper()] for name in names if environment.get(name.upper())}
        )
