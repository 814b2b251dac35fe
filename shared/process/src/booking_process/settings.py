"""Settings come from environment variables and secret files; a wrong one stops the start with a sentence."""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, cast
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import (
    AfterValidator,
    Field,
    GetCoreSchemaHandler,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, core_schema
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSetting

from booking_contracts.brokers import Brokers, KafkaAccess
from booking_contracts.zones import zone_named

_ASYMMETRIC = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"})
"""The only algorithms JWT_ALGORITHMS may name: a shared secret or `none` would let a token's holder sign (T2)."""

# One label that starts with a letter: a container's name on its own network, never a public host or an address.
_CONTAINER = re.compile(r"[a-z][a-z0-9-]*")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

_BROKER = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?):([0-9]{1,5})")
_ORIGIN = re.compile(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
_SSL_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})

# What a variable that is about security has in its name, however a platform spells it.
_SECURITY = re.compile(
    r"SSL|SASL|TLS|SECUR|CERT|PASSW|KEYSTORE|TRUSTSTORE|KERBEROS|OAUTH|GSSAPI|JAAS|ENCRYPT"
    r"|_(?:CA|CAFILE|KEY|KEYFILE|USER|USERNAME|MECHANISMS?|AUTH|TOKEN|SECRET|VERIFY|PWD|PASS|PROTOCOL)(?:_|$)"
)
_NO_SECURITY = frozenset({"", "plaintext", "none", "false", "0", "off", "no", "disable", "disabled"})
_LINKED = re.compile(r"_SERVICE_(?:HOST|PORT)|_PORT(?:_[0-9]+_|$)")
"""Kubernetes puts such variables beside a service that is named `kafka` or `database`."""


S = TypeVar("S", bound="ServiceSettings")


class SettingsError(Exception):
    """The process cannot start; the message names each wrong variable and says what to set, never its value."""


class Dsn(str):
    """A database address whose password never shows in a repr (T31)."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Dsn({redacted(self)!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(cls._checked, core_schema.str_schema())

    @classmethod
    def _checked(cls, text: str) -> Self:
        if not text.startswith(("postgresql://", "postgres://")):
            raise ValueError("not a postgresql:// address")
        try:
            parts = conninfo_to_dict(text)
        except psycopg.Error as refused:  # its words quote the address, password and all, but for this one
            unknown = re.search(r'invalid URI query parameter: "(\w+)"', str(refused))
            raise ValueError(f"PostgreSQL knows no parameter {unknown[1]}" if unknown else "no valid address") from None
        if "@" in str(parts.get("host") or ""):
            raise ValueError("an @ of the password is written %40")
        ports = str(parts.get("port") or "5432").split(",")
        if not all(port == "" or (port.isdecimal() and 0 < int(port) < 65536) for port in ports):
            raise ValueError("a port is a number, 1 to 65535")
        hosts = str(parts.get("host") or "").split(",")
        if len(ports) not in (1, len(hosts)):
            raise ValueError("give each host its port")
        if parts.get("sslmode", "prefer") not in _SSL_MODES:
            raise ValueError(f"sslmode is one of {', '.join(sorted(_SSL_MODES))}")
        return cls(text)


def redacted(url: str) -> str:
    """The address without its password, for logs."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{user}{host}{parts.path}"


def brokers(text: str) -> str:
    """The addresses of brokers, without spaces; ValueError for what is none."""
    addresses = [one.strip() for one in text.split(",")]
    for address in addresses:
        if "://" in address:
            raise ValueError("no scheme: KAFKA_SECURITY_PROTOCOL says how brokers are spoken to")
        found = _BROKER.fullmatch(address)
        if found is None or not 0 < int(found[1]) < 65536:
            raise ValueError("each must be host:port")
    return ",".join(addresses)


def _origins(found: tuple[str, ...]) -> tuple[str, ...]:
    if any(not _ORIGIN.fullmatch(one) for one in found):
        raise ValueError("an origin is https://host or https://host:port, without a path")
    return found


def _origins_or_any(found: tuple[str, ...]) -> tuple[str, ...]:
    _origins(tuple(one for one in found if one != "*"))
    return found


def _web(url: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 80) > 0
    except ValueError:
        valid = False
    if not valid or any(one.isspace() for one in url):
        raise ValueError("not an http:// or https:// address")
    return url.rstrip("/")


def _private_web(url: str) -> str:
    url = _web(url)
    if url.startswith("http://") and not is_near(urlsplit(url).hostname or ""):
        raise ValueError("https: what is sent there is secret; http only on loopback or a container network")
    return url


def _known_zone(name: str) -> str:
    if zone_named(name) is None:
        raise ValueError("no such zone")
    return name


PlatformTimezone = Annotated[str, Field(description="an IANA zone such as Asia/Jakarta"), AfterValidator(_known_zone)]
"""By which the platform counts its months."""

Origins = Annotated[tuple[str, ...], AfterValidator(_origins)]
"""Origins of pages, by name; nothing stands for all of them."""

WebAddress = Annotated[str, AfterValidator(_web)]
"""An http:// or https:// address, without a slash at its end."""

PrivateWebAddress = Annotated[str, AfterValidator(_private_web)]
"""One that secrets are sent to: https, and http only on loopback or a container network."""


def is_near(host: str) -> bool:
    """Whether a host is this machine or a container beside us, so that plain http may do."""
    return host in _LOOPBACK or _CONTAINER.fullmatch(host) is not None


class ServiceSettings(KafkaAccess, BaseSettings):
    """What every service process needs. A service adds its own fields in a subclass.

    Give each required field a `description` that completes "set it to ..." and one of `examples`
    (the OpenAPI document is printed with those, without any server).
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, env_nested_delimiter="__", env_ignore_empty=True
    )

    database_url: Annotated[
        Dsn,
        Field(
            description="the PostgreSQL address of the run-time role, postgresql://user:password@host:port/name",
            examples=["postgresql://checkout_app@127.0.0.1:5432/checkout"],
        ),
    ]
    database_direct_url: Annotated[
        Dsn | None,
        Field(
            description="the PostgreSQL address of the same role past the pooler that DATABASE_URL names: for the "
            "relay, for what listens and for session locks"
        ),
    ] = None
    database_owner_url: Annotated[
        Dsn | None, Field(description="the PostgreSQL address of the role that migrates (only `migrate` needs it)")
    ] = None
    database_pool_size: Annotated[int, Field(ge=1, le=200, description="a number of connections, 1 to 200")] = 10
    database_pool_timeout_seconds: Annotated[
        float, Field(gt=0, le=60, description="how long a request may wait for a connection, in seconds")
    ] = 3.0
    database_statement_timeout_seconds: Annotated[
        float, Field(gt=0, le=600, description="how long one statement may run, in seconds")
    ] = 10.0
    database_allow_unsafe: Annotated[
        bool, Field(description="true only for throw-away test servers: PostgreSQL may run with fsync off")
    ] = False
    kafka_bootstrap: Annotated[
        str,
        AfterValidator(brokers),
        Field(description="the brokers, host:port[,host:port]", examples=["127.0.0.1:9092"]),
    ]
    topic_prefix: Annotated[
        str, Field(pattern=r"^[a-zA-Z0-9._-]{0,64}$", description="a prefix of topic names, for shared clusters")
    ] = ""
    relay_compression: Annotated[
        Literal["zstd", "gzip", "none"],
        Field(description="zstd, gzip or none: how records are packed on their way to Kafka"),
    ] = "zstd"
    consumer_gap_limit: Annotated[
        int, Field(ge=1, description="keys of a partition that may wait for a predecessor before it is paused")
    ] = 1000
    http_host: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9._:-]+$", description="the address to listen on, such as 0.0.0.0")
    ] = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65535, description="the port to listen on")] = 8000
    jwt_issuer: Annotated[
        str, Field(min_length=1, description="the issuer of tokens, its `iss`", examples=["https://identity.example"])
    ]
    jwt_audience: Annotated[str, Field(min_length=1, description="our audience in tokens, their `aud`")] = "booking"
    jwt_jwks_url: Annotated[
        str,
        Field(
            description="the https address of the issuer's key set",
            examples=["https://identity.example/.well-known/jwks.json"],
        ),
    ]
    jwt_algorithms: Annotated[
        tuple[str, ...], Field(min_length=1, description='a JSON list such as ["RS256","ES256","EdDSA"]')
    ] = ("RS256", "ES256", "EdDSA")
    jwt_allow_http: Annotated[
        bool, Field(description="true only in development: the key set over http, on loopback or a container network")
    ] = False
    jwt_leeway_seconds: Annotated[int, Field(ge=0, le=60, description="tolerated clock difference, 0 to 60 s")] = 30
    jwt_jwks_ttl_seconds: Annotated[
        float, Field(gt=0, le=86400, description="how often the key set is fetched, in seconds")
    ] = 300.0
    jwt_jwks_max_age_seconds: Annotated[
        float, Field(gt=0, le=604800, description="how long the last key set is trusted while the issuer is away")
    ] = 3600.0
    platform_timezone: PlatformTimezone = "Asia/Jakarta"
    rate_limit_per_minute: Annotated[
        int, Field(ge=0, description="requests per minute and person, 0 switches the limit off")
    ] = 1200
    max_body_bytes: Annotated[int, Field(ge=1024, description="the largest request body in bytes")] = 262_144
    body_timeout_seconds: Annotated[
        float, Field(gt=0, le=300, description="how long a request's body may take to arrive, in seconds")
    ] = 15.0
    cors_origins: Annotated[
        tuple[str, ...],
        AfterValidator(_origins_or_any),
        Field(description='a JSON list of the origins whose pages may call, ["https://app.example"]'),
    ] = ()
    build_revision: Annotated[
        str, Field(max_length=64, description="the commit that the image was built of, for booking_build_info")
    ] = "unknown"
    otel_exporter_otlp_endpoint: Annotated[
        WebAddress | None,
        Field(description="the OTLP/HTTP collector's address, http://host:4318; unset switches telemetry export off"),
    ] = None
    otel_traces_sampler: Annotated[
        Literal[
            "always_on",
            "always_off",
            "traceidratio",
            "parentbased_always_on",
            "parentbased_always_off",
            "parentbased_traceidratio",
        ],
        Field(description="always_on, always_off or traceidratio, each alone or after parentbased_"),
    ] = "parentbased_traceidratio"
    otel_traces_sampler_arg: Annotated[
        float, Field(ge=0, le=1, description="the part of the requests that is traced, 0 to 1")
    ] = 0.1
    slow_request_seconds: Annotated[
        float, Field(gt=0, le=600, description="above how many seconds a request is logged and its span kept")
    ] = 1.0
    log_level: Annotated[
        str, Field(pattern=r"^(?i:debug|info|warning|error)$", description="debug, info, warning or error")
    ] = "info"
    crash_at: Annotated[str | None, Field(description="a fault point's name; development only")] = None
    shutdown_grace_seconds: Annotated[
        float, Field(ge=1, le=300, description="how long a stop may take altogether, in seconds")
    ] = 15.0
    shutdown_drain_seconds: Annotated[
        float,
        Field(
            ge=0,
            le=120,
            description="how long a stop still takes new requests while /readyz says 503, in seconds, for balancers "
            "to notice; at most half of SHUTDOWN_GRACE_SECONDS counts",
        ),
    ] = 3.0

    @field_validator("jwt_algorithms")
    @classmethod
    def _asymmetric(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := set(names) - _ASYMMETRIC:
            raise ValueError(f"{sorted(unknown)} not allowed, only {sorted(_ASYMMETRIC)}")
        return names

    @model_validator(mode="after")
    def _keys_over_https(self) -> Self:
        parts = urlsplit(self.jwt_jwks_url)
        host = parts.hostname or ""
        local = self.jwt_allow_http and parts.scheme == "http" and is_near(host)
        if not local and (parts.scheme != "https" or not parts.hostname):
            near_only = "http only on loopback or a container network, with JWT_ALLOW_HTTP=true"
            raise ValueError(f"JWT_JWKS_URL must be https ({near_only})")
        return self

    @model_validator(mode="after")
    def _keys_outlive_a_fetch(self) -> Self:
        if self.jwt_jwks_max_age_seconds < self.jwt_jwks_ttl_seconds:
            raise ValueError("JWT_JWKS_MAX_AGE_SECONDS must be at least JWT_JWKS_TTL_SECONDS")
        return self

    @property
    def direct_url(self) -> Dsn:
        """The database itself, never a pooler: for what belongs to a session (LISTEN, advisory locks, settings)."""
        return self.database_direct_url or self.database_url

    @property
    def brokers(self) -> Brokers:
        """KAFKA_BOOTSTRAP, with what it takes to be let in there."""
        return Brokers(self.kafka_bootstrap, self.security)

    @classmethod
    def documented(cls) -> Self:
        """The settings of the examples, whatever the environment says: for printing documents deterministically."""
        return cls.model_construct(**{name: _documented(field) for name, field in cls.model_fields.items()})


def load_settings(settings_class: type[S]) -> S:
    """The settings of the environment and of the files in SECRETS_DIR, or SettingsError."""
    folder = Path(os.environ["SECRETS_DIR"]) if os.environ.get("SECRETS_DIR") else None
    try:
        files = {path.name.upper(): path for path in folder.iterdir() if path.is_file()} if folder else {}
        given = {name: path.read_text("utf-8") for name, path in files.items()} | dict(os.environ)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"SECRETS_DIR is wrong: {folder} can't be read ({type(error).__name__}).") from None
    if ignored := sorted(_would_be_ignored(settings_class, given)):
        raise SettingsError("\n".join(_REFUSED.format(name=name) for name in ignored))
    made = cast("Callable[..., S]", settings_class)  # its fields come from the environment, not from arguments
    try:
        return made(_secrets_dir=folder)
    except ValidationError as error:
        raise SettingsError(_sentences(settings_class, error)) from None
    except UnreadableSetting as error:
        raise SettingsError(f"A setting cannot be read: {error}. Lists and objects are written as JSON.") from None


_REFUSED = (
    "{name} is set and is no setting of ours: it would be ignored, and with it the security that it asks for. "
    "Unset it; what can be set is in docs/api.md (Kafka: KAFKA_SECURITY_PROTOCOL; PostgreSQL: DATABASE_URL with "
    "?sslmode=...)."
)


def _would_be_ignored(settings_class: type[ServiceSettings], given: dict[str, str]) -> Iterable[str]:
    """Variables that begin like ours and ask for security, or belong to tokens, but are none that we know."""
    known = {name.upper() for name in settings_class.model_fields}
    families = {f"{name.partition('_')[0]}_" for name in known if "_" in name} | {"SECURITY_", "SASL_"}
    for name, value in given.items():
        upper = name.upper()
        family = upper.partition("_")[0] + "_"
        if upper in known or family not in families - _TOO_COMMON or _LINKED.search(upper):
            continue
        asks = _SECURITY.search(upper) is not None and value.strip().lower() not in _NO_SECURITY
        if family == "JWT_" or asks:
            yield upper


_TOO_COMMON = frozenset({"HTTP_", "LOG_", "PUBLIC_", "MAIL_", "SEND_", "BODY_", "MAX_", "RATE_", "OTEL_", "ADDRESS_"})
"""Where other programs have their variables too; OTEL_ ones are the exporter's own, which reads them."""


def _sentences(settings_class: type[ServiceSettings], error: ValidationError) -> str:
    lines: list[str] = []
    for found in error.errors(include_input=False, include_url=False, include_context=False):
        name = str(found["loc"][0]) if found["loc"] else ""
        field = settings_class.model_fields.get(name)
        wish = f"; set it to {field.description}" if field and field.description else ""
        cause = (
            "is not set" if found["type"] == "missing" else f"is wrong ({found['msg'].removeprefix('Value error, ')})"
        )
        lines.append(f"{name.upper()} {cause}{wish}." if name else f"{found['msg'].removeprefix('Value error, ')}.")
    return "\n".join(lines)


def _documented(field: FieldInfo) -> Any:
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is not PydanticUndefined:
        return default
    kind: Any = field.annotation
    example = field.examples[0] if field.examples else "example"
    return SecretStr(example) if kind is SecretStr else TypeAdapter(kind).validate_python(example)
