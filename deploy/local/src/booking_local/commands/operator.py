"""What several commands do: run a service's own job with the stack's settings, ask a service as an admin."""

import json
import os
import subprocess
import sys
import uuid
from typing import Any
from urllib.parse import urlsplit

from booking_local.failure import Failure
from booking_local.stack import control, programs, secrets, tokens
from booking_local.stack.layout import Layout

SERVICES = ("checkout", "consultation", "notifier", "calendar")


def run_job(layout: Layout, service: str, *words: str) -> int:
    """`<service> <words>` as a process of its own, its output ours; answers its exit code."""
    endpoints = control.endpoints(layout)  # says what to do when the stack isn't up
    ports = json.loads(layout.ports.read_text("utf-8"))
    postgres = urlsplit(endpoints["postgres"][service]).netloc.rpartition("@")[2]
    stack = programs.Stack(layout, secrets.load(layout), ports, postgres, endpoints["kafka"])
    command = [sys.executable, "-m", programs.MODULES[service], *words]
    environment = {**os.environ, **programs.service_settings(stack, service), "LOG_LEVEL": "warning"}
    return subprocess.run(command, env=environment, cwd=layout.folder, check=False).returncode  # noqa: S603


def ask(layout: Layout, service: str, method: str, path: str, *, patient: bool = False) -> Any:
    """One HTTP call as an admin. Raises Failure with the problem's own words."""
    import httpx2  # noqa: PLC0415

    endpoints = control.endpoints(layout)
    token = tokens.sign(secrets.load(layout), roles=["admin"], sub=str(uuid.uuid4()), name="booking command")
    try:
        with httpx2.Client(trust_env=False, timeout=60 if patient else 10) as http:
            answer = http.request(method, endpoints[service] + path, headers={"Authorization": f"Bearer {token}"})
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
