"""Servers of your own that the settings name, used instead of those that the stack starts by itself.

`BOOKING_POSTGRES_URL` is a superuser's address of a running PostgreSQL (`postgresql://postgres:...@host:5432/postgres`),
`BOOKING_KAFKA_BOOTSTRAP` a running broker (`host:9092`). Several machines are given as libpq and Kafka have them:
`...@one:5432,two:5432/postgres?target_session_attrs=read-write`, `one:9092,two:9092`. None is started, stopped or
configured by the stack, which makes its own roles, databases and topics there.
"""

import os
import socket
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from booking_local.failure import Failure

_OLDEST = 180000


@dataclass(frozen=True, slots=True)
class External:
    """What the settings name; None for a server that the stack starts itself."""

    postgres_url: str | None = None
    kafka: str | None = None

    @property
    def postgres(self) -> str | None:
        """Host and port, and behind a `?` what else libpq is told: services are told the same."""
        if self.postgres_url is None:
            return None
        parts = urlsplit(self.postgres_url)
        hosts = parts.netloc.rpartition("@")[2].split(",")
        return ",".join(_address(host, 5432) for host in hosts) + (f"?{parts.query}" if parts.query else "")

    def check_secured(self) -> None:
        """Raises Failure where a stack that is to be secured would not be: --secure has no say at others' servers."""
        if self.kafka is not None:
            raise Failure("--secure is of the stack's own broker: BOOKING_KAFKA_BOOTSTRAP names another, unset it.")
        if self.postgres_url is None:
            return
        if parse_qs(urlsplit(self.postgres_url).query).get("sslmode") != ["verify-full"]:
            raise Failure(
                "--secure is by TLS alone: BOOKING_POSTGRES_URL must end with ?sslmode=verify-full, and "
                "&sslrootcert=<the file of its CA> where this machine doesn't trust that."
            )

    def check(self) -> None:
        """Raises Failure with a sentence when one of them doesn't answer, or doesn't let us in."""
        if self.postgres_url is not None:
            _log_in(self.postgres_url)
        if self.kafka is not None:
            _reach(self.kafka)


def from_environment() -> External:
    """Reads the two settings. Raises Failure for one that can't be an address."""
    url, kafka = os.environ.get("BOOKING_POSTGRES_URL") or None, os.environ.get("BOOKING_KAFKA_BOOTSTRAP") or None
    if url is not None and (urlsplit(url).scheme not in ("postgresql", "postgres") or not urlsplit(url).hostname):
        raise Failure("BOOKING_POSTGRES_URL must look like postgresql://postgres:password@host:5432/postgres.")
    if kafka is not None and not all(
        one.rpartition(":")[0] and one.rpartition(":")[2].isdigit() for one in kafka.split(",")
    ):
        raise Failure("BOOKING_KAFKA_BOOTSTRAP must look like host:9092, or several of them with commas between.")
    return External(url, kafka)


def _address(host: str, usual_port: int) -> str:
    return host if host.rpartition(":")[2].isdigit() else f"{host}:{usual_port}"


def _log_in(url: str) -> None:
    import psycopg  # only where a server is given

    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
            version = connection.info.server_version
    except psycopg.Error as error:
        raise Failure(f"The PostgreSQL of BOOKING_POSTGRES_URL can't be used: {str(error).strip()}") from error
    if version < _OLDEST:
        raise Failure(f"The PostgreSQL of BOOKING_POSTGRES_URL is {version // 10000}; 18 or newer is needed.")
    if row is None or not row[0]:
        raise Failure("The user in BOOKING_POSTGRES_URL must be a superuser: it makes roles and databases.")


def _reach(bootstrap: str) -> None:
    refused: OSError | None = None
    for one in bootstrap.split(","):
        host, _, port = one.strip().rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as error:
            refused = error
        else:
            return
    raise Failure(f"No broker of BOOKING_KAFKA_BOOTSTRAP ({bootstrap}) answers: {refused}")
