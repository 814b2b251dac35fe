"""The services and stand-ins as commands: what runs, on which port, with which settings."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from booking_contracts.brokers import Brokers
from booking_local.layout import Layout, tools_folder
from booking_local.servers.process import MARK, Command
from booking_local.stack.secrets import AUDIENCE, DATABASES, PRINCIPALS, Secrets

MODULES = {
    "checkout": "checkout",
    "consultation": "consultation",
    "notifier": "notifier",
    "calendar": "calendar_projector",
}
STANDINS = ("mailbox", "whatsapp", "payments", "identity")
RETURN_ORIGINS = ["http://127.0.0.1:3000", "http://127.0.0.1:5173", "http://localhost:3000", "http://localhost:5173"]
"""Where the development servers of pages usually are."""
ADMIN_EMAILS = ["admin@booking.local"]
_OPERATORS = ("PLATFORM_TIMEZONE", "RELAY_COMPRESSION", "ERASURE_RESEND_SECONDS")
_PHONE_NUMBER_ID = "100000000000001"


@dataclass(frozen=True, slots=True)
class Program:
    """One process besides the servers, and the port on which it says whether it is ready."""

    command: Command
    port: int


@dataclass(frozen=True, slots=True)
class Stack:
    """What the programs must know of each other."""

    layout: Layout
    secrets: Secrets
    ports: Mapping[str, int]
    postgres: str
    """Host and port of the PostgreSQL, ours or a given one: that may be several hosts, and parameters behind a `?`."""
    kafka: str
    """Likewise of the broker."""
    ca: Path | None = None
    """The CA of a secured broker; None for one that asks nobody who comes."""
    administrator: Brokers | None = None
    """Its address for who may do everything there; of one that asks nobody, None: it is `kafka`."""

    def url(self, name: str) -> str:
        """The HTTP address of a service or stand-in."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def kafka_settings(self, principal: str) -> dict[str, str]:
        """How a program gets to the broker."""
        if self.ca is None:
            return {"KAFKA_BOOTSTRAP": self.kafka}
        return {
            "KAFKA_BOOTSTRAP": self.kafka,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_USERNAME": principal,
            "KAFKA_PASSWORD": self.secrets.kafka_users[principal],
            "KAFKA_CA_FILE": str(self.ca),
        }

    def kafka_admin(self) -> dict[str, str]:
        """How who looks after the broker gets there."""
        if self.administrator is None:
            return {"KAFKA_BOOTSTRAP": self.kafka}
        of = self.administrator.security
        return {
            "KAFKA_BOOTSTRAP": str(self.administrator),
            "KAFKA_SECURITY_PROTOCOL": of.protocol,
            "KAFKA_CA_FILE": str(of.ca_file),
            "KAFKA_CERTIFICATE_FILE": str(of.certificate_file),
            "KAFKA_KEY_FILE": str(of.key_file),
        }

    def database_url(self, name: str, role: str) -> str:
        """One service's database, as `owner` or `app`."""
        return self.secrets.database_url(self.postgres, name, role)


def service(stack: Stack, name: str, mode: str) -> Program:
    """One process of one service, named such as `checkout-all`: in the mode `all`, or `api` and `worker` apart."""
    port = stack.ports[f"{name}-worker" if mode == "worker" else name]
    process = f"{name}-{mode}"
    command = Command(
        process,
        [sys.executable, "-m", MODULES[name], mode],
        stack.layout.log_of(process),
        env={**service_settings(stack, name), "HTTP_PORT": str(port)},
        cwd=stack.layout.folder,
        stop_seconds=20,
    )
    return Program(command, port)


def service_settings(stack: Stack, name: str, *, migrating: bool = False) -> dict[str, str]:
    """A service's settings, the owner's own file last. Only its migration gets to know the database's owner."""
    secrets = stack.secrets
    shared = {
        "DATABASE_URL": stack.database_url(name, "app"),
        **({"DATABASE_OWNER_URL": stack.database_url(name, "owner")} if migrating else {}),
        **stack.kafka_settings(PRINCIPALS[name]),
        "TOPIC_PREFIX": "",
        "HTTP_HOST": "127.0.0.1",
        "JWT_ISSUER": secrets.issuer,
        "JWT_AUDIENCE": AUDIENCE,
        "JWT_JWKS_URL": f"{stack.url('identity')}/.well-known/jwks.json",
        "JWT_ALLOW_HTTP": "true",
        "RATE_LIMIT_PER_MINUTE": "0",
        "SHUTDOWN_DRAIN_SECONDS": "0.5",  # no balancer here has to notice anything
        "PYTHONUNBUFFERED": "1",
    }
    own = {
        "checkout": {
            "PAYMENT_PROVIDER": "midtrans",
            "MIDTRANS_API_URL": stack.url("payments"),
            "MIDTRANS_SNAP_URL": stack.url("payments"),
            "RETURN_ORIGINS": json.dumps([stack.url("gateway"), *RETURN_ORIGINS]),
            **secrets.payments,
        },
        "consultation": {},
        "notifier": {
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(stack.ports["smtp"]),
            "SMTP_TLS": "none",
            "MAIL_FROM": "booking@booking.local",
            "WHATSAPP_API_URL": f"{stack.url('whatsapp')}/v23.0",
            "WHATSAPP_PHONE_NUMBER_ID": _PHONE_NUMBER_ID,
            **secrets.whatsapp,
            "ADMIN_EMAILS": json.dumps(ADMIN_EMAILS),
            "GATEWAY_URL": stack.url("gateway"),
            "WEBHOOK_ALLOW_PRIVATE": "true",  # receivers are on this machine
        },
        "calendar": {"FEED_SECRET": secrets.feed_secret, "PUBLIC_URL": stack.url("calendar")},
    }
    return {**mark_of(stack.layout), **shared, **own[name], **_settings_file(stack.layout.settings_of(name))}


def standin(stack: Stack, name: str) -> Program:
    """One of the STANDINS."""
    secrets = stack.secrets
    own = {
        "identity": {
            "JWKS_FILE": str(stack.layout.jwks),
            "SIGNING_FILE": str(stack.layout.secrets),
            "JWT_ISSUER": secrets.issuer,
            "CLIENT_SECRET": secrets.client_secret,
            "PEOPLE_FILE": str(stack.layout.people),
        },
        "mailbox": {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(stack.ports["smtp"])},
        "whatsapp": {
            "WHATSAPP_PHONE_NUMBER_ID": _PHONE_NUMBER_ID,
            **secrets.whatsapp,
            "WEBHOOK_URL": f"{stack.url('notifier')}/v1/whatsapp/webhook",
            "WHATSAPP_TEMPLATES": _approved_templates(),
        },
        "payments": {
            **secrets.payments,
            "NOTIFICATION_URL": f"{stack.url('checkout')}/v1/payments",
            "PUBLIC_URL": stack.url("payments"),
        },
    }
    http = {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(stack.ports[name])}
    folder = {"STATE_FOLDER": str(stack.layout.folder / "standins"), "PYTHONUNBUFFERED": "1"}
    command = Command(
        name,
        [sys.executable, "-m", f"booking_standins.{name}"],
        stack.layout.log_of(name),
        env={**mark_of(stack.layout), **http, **folder, **own[name]},
        cwd=stack.layout.folder,
        stop_seconds=5,
    )
    return Program(command, stack.ports[name])


def gateway(stack: Stack) -> Program:
    """The reference gateway: it knows addresses, its name at the identity provider, and no secret of a service."""
    settings = {
        "PUBLIC_URL": stack.url("gateway"),
        **{f"{name.upper()}_URL": stack.url(name) for name in DATABASES},
        "OIDC_ISSUER": stack.secrets.issuer,
        "OIDC_CLIENT_ID": "booking-web",
        "SESSION_SECRET": stack.secrets.session_secret,
        **stack.kafka_settings(PRINCIPALS["gateway"]),
        "ASSETS_FOLDER": str(tools_folder() / "gateway-assets"),
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(stack.ports["gateway"]),
        "PYTHONUNBUFFERED": "1",
    }
    command = Command(
        "gateway",
        [sys.executable, "-m", "booking_gateway"],
        stack.layout.log_of("gateway"),
        env={**mark_of(stack.layout), **settings, **_settings_file(stack.layout.settings_of("gateway"))},
        cwd=stack.layout.folder,
        stop_seconds=12,
    )
    return Program(command, stack.ports["gateway"])


def observe(stack: Stack, modes: Sequence[str]) -> Program:
    """The page of rules and dashboards over the services' processes, which run in these modes. It keeps nothing."""
    targets = {
        f"{name}-{mode}": (
            f"http://127.0.0.1:{stack.ports[f'{name}-worker' if mode == 'worker' else name]}/metrics",
            name,
        )
        for name in DATABASES
        for mode in modes
    }
    http = {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(stack.ports["observe"])}
    command = Command(
        "observe",
        [sys.executable, "-m", "booking_proof.observe"],
        stack.layout.log_of("observe"),
        env={**mark_of(stack.layout), **http, "TARGETS": json.dumps(targets), "PYTHONUNBUFFERED": "1"},
        cwd=stack.layout.folder,
        stop_seconds=5,
    )
    return Program(command, stack.ports["observe"])


def mark_of(layout: Layout) -> dict[str, str]:
    """What every process of this folder's stack has in its environment."""
    return {MARK: os.path.realpath(layout.folder)}


def operators_settings(layout: Layout) -> dict[str, str]:
    """What of the services' settings their operator's programs must know too, where it was set: by whoever started the
    stack, or in checkout's own file."""
    given = {**os.environ, **_settings_file(layout.settings_of("checkout"))}
    return {name: given[name] for name in _OPERATORS if given.get(name)}


def _settings_file(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    pairs = [line.partition("=") for line in lines if "=" in line and not line.startswith("#")]
    return {name.strip(): value.strip() for name, _, value in pairs}


def _approved_templates() -> str:
    """The file that an operator registers with Meta, as the notifier has it; found without importing the service."""
    found = find_spec("notifier")
    assert found is not None
    assert found.origin is not None
    return str(Path(found.origin).parent / "whatsapp" / "templates.json")


def endpoints(stack: Stack, running: dict[str, int], wanted: list[str]) -> dict[str, Any]:
    """endpoints.json as api.md describes it: `processes` are those that live, `programs` those that should."""
    return {
        "postgres": {name: stack.database_url(name, "owner") for name in DATABASES},
        "kafka": stack.kafka,
        "kafka_admin": stack.kafka_admin(),
        **({} if stack.ca is None else {"kafka_operator": stack.kafka_settings("operator")}),
        **{name: stack.url(name) for name in (*DATABASES, *STANDINS, "gateway")},
        **({"observe": stack.url("observe")} if "observe" in wanted else {}),
        "smtp": f"127.0.0.1:{stack.ports['smtp']}",
        "processes": [{"name": name, "pid": pid} for name, pid in running.items()],
        "programs": wanted,
        "settings": operators_settings(stack.layout),
        "development": {
            "midtrans_server_key": stack.secrets.midtrans_server_key,
            "manual_secret": stack.secrets.manual_secret,
        },
    }


async def ask(port: int, path: str, *, seconds: float = 2.0) -> int | None:
    """The status of a GET on 127.0.0.1, or None when there is no answer in time.

    By sockets alone: an HTTP library takes longer to import than to ask.
    """
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
                line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    words = line.split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None
