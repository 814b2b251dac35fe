"""What one person does is shown in the others' open windows; while Kafka is away, they say that it isn't."""

import json
from pathlib import Path
from typing import Any

from tests.e2e.gateway import Browser
from tests.e2e.system import Cast, Person, System, until
from tests.e2e.test_crash import frozen, pid_of
from tests.e2e.test_gateway_in_a_browser import Program, ended, looking, program, pytestmark  # noqa: F401 - a fixture, marks
from tests.e2e.test_gateway_pages import Windows, ask, path, times, windows  # noqa: F401 - a fixture


def test_windows__show_each_other_what_happens(program: Program, system: System, story: Cast, windows: Windows):  # noqa: F811
    asked = ask(windows.member, story)
    order = story.session(path(asked).rpartition("/")[2])["transaction_id"]
    admin = Browser(system.endpoints["gateway"])
    admin.sign_in(story.admin)
    for window in (admin, windows.practitioner):
        window.send(window.open("/profile"), "/profile", locale="en", timezone="Asia/Jakarta")
    admin.http.close()
    windows.member.send(windows.member.open("/profile"), "/profile", locale="en", timezone="Asia/Jakarta")

    def who(person: Person) -> dict[str, str]:
        return {"sub": str(person.sub)}

    told: dict[str, Any] = {"order": f"/orders/{order}", "session": path(asked)}
    told |= {"member": who(story.member), "practitioner": who(story.practitioner), "admin": who(story.admin)}
    told |= {"first": times(50), "second": times(50, "13:00", "14:00"), "third": times(50, "15:00", "16:00")}
    with looking(program, system, story.member, "windows.mjs", **told) as running:
        assert ended(running) == "whole\n"


def test_kafka_away__pages_go_on_and_say_that_they_are_not_live(
    state: Path,
    system: System,
    story: Cast,
    windows: Windows,  # noqa: F811
):
    session = ask(windows.member, story)
    window = windows.member
    with window.http.stream("GET", f"{window.gateway}/live") as answer:
        told = (json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line.startswith("data: "))
        until("live", lambda: next(told)["type"] == "live")
        with frozen(pid_of(state, "kafka")):
            until("not live", lambda: next(told)["type"] == "not_live")
            assert window.open(path(session)).status == 200
            assert system.http.get(f"{window.gateway}/readyz").status_code == 200
        until("live again", lambda: next(told)["type"] == "live")
        theirs = windows.practitioner.open(path(session))
        windows.practitioner.send(theirs, r"/sessions/[^/]+/schedule", **times(50))
        session_id = path(session).rpartition("/")[2]
        until("the change", lambda: next(told).get("session_id") == session_id)
    # The next story finds the services as they were.
    until("the calendar", lambda: story.calendar(story.practitioner, session_id))
    story.consultation_knows(story.paid())
