"""The operator's commands on this machine's stack: `booking-ops`, given its addresses and an admin's token.

What they do is that program's, for every deployment (deploy/ops).
"""

import os
import subprocess
import sys
import uuid
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import typer

from booking_local.commands import State, layout_of
from booking_local.failure import Failure
from booking_local.layout import Layout
from booking_local.stack import control, secrets
from booking_local.stack.secrets import DATABASES

ABOVE = ("access", "republish", "restore")


def operate(context: typer.Context, state: State = None) -> None:
    """A command of `booking-ops`, on this stack: `--help` shows its own."""
    command, words = str(context.info_name), context.args
    layout = layout_of(state)
    known = {} if {"--help", "-h"} & set(words) else settings(layout, command)
    done = subprocess.run(
        [sys.executable, "-m", "booking_ops", command, *words], env={**os.environ, **known}, check=False
    )
    raise typer.Exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)


def settings(layout: Layout, command: str = "") -> dict[str, str]:
    """What `booking-ops` must know of a stack that is up. Failure when it isn't. What makes roles and permissions, or
    writes topics for their owners, comes as who may do everything; the rest, to a secured broker, as the operator."""
    endpoints = control.endpoints(layout)
    known = {f"{name.upper()}_DATABASE_URL": endpoints["postgres"][name] for name in DATABASES}
    known |= {f"{name.upper()}_URL": endpoints[name] for name in DATABASES}
    as_operator = "kafka_operator" in endpoints and command not in ABOVE
    if command == "access":
        known |= {f"{name.upper()}_DATABASE_URL": _as_superuser(layout, endpoints, name) for name in DATABASES}
    return {
        **known,
        **endpoints.get("settings", {}),
        **endpoints["kafka_operator" if as_operator else "kafka_admin"],
        "TOPIC_PREFIX": "",
        "TOPIC_REPLICATION": os.environ.get("TOPIC_REPLICATION") or "1",  # as the stack makes them
        "OPERATOR_TOKEN": token(layout),
        "SECRETS_DIR": "",
    }


def _as_superuser(layout: Layout, endpoints: dict[str, Any], name: str) -> str:
    password = secrets.load(layout).postgres_superuser
    server = endpoints["postgres"][name].rpartition("@")[2]
    url = os.environ.get("BOOKING_POSTGRES_URL") or f"postgresql://postgres:{password}@{server}"
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def token(layout: Layout) -> str:
    """An admin's access token, signed by this stack's own key."""
    return secrets.sign(secrets.load(layout), roles=["admin"], sub=str(uuid.uuid4()), name="booking command")


def ask(layout: Layout, service: str, method: str, path: str, *, body: dict[str, Any] | None = None) -> Any:
    """One HTTP call as an admin. Raises Failure with the problem's own words."""
    import httpx2

    endpoints = control.endpoints(layout)
    headers = {"Authorization": f"Bearer {token(layout)}"}
    try:
        with httpx2.Client(trust_env=False, timeout=10) as http:
            answer = http.request(method, endpoints[service] + path, headers=headers, json=body)
    except httpx2.HTTPError as broken:
        raise Failure(f"{service} doesn't answer ({broken!r}): see `booking status`.") from None
    if answer.status_code == 404:
        raise LookupError(path)
    if answer.status_code >= 300:
        problem = answer.json()
        said = problem.get("detail") or problem.get("title")
        errors = "; ".join(f"{e.get('pointer')}: {e.get('detail')}" for e in problem.get("errors") or ())
        raise Failure(f"{service} refused: {said} ({problem.get('code')})" + (f" {errors}" if errors else ""))
    return answer.json() if answer.content else None
