"""What a killed service may not lose. Only the process list is the local stack's; the rest is HTTP."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.system import Cast, until

pytestmark = [pytest.mark.servers, pytest.mark.e2e]


def pid_of(state: Path, name: str) -> int | None:
    """Return the process of that server, or of that service's API and worker; None while it is being started."""
    processes = {p["name"]: p["pid"] for p in json.loads((state / "endpoints.json").read_text())["processes"]}
    return next((processes[found] for found in (name, f"{name}-all") if found in processes), None)


@contextmanager
def frozen(pid: int | None) -> Iterator[None]:
    """Stop a process from doing anything, for the length of a block."""
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_killed_between_commit_and_publish__the_event_arrives(state: Path, story: Cast) -> None:
    """R3, I4: with the broker frozen the commit is answered and nothing can be published; then the service dies."""
    paid = story.paid()
    story.consultation_knows(paid)
    with frozen(pid_of(state, "kafka")):
        session = story.request(paid)
        killed = pid_of(state, "consultation")
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        until("a new consultation process", lambda: pid_of(state, "consultation") not in (killed, None))
        until("consultation ready again", lambda: ready(story, "consultation"))
        assert story.session(session["id"])["status"] == "pending_negotiation"
        assert not story.system.mails_to(story.practitioner.email)
    until("the request told to the practitioner", lambda: story.system.mails_to(story.practitioner.email))
    assert len(story.system.mails_to(story.practitioner.email)) == 1


def ready(story: Cast, service: str) -> bool:
    try:
        return story.system.call(None, service, "GET", "/v1/sessions").status_code == 401
    except Exception:  # noqa: BLE001 - not up yet, whatever the reason
        return False
