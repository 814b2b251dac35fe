"""The whole flow on the containers of docker-compose.yml, under a project name and ports of its own."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from testcontainers.compose import DockerCompose
from tests.e2e.stories import purchase_to_result
from tests.e2e.system import System, cast

from booking_local.servers.ports import free_port

pytestmark = [pytest.mark.docker, pytest.mark.timeout(2400)]
ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ("checkout", "consultation", "notifier", "calendar", "mailbox", "whatsapp", "payments")


def free_ports(count: int) -> list[int]:
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port(but_not=ports))
    return [*ports]


def until_ready(name: str, address: str) -> None:
    """`up --wait` waits for containers that are alive; whether they can serve is another question."""
    deadline = time.monotonic() + 120
    while True:
        with suppress(httpx2.HTTPError):
            if httpx2.get(address, timeout=5).status_code == 200:
                return
        assert time.monotonic() < deadline, f"{name} did not get ready"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    ports = dict(zip(PUBLISHED, free_ports(len(PUBLISHED)), strict=True))
    settings = {f"{name.upper()}_PORT": str(port) for name, port in ports.items()}
    settings["COMPOSE_PROJECT_NAME"] = f"booking{uuid4().hex[:6]}"
    with pytest.MonkeyPatch.context() as environment:
        for name, value in settings.items():
            environment.setenv(name, value)
        # Built beforehand, one after the other: `up --build` builds all at once.
        subprocess.run(
            ["docker", "compose", "build"], cwd=ROOT, check=True, env=os.environ | {"COMPOSE_PARALLEL_LIMIT": "1"}
        )
        with DockerCompose(ROOT, wait=True) as containers:

            def make_token(*, role: str, sub: str, name: str = "", email: str = "", phone: str = "") -> str:
                words = ["booking", "token", "--role", role, "--sub", sub]
                for flag, value in (("--name", name), ("--email", email), ("--phone", phone)):
                    words += [flag, value] if value else []
                out, _, _ = containers.exec_in_container(words, "identity")
                return out.strip()

            for name, port in ports.items():
                until_ready(name, f"http://127.0.0.1:{port}/readyz")
            running = System({name: f"http://127.0.0.1:{port}" for name, port in ports.items()}, make_token)
            yield running
            running.http.close()


def test_purchase_to_result__on_containers(system: System) -> None:
    """P3, R3, S1, N1, C1: the same story as on the stack without Docker."""
    purchase_to_result(cast(system))
