"""The receivers of docs/api.md, Webhooks, as they stand there: fed by a running system, a forger and a repeat."""

import asyncio
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from tests.e2e.system import ROOT, Cast, until

from booking_local.packages import UnavailableError, node_with

pytestmark = [pytest.mark.servers, pytest.mark.e2e, pytest.mark.timeout(300)]
PAGE = (ROOT / "docs" / "api.md").read_text("utf-8").partition("### Webhooks\n")[2].partition("\n### ")[0]
BLOCKS = {
    language: textwrap.dedent(block)
    for language, block in re.findall(r"\bIn (\w+) \([^\n]*\):\n\n((?:    [^\n]*\n|\n)+)", PAGE, re.MULTILINE)
}
PACKAGES = Path(__file__).parent / "webhook_receiver"

# What the page leaves to its readers: the application, the secret, ids that were seen, where events are kept.
# A receiver prints its port, then each event that it keeps.
PYTHON = """
import json
import os
import socket

import uvicorn
from fastapi import FastAPI, Request, Response

SECRET = os.environ["SECRET"]
app, seen = FastAPI(), set()

async def seen_before(id):
    was_seen = id in seen
    seen.add(id)
    return was_seen

async def store(event):
    print(json.dumps(event), flush=True)

{block}
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listening])
"""
JAVASCRIPT = """
import express from "express";

const SECRET = process.env.SECRET;
const app = express(), seen = new Set();
const seenBefore = async (id) => seen.size === seen.add(id).size;
const store = async (event) => console.log(JSON.stringify(event));

{block}
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
"""


@dataclass
class Receiver:
    """A program that is registered: where it listens, and what it printed."""

    url: str
    endpoint: str
    lines: Queue[str]

    def next_event(self) -> dict[str, Any]:
        """The next one that it kept."""
        return json.loads(self.lines.get(timeout=60))


@contextmanager
def _running(command: list[str], secret: str) -> Iterator[Queue[str]]:
    """The program, by what it prints, until the block ends."""
    lines: Queue[str] = Queue()
    environment = {**os.environ, "SECRET": secret}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    printed = process.stdout
    assert printed is not None

    def read() -> None:
        for line in printed:
            lines.put(line)

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    try:
        yield lines
    finally:
        process.kill()
        process.wait(30)
        reading.join(30)
        printed.close()


def _python(folder: Path) -> list[str]:
    program = folder / "receiver.py"
    program.write_text(PYTHON.replace("{block}", BLOCKS["Python"]), "utf-8")
    return [sys.executable, str(program)]


def _javascript(folder: Path) -> list[str]:
    try:
        node, packages = asyncio.run(node_with(PACKAGES))
    except UnavailableError as reason:
        pytest.skip(str(reason))
    (folder / "node_modules").symlink_to(packages / "node_modules")
    program = folder / "receiver.mjs"
    program.write_text(JAVASCRIPT.replace("{block}", BLOCKS["JavaScript"]), "utf-8")
    return [str(node), str(program)]


PROGRAMS: dict[str, Callable[[Path], list[str]]] = {"Python": _python, "JavaScript": _javascript}


@contextmanager
def _registered(story: Cast, command: list[str]) -> Iterator[Receiver]:
    """The program with the secret of an endpoint that is its own, until the block ends."""
    admin, system, endpoints = story.admin, story.system, "/v1/webhook-endpoints"
    # Its port is known once it runs, and its secret before it does: the address is told afterwards.
    made = {"url": "http://127.0.0.1:9/hooks", "event_types": [TOLD], "description": f"page {uuid4()}"}
    endpoint = system.post(admin, "notifier", endpoints, made)
    with _running(command, endpoint["secret"]) as lines:
        url = f"http://127.0.0.1:{int(lines.get(timeout=60))}/hooks"
        told = {**made, "url": url, "status": "enabled"}
        system.put(admin, "notifier", f"{endpoints}/{endpoint['id']}", told)
        yield Receiver(url, endpoint["id"], lines)
    system.call(admin, "notifier", "DELETE", f"{endpoints}/{endpoint['id']}")


TOLD = "com.booking.checkout.TransactionCreated.v1"


def _delivered(story: Cast, receiver: Receiver, attempts: int) -> dict[str, Any] | None:
    """The delivery, once so many tries of it are recorded and the last one got through."""
    path = f"/v1/webhook-deliveries?endpoint_id={receiver.endpoint}&status=delivered"
    found = story.system.get(story.admin, "notifier", path)["items"]
    return next((one for one in found if one["attempts"] == attempts), None)


def test_page__has_a_receiver_in_each_language():
    assert BLOCKS.keys() == PROGRAMS.keys()


@pytest.mark.parametrize("language", PROGRAMS)
def test_receiver_of_the_page__keeps_what_is_signed_once_and_refuses_the_rest(
    story: Cast, tmp_path: Path, language: str
):
    with _registered(story, PROGRAMS[language](tmp_path)) as receiver:
        first = story.buy()
        kept = receiver.next_event()
        assert (kept["type"], kept["data"]["transaction_id"]) == (TOLD, first["id"])
        forged = {"webhook-id": str(uuid4()), "webhook-timestamp": f"{time.time():.0f}", "webhook-signature": "v1,AAAA"}
        answer = httpx2.post(receiver.url, json=kept, headers=forged, trust_env=False, timeout=30)
        assert answer.status_code == 401
        delivery = until("the try to be recorded", lambda: _delivered(story, receiver, 1))
        story.system.post(story.admin, "notifier", f"/v1/webhook-deliveries/{delivery['id']}/resend")
        until("the copy to be taken", lambda: _delivered(story, receiver, 2))
        second = story.buy()
        assert receiver.next_event()["data"]["transaction_id"] == second["id"], "the copy or the forgery was kept"
