"""The containers of docker-compose.yml, under a name and ports of their own: the flow, copies, a rolling restart."""

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from testcontainers.compose import DockerCompose
from tests.e2e.stories import purchase_to_result
from tests.e2e.system import Cast, Person, System, cast, until

from booking_local.servers.ports import free_port

pytestmark = [pytest.mark.docker, pytest.mark.timeout(2400)]
ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = (
    "checkout",
    "consultation",
    "notifier",
    "calendar",
    "mailbox",
    "whatsapp",
    "payments",
    "identity",
    "gateway",
    "ops",
)
COPIED = ("checkout", "consultation")


def free_ports(counts: Mapping[str, int]) -> dict[str, range]:
    """That many ports in a row for each name."""
    ports: dict[str, range] = {}
    while len(ports) < len(counts):
        name = next(name for name in counts if name not in ports)
        first = free_port(but_not={port for taken in ports.values() for port in taken})
        row = range(first, first + counts[name])
        if not any(_takes_connections(f"http://127.0.0.1:{port}") for port in row) and not any(
            port in taken for port in row for taken in ports.values()
        ):
            ports[name] = row
    return ports


def _takes_connections(address: str) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", int(address.rpartition(":")[2]))) == 0


def until_ready(name: str, address: str) -> None:
    """`up --wait` waits for containers that are alive; whether they can serve is another question."""

    def look() -> bool:
        with suppress(httpx2.HTTPError):
            return httpx2.get(f"{address}/readyz", timeout=5).status_code == 200
        return False

    until(f"{name} ready", look)


class Containers:
    """The running project: its addresses, and what an operator does with it."""

    def __init__(self, compose: DockerCompose, addresses: Mapping[str, Sequence[str]]) -> None:
        self.compose = compose
        self.addresses = addresses

    def run(self, *words: str, good: Sequence[int] = (0,)) -> str:
        asked = subprocess.run(["docker", "compose", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        assert asked.returncode in good, asked.stderr
        return asked.stdout.strip()

    def token(self, *, role: str, sub: str, name: str = "", email: str = "", phone: str = "") -> str:
        words = ["booking", "token", "--role", role, "--sub", sub]
        for flag, value in (("--name", name), ("--email", email), ("--phone", phone)):
            words += [flag, value] if value else []
        out, _, _ = self.compose.exec_in_container(words, "identity")
        return out.strip()


@pytest.fixture(scope="module")
def containers() -> Iterator[Containers]:
    ports = free_ports({name: 2 if name in COPIED else 1 for name in PUBLISHED})
    settings = {f"{name.upper()}_PORT": "-".join(str(port) for port in taken) for name, taken in ports.items()}
    addresses = {name: [f"http://127.0.0.1:{port}" for port in taken] for name, taken in ports.items()}
    settings |= {f"{name.upper()}_PUBLIC_URL": addresses[name][0] for name in ("gateway", "calendar", "payments")}
    settings["COMPOSE_PROJECT_NAME"] = f"booking{uuid4().hex[:6]}"
    with pytest.MonkeyPatch.context() as environment:
        for name, value in settings.items():
            environment.setenv(name, value)
        # Built beforehand, one after the other: `up --build` builds all at once.
        subprocess.run(
            ["docker", "compose", "--profile", "ops", "build"],
            cwd=ROOT,
            check=True,
            env=os.environ | {"COMPOSE_PARALLEL_LIMIT": "1"},
        )
        with DockerCompose(ROOT, wait=True) as compose:
            yield Containers(compose, addresses)


@pytest.fixture(scope="module")
def system(containers: Containers) -> Iterator[System]:
    # Of a range the first copy has either port; the operator's program is started by its test.
    services = {name: addresses for name, addresses in containers.addresses.items() if name != "ops"}
    endpoints = {name: next(filter(_takes_connections, addresses)) for name, addresses in services.items()}
    for name in ("checkout", "consultation", "notifier", "calendar", "gateway"):
        until_ready(name, endpoints[name])
    running = System(endpoints, containers.token)
    yield running
    running.http.close()


def test_purchase_to_result__on_containers(system: System) -> None:
    """P3, R3, S1, N1, C1: the same story as on the stack without Docker."""
    purchase_to_result(cast(system))


def test_gateway__shows_its_first_page(system: System) -> None:
    answer = httpx2.get(system.endpoints["gateway"], follow_redirects=False, timeout=30)
    assert answer.status_code in {200, 303}, answer.text


EACH_BUYS = 15
"""Of 20 unpaid Transactions that a member may have."""


class Buyer(threading.Thread):
    """Buys without a pause until told to stop, through whichever copy takes the connection, as a balancer does."""

    def __init__(self, story: Cast, copies: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self.story, self.copies = story, copies
        self.sold: list[tuple[Person, dict[str, Any]]] = []
        self.refused: list[str] = []
        self.enough = threading.Event()

    def run(self) -> None:
        turn, member = 0, self.story.member
        body = {"product_id": str(self.story.product), "practitioner_id": str(self.story.practitioner.sub)}
        while not self.enough.is_set():
            if len(self.sold) % EACH_BUYS == EACH_BUYS - 1:
                member = self.story.system.person("member", name="Sari", email=f"{uuid4().hex}@example.com")
            headers = {**member.headers, "Idempotency-Key": str(uuid4())}
            for attempt in range(200):
                turn += 1
                address = self.copies[turn % len(self.copies)]
                try:
                    answer = httpx2.post(f"{address}/v1/transactions", json=body, headers=headers, timeout=30)
                except httpx2.TransportError:
                    time.sleep(0.01 * attempt)
                    continue
                if answer.status_code == 201:
                    self.sold.append((member, answer.json()))
                else:
                    self.refused.append(answer.text)
                break
            else:
                self.refused.append("no copy took the order")


def test_rolling_restart__of_scaled_services_refuses_nothing_and_loses_nothing(
    containers: Containers, system: System
) -> None:
    containers.run(
        "up", "-d", "--no-recreate", "--wait", *(word for name in COPIED for word in ("--scale", f"{name}=2"))
    )
    for name in COPIED:
        _until_all_ready(containers, name)
    story = cast(system)
    buyer = Buyer(story, containers.addresses["checkout"])
    buyer.start()
    try:
        for name in COPIED:
            for container in containers.run("ps", "--format", "{{.Name}}", name).splitlines():
                seen = len(buyer.sold)
                until("orders to be taken", lambda seen=seen: len(buyer.sold) > seen + 5 or buyer.refused)
                subprocess.run(["docker", "restart", container], check=True, capture_output=True)
                _until_all_ready(containers, name)
    finally:
        buyer.enough.set()
        buyer.join(120)
    assert not buyer.is_alive()
    assert buyer.refused == []
    assert len(buyer.sold) > 20
    for member, sale in buyer.sold:
        assert system.get(member, "checkout", f"/v1/transactions/{sale['id']}")["id"] == sale["id"]
        replace(story, member=member).consultation_knows(sale)


def test_operators_program__proves_it_all_from_a_container_of_its_own(containers: Containers, system: System) -> None:
    """What was bought and met above, audited from inside by the addresses and passwords that the volume `ops` has."""
    purchase_to_result(cast(system))
    until("the audit to prove it", lambda: _audited(containers)["proven"])
    containers.run("--profile", "ops", "up", "-d", "--no-recreate", "--wait", "ops")
    (address,) = containers.addresses["ops"]
    try:
        proven = "booking_audit_proven 1.0"
        until("the audit's figures", lambda: proven in httpx2.get(f"{address}/metrics", timeout=30).text)
    finally:
        containers.run("--profile", "ops", "rm", "--stop", "--force", "ops")  # `down` knows of no profile


def _audited(containers: Containers) -> dict[str, Any]:
    """What it finds, also where something is still on its way."""
    words = ("--profile", "ops", "run", "--rm", "--no-deps", "ops", "audit", "--json")
    return json.loads(containers.run(*words, good=(0, 1)))


def _until_all_ready(containers: Containers, name: str) -> None:
    for address in containers.addresses[name]:
        until_ready(name, address)
