"""Settings: a wrong one stops the start with one sentence that names it and never its value."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from faststream import security
from faststream.kafka.security import parse_security

from booking_contracts.brokers import client_options, faststream_options
from booking_process.logs import redacted_query, redacted_text
from booking_process.settings import Dsn, ServiceSettings, SettingsError, load_settings, redacted

GOOD = {
    "DATABASE_URL": "postgresql://checkout_app:hunter2@127.0.0.1:1/checkout",
    "KAFKA_BOOTSTRAP": "127.0.0.1:9092",
    "JWT_ISSUER": "https://identity.example",
    "JWT_JWKS_URL": "https://identity.example/jwks.json",
}


@pytest.fixture
def environment(monkeypatch):
    for name in ServiceSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("SECRETS_DIR", raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@contextmanager
def monkeypatched(environment, name: str, value: str) -> Iterator[None]:
    environment.setenv(name, value)
    yield
    environment.delenv(name)


def test_defaults__are_those_of_the_design(environment):
    settings = load_settings(ServiceSettings)
    assert settings.jwt_audience == "booking"
    assert settings.jwt_algorithms == ("RS256", "ES256", "EdDSA")
    assert settings.rate_limit_per_minute == 1200
    assert settings.platform_timezone == "Asia/Jakarta"
    assert settings.otel_exporter_otlp_endpoint is None


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("HTTP_PORT", "http", "HTTP_PORT is wrong"),
        ("HTTP_PORT", "70000", "HTTP_PORT is wrong"),
        ("JWT_JWKS_URL", "http://identity.example/jwks.json", "JWT_JWKS_URL must be https"),
        ("JWT_JWKS_URL", "http://127.0.0.1/jwks.json", "JWT_JWKS_URL must be https"),
        ("JWT_JWKS_URL", "file:///etc/passwd", "JWT_JWKS_URL must be https"),
        ("JWT_ALGORITHMS", '["HS256"]', "JWT_ALGORITHMS is wrong"),
        ("JWT_ALGORITHMS", '["none"]', "JWT_ALGORITHMS is wrong"),
        ("JWT_ALGORITHMS", "[]", "JWT_ALGORITHMS is wrong"),
        ("JWT_ALGORITHMS", "RS256", "jwt_algorithms"),
        ("JWT_LEEWAY_SECONDS", "61", "JWT_LEEWAY_SECONDS is wrong"),
        ("DATABASE_URL", "mysql://root:hunter2@db/x", "DATABASE_URL is wrong (not a postgresql:// address)"),
        ("DATABASE_URL", "", "DATABASE_URL is not set; set it to"),
        ("PLATFORM_TIMEZONE", "Mars/Olympus", "PLATFORM_TIMEZONE is wrong (no such zone)"),
        ("PLATFORM_TIMEZONE", "../../etc/passwd", "PLATFORM_TIMEZONE is wrong"),
        ("PLATFORM_TIMEZONE", "localtime", "PLATFORM_TIMEZONE is wrong (no such zone)"),
        ("PLATFORM_TIMEZONE", "Factory", "PLATFORM_TIMEZONE is wrong (no such zone)"),
        ("PLATFORM_TIMEZONE", "asia/jakarta", "PLATFORM_TIMEZONE is wrong (no such zone)"),
        ("RATE_LIMIT_PER_MINUTE", "-1", "RATE_LIMIT_PER_MINUTE is wrong"),
        ("TOPIC_PREFIX", "a b", "TOPIC_PREFIX is wrong"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL is wrong"),
        ("DATABASE_URL", "postgresql://u:hunter2@db/x?sslmod=require", "PostgreSQL knows no parameter sslmod"),
        ("DATABASE_URL", "postgresql://u:hunter2@db/x?sslmode=yes", "sslmode is one of"),
        ("DATABASE_URL", "postgresql://u:hunter2@db:http/x", "a port is a number"),
        ("DATABASE_URL", "postgresql://u:hunter2@a:1,b:2,c/x?port=1,2", "DATABASE_URL is wrong"),
        ("DATABASE_URL", "postgresql://u:hunter2%zz@db/x", "DATABASE_URL is wrong (no valid address)"),
        ("DATABASE_URL", "postgresql://u:hun@ter2@db/x", "an @ of the password is written %40"),
        ("DATABASE_OWNER_URL", "localhost", "DATABASE_OWNER_URL is wrong"),
        ("KAFKA_BOOTSTRAP", "localhost", "KAFKA_BOOTSTRAP is wrong (each must be host:port)"),
        ("KAFKA_BOOTSTRAP", "a:9092,,b:9092", "KAFKA_BOOTSTRAP is wrong"),
        ("KAFKA_BOOTSTRAP", "a:0", "KAFKA_BOOTSTRAP is wrong"),
        ("KAFKA_BOOTSTRAP", "a:99999", "KAFKA_BOOTSTRAP is wrong"),
        ("KAFKA_BOOTSTRAP", "SASL_SSL://a:9092", "KAFKA_SECURITY_PROTOCOL says how"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "OTEL_EXPORTER_OTLP_ENDPOINT is wrong"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://collector:4317", "OTEL_EXPORTER_OTLP_ENDPOINT is wrong"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:port", "OTEL_EXPORTER_OTLP_ENDPOINT is wrong"),
        ("CORS_ORIGINS", '["app.example"]', "CORS_ORIGINS is wrong"),
        ("CORS_ORIGINS", '["https://app.example/page"]', "CORS_ORIGINS is wrong"),
        ("HTTP_HOST", "http://0.0.0.0", "HTTP_HOST is wrong"),
        ("SHUTDOWN_DRAIN_SECONDS", "-1", "SHUTDOWN_DRAIN_SECONDS is wrong"),
        ("SECRETS_DIR", "/there/is/no/such/folder", "SECRETS_DIR is wrong"),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL", "needs KAFKA_USERNAME and KAFKA_PASSWORD"),
        ("KAFKA_SECURITY_PROTOCOL", "sasl_ssl", "KAFKA_SECURITY_PROTOCOL is wrong"),
        ("KAFKA_SASL_MECHANISM", "PLAIN", "KAFKA_SASL_MECHANISM is wrong"),
        ("KAFKA_USERNAME", "hunter2", "need KAFKA_SECURITY_PROTOCOL=SASL_SSL"),
        ("KAFKA_CA_FILE", "/etc/hosts", "need KAFKA_SECURITY_PROTOCOL=SSL or SASL_SSL"),
        ("KAFKA_SASL_USERNAME", "hunter2", "KAFKA_SASL_USERNAME is set and is no setting of ours"),
        ("kafka_ssl_cafile", "/etc/ca.pem", "KAFKA_SSL_CAFILE is set and is no setting of ours"),
        ("KAFKA_SSL", "true", "KAFKA_SSL is set and is no setting of ours"),
        ("DATABASE_SSLMODE", "verify-full", "DATABASE_SSLMODE is set and is no setting of ours"),
        ("DATABASE_PASSWORD", "hunter2", "DATABASE_PASSWORD is set and is no setting of ours"),
        ("JWT_ALGORITHM", "ES256", "JWT_ALGORITHM is set and is no setting of ours"),
    ],
)
def test_wrong_setting__one_sentence_names_it(environment, variable, value, says):
    environment.setenv(variable, value)
    with pytest.raises(SettingsError) as refused:
        load_settings(ServiceSettings)
    assert says in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert "hunter2" not in str(refused.value)


def test_secret_file_that_would_be_ignored__refused_too(environment, tmp_path):
    (tmp_path / "kafka_sasl_password").write_text("hunter2")
    environment.setenv("SECRETS_DIR", str(tmp_path))
    with pytest.raises(SettingsError, match="KAFKA_SASL_PASSWORD is set and is no setting of ours"):
        load_settings(ServiceSettings)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"),  # what we do anyway
        ("DATABASE_SSL", "false"),
        ("KAFKA_PORT", "tcp://10.0.0.7:9092"),  # Kubernetes' own, beside a service named kafka
        ("KAFKA_SERVICE_PORT_TLS", "9093"),
        ("HTTP_PROXY", "http://proxy:3128"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/etc/ca.pem"),  # the exporter reads it itself
        ("PGSSLROOTCERT", "/etc/ca.pem"),  # libpq likewise
        ("KAFKA_BOOTSTRAP", "a:9092, [::1]:9092"),
        ("DATABASE_URL", "postgresql://u:p@one:5432,two:5433/x?target_session_attrs=read-write&sslmode=require"),
    ],
)
def test_what_asks_for_nothing_that_we_would_ignore__is_taken(environment, variable, value):
    environment.setenv(variable, value)
    assert load_settings(ServiceSettings)


def test_kafka__files_that_cannot_be_used_are_told(environment, tmp_path):
    environment.setenv("KAFKA_SECURITY_PROTOCOL", "SSL")
    for name in ("KAFKA_CA_FILE", "KAFKA_CERTIFICATE_FILE"):
        with monkeypatched(environment, name, str(tmp_path / "none.pem")), pytest.raises(SettingsError) as refused:
            load_settings(ServiceSettings)
        assert name in str(refused.value)
    (tmp_path / "empty.pem").write_text("hunter2")
    environment.setenv("KAFKA_CA_FILE", str(tmp_path / "empty.pem"))
    with pytest.raises(SettingsError, match=r"KAFKA_CA_FILE.* can't be used") as refused:
        load_settings(ServiceSettings)
    assert "hunter2" not in str(refused.value)


def test_kafka__what_was_set_is_what_clients_get(environment, tmp_path):
    assert client_options(load_settings(ServiceSettings).brokers) == {"bootstrap_servers": "127.0.0.1:9092"}
    (tmp_path / "kafka_password").write_text("hunter2")
    for name, value in {
        "SECRETS_DIR": str(tmp_path),
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_USERNAME": "checkout",
    }.items():
        environment.setenv(name, value)
    brokers = load_settings(ServiceSettings).brokers
    options = client_options(brokers)
    context = options.pop("ssl_context")
    assert context.check_hostname
    assert options == {
        "bootstrap_servers": "127.0.0.1:9092",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "checkout",
        "sasl_plain_password": "hunter2",
    }
    assert "hunter2" not in repr(brokers.security)
    parsed = parse_security(faststream_options(brokers, security)["security"])
    assert parsed.pop("ssl_context").check_hostname
    assert parsed == {name: value for name, value in options.items() if name != "bootstrap_servers"}


def test_several_wrong__a_sentence_each(environment):
    environment.delenv("JWT_ISSUER")
    environment.setenv("HTTP_PORT", "x")
    with pytest.raises(SettingsError) as refused:
        load_settings(ServiceSettings)
    assert [line.split(" is ")[0] for line in str(refused.value).splitlines()] == ["HTTP_PORT", "JWT_ISSUER"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_keys_over_http__only_on_loopback_and_when_allowed(environment, host):
    environment.setenv("JWT_JWKS_URL", f"http://{host}:8080/jwks.json")
    environment.setenv("JWT_ALLOW_HTTP", "true")
    assert load_settings(ServiceSettings)
    environment.setenv("JWT_JWKS_URL", "http://identity.example/jwks.json")
    with pytest.raises(SettingsError):
        load_settings(ServiceSettings)


def test_keys_trusted_for_less_than_until_their_next_fetch__are_refused(environment):
    environment.setenv("JWT_JWKS_TTL_SECONDS", "600")
    environment.setenv("JWT_JWKS_MAX_AGE_SECONDS", "599")
    with pytest.raises(SettingsError, match="JWT_JWKS_MAX_AGE_SECONDS must be at least JWT_JWKS_TTL_SECONDS"):
        load_settings(ServiceSettings)


def test_secret__may_come_from_a_file(environment, tmp_path):
    (tmp_path / "database_url").write_text("postgresql://checkout_app:from-a-file@db:5432/checkout\n")
    environment.delenv("DATABASE_URL")
    environment.setenv("SECRETS_DIR", str(tmp_path))
    assert load_settings(ServiceSettings).database_url == "postgresql://checkout_app:from-a-file@db:5432/checkout"


def test_address__shows_no_password(environment):
    settings = load_settings(ServiceSettings)
    assert settings.database_url == GOOD["DATABASE_URL"]
    assert "hunter2" not in repr(settings)
    assert redacted(settings.database_url) == "postgresql://checkout_app@127.0.0.1:1/checkout"
    assert repr(Dsn("postgresql:///local")) == "Dsn('postgresql:///local')"


def test_documented__is_the_same_whatever_the_environment(environment):
    before = ServiceSettings.documented()
    environment.setenv("HTTP_PORT", "9999")
    assert ServiceSettings.documented() == before


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("connect postgresql://u:hunter2@h/d failed", "connect postgresql://u:***@h/d failed"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"),
        ("token eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln end", "token *** end"),
        ("GET /calendar/feeds/0a1b2c3d.ics 200", "GET /calendar/feeds/*** 200"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_log_texts__lose_their_secrets(text, clean):
    assert redacted_text(text) == clean


@pytest.mark.parametrize(
    ("query", "clean"),
    [
        ("after=17&ticket=st_abc&x=1", "after=17&ticket=***&x=1"),
        ("%74icket=hunter2", "***"),
        ("a=%42earer%20hunter2", "***"),
        ("start=2026-12-01T07:00:00%2B07:00", "start=2026-12-01T07:00:00%2B07:00"),
    ],
)
def test_queries__lose_their_secrets_however_they_are_written(query, clean):
    assert redacted_query(query) == clean
