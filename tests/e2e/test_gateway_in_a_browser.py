"""The gateway's pages in a real browser: nothing is refused by their own policy, nothing comes from elsewhere, axe
finds nothing, they fit a small phone, and they do not jump.

The browser comes from npm with the tests, and where the machine has no libraries for one these come from there too. A
machine that lacks more than that can't start it: then the test is skipped with the reason.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.e2e.gateway import Browser
from tests.e2e.system import Cast, Person, System, until
from tests.e2e.test_gateway_operations import underpaid
from tests.e2e.test_gateway_pages import LINK, Windows, ask, buy, path, times, windows  # noqa: F401 - a fixture

from booking_local.packages import UnavailableError, node_with

pytestmark = [pytest.mark.servers, pytest.mark.e2e, pytest.mark.timeout(900)]
PROGRAM = Path(__file__).parent / "browser"
FIRST_LOAD = 150 * 1024
SHIFT = 0.1
"""What Web Vitals call good. A busy machine draws the foot of a page before its middle has come: 0.016 was seen."""

LIBRARIES = {} if find_library("nss3") else {"AWS_LAMBDA_JS_RUNTIME": "nodejs24.x"}
"""What has the package unpack the libraries it carries, as it does for the machine that it was made for."""


class Program(NamedTuple):
    """What looks at pages: Node, the folder of its programs, and its environment."""

    node: Path
    folder: Path
    environment: dict[str, str]


@pytest.fixture(scope="module")
async def program() -> AsyncIterator[Program]:
    try:
        node, folder = await node_with(PROGRAM)
    except UnavailableError as reason:
        pytest.skip(str(reason))
    # The browser unpacks itself there, by a fixed name: what somebody else unpacked may be neither whole nor ours.
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as unpacked:
        yield Program(node, folder, {**os.environ, **LIBRARIES, "TMPDIR": unpacked})


@contextmanager
def looking(
    program: Program, system: System, person: Person, script: str = "visit.mjs", **asked: Any
) -> Iterator[subprocess.Popen[str]]:
    """The program at work."""
    who = {"sub": str(person.sub), "name": person.name, "role": person.role}
    told = json.dumps({"gateway": system.endpoints["gateway"], "person": who, **asked})
    words, pipe = [program.node, program.folder / script, told], subprocess.PIPE
    with subprocess.Popen(words, env=program.environment, stdout=pipe, stderr=pipe, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def ended(running: subprocess.Popen[str]) -> str:
    """What it printed."""
    out, errors = running.communicate(timeout=280)
    if "error while loading shared libraries" in errors:
        pytest.skip("this machine lacks libraries that Chromium needs")
    assert running.returncode == 0, errors[-3000:]
    return out


def test_pages__hold_in_a_browser(program, system: System, story: Cast, windows: Windows):  # noqa: F811 - the fixture
    session = path(ask(windows.member, story))
    order = path(buy(windows.member, story))
    theirs = windows.practitioner.open(session)
    windows.practitioner.send(theirs, r"/sessions/[^/]+/schedule", **times(5))
    month = times(5)["scheduled_date"][:7]
    waiting = path(ask(windows.member, story))
    done = path(ask(windows.member, story))
    for step, typed in (("schedule", times(6)), ("start", {}), ("result", {"result_notes": "Sampai jumpa."})):
        windows.practitioner.send(windows.practitioner.open(done), rf"/sessions/[^/]+/{step}", **typed)
    both = [session, done, f"/calendar?month={month}", "/calendar/feeds"]
    of_member = ["/services", f"/services/{story.product}", "/orders", order, "/sessions", "/profile", *both]
    found: list[Any] = []
    admin = Browser(system.endpoints["gateway"])
    admin.sign_in(story.admin)
    admin.http.close()
    of_admin = ["/admin/orders", f"/admin{order}", "/admin/products", f"/admin/products/{story.product}"]
    of_admin += ["/admin/practitioners", f"/admin/practitioners/{story.practitioner.sub}"]
    underpaid(story)
    of_admin += ["/admin/operations"]
    of_operations = ["/admin/reviews", "/admin/messages", "/admin/operations/held", "/admin/operations/projections"]
    of_operations += ["/admin/operations/erasures"]
    of_practitioner = ["/waiting", waiting, "/practice", *both]
    everybody = (
        (story.member, of_member, []),
        (story.practitioner, of_practitioner, []),
        (story.admin, of_admin, of_operations),
    )
    for person, pages, narrow in everybody:
        pictures = os.environ.get("GATEWAY_PICTURES")
        with looking(program, system, person, pages=pages, narrow=narrow, pictures=pictures) as running:
            found += json.loads(ended(running))
    for page in found:
        where = (page["path"], page["width"])
        assert page["violations"] == [], where
        assert page["complaints"] == [], where
        assert page["elsewhere"] == [], where
        assert page["tooWide"] <= 0, where
        assert page["shift"] < SHIFT, where
        styled = 3 if page["path"].startswith("/calendar?") else 2
        assert (page["styled"], page["htmx"]) == (styled, "object"), where
    heaviest = max(page["bytes"] for page in found if page["path"].startswith("/calendar"))
    assert found[0]["bytes"] < heaviest < FIRST_LOAD


def test_calendar__is_kept_by_mouse_and_by_keyboard(program, system: System, story: Cast, windows: Windows):  # noqa: F811
    window, when = windows.practitioner, times(9)
    window.send(window.open("/profile"), "/profile", locale="en", timezone="Asia/Makassar")
    moved, dragged, typed = (story.request(story.paid()) for _ in range(3))
    story.schedule(moved, days=9)
    until("the calendar", lambda: story.calendar(story.practitioner, moved["id"]))
    asked = {"day": when["scheduled_date"], "link": LINK, "pictures": os.environ.get("GATEWAY_PICTURES")}
    with looking(program, system, story.practitioner, "calendar.mjs", **asked) as running:
        saw = json.loads(ended(running))
    assert (saw["violations"], saw["complaints"]) == ([], [])
    assert saw["tooWide"] <= 0
    assert saw["given"] == [when["scheduled_date"], "15:30", "16:30", "Asia/Makassar"]
    assert saw["foreseen"] == f"Taken by {story.member.name}: 15:00–16:00"
    assert saw["wrong"].startswith("Please paste the whole link of Google Meet")
    kept = [story.session(one["id"]) for one in (moved, dragged, typed)]
    now = {one["id"]: (one["time_start"], one["time_end"], one["timezone"]) for one in kept}
    assert now[moved["id"]] == ("14:00", "15:00", "Asia/Jakarta"), "in its own zone"
    assert sorted([now[dragged["id"]], now[typed["id"]]]) == [
        ("08:00", "09:00", "Asia/Makassar"),
        ("17:00", "18:00", "Asia/Makassar"),
    ]
