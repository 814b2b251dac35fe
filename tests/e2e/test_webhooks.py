"""`booking webhooks listen` on a running stack: shown, verified, forwarded as it came, and gone at the end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from deploy.local.tests.command import booking
from deploy.standins.tests.receiver import receiver
from standardwebhooks import Webhook
from tests.e2e.system import Cast, until

pytestmark = [pytest.mark.servers, pytest.mark.e2e, pytest.mark.timeout(300)]


@contextmanager
def listening(state: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`booking webhooks listen` until the block ends."""
    command = [sys.executable, "-m", "booking_local", "webhooks", "listen", "--state", str(state), *words]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield started
    finally:
        started.terminate()
        started.communicate(timeout=30)


def _line(started: subprocess.Popen[str], word: str) -> str:
    """The next line with this word."""
    assert started.stdout is not None
    for line in started.stdout:
        if word in line:
            return line
    raise AssertionError(f"no {word}: {started.stderr.read() if started.stderr else ''}")


def _registered(story: Cast) -> list[str]:
    found = story.system.get(story.admin, "notifier", "/v1/webhook-endpoints")["items"]
    return [one["description"] for one in found if "listen" in (one["description"] or "")]


def test_listen__shows_and_forwards_what_happens_and_unregisters(story: Cast, state: Path):
    with receiver() as (url, received), listening(state, "--forward-to", url, "--test") as started:
        secret = _line(started, "whsec_").strip()
        assert "WebhookTest" in _line(started, "verified  200")
        bought = story.buy()
        assert "TransactionCreated" in _line(started, "TransactionCreated")
        events = [Webhook(secret).verify(body, dict(headers)) for _, headers, body in received]
        told = {event["type"]: event["data"] for event in events}
        assert told["com.booking.checkout.TransactionCreated.v1"]["transaction_id"] == bought["id"]
        assert len(_registered(story)) == 1
        started.send_signal(signal.SIGINT)
        assert started.wait(30) == 0
    assert _registered(story) == []


def test_listen_without_a_receiver__prints_json_of_one_type(story: Cast, state: Path):
    with listening(state, "--json", "--event", "TransactionCreated") as started:
        until("the listener to be registered", lambda: _registered(story))
        bought = story.buy()
        told = json.loads(_line(started, "{"))
        assert told["verified"]
        assert told["event"]["type"] == "com.booking.checkout.TransactionCreated.v1"
        assert told["event"]["data"]["transaction_id"] == bought["id"]


def test_listener_that_was_killed__the_next_one_deletes_its_address(story: Cast, state: Path):
    with listening(state) as killed:
        _line(killed, "whsec_")
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait(30)
        assert len(_registered(story)) == 1
    with listening(state) as started:
        _line(started, "whsec_")
        assert _registered(story) == [f"booking webhooks listen, process {started.pid}"]


@pytest.mark.parametrize(
    "words", [("--event", "Nothing"), ("--forward-to", "localhost:4000"), ("--forward-to", "http://")]
)
def test_what_cannot_be__a_sentence_and_nothing_registered(story: Cast, state: Path, words: tuple[str, str]):
    done = booking("webhooks", "listen", "--state", str(state), *words)
    assert done.returncode == 1
    assert words[1] in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert _registered(story) == []
