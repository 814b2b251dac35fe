"""`booking up --observe`: the panels of a live stack, and the alarm of a service that stands still."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from tests.e2e.system import booking, local_stack, until

pytestmark = [pytest.mark.servers, pytest.mark.e2e]


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("observed")
    with local_stack(folder, "--observe"):
        yield folder


def test_live_stack__has_its_panels_and_a_service_that_stands_still_its_alarm(observed: Path):
    known = json.loads((observed / "endpoints.json").read_text("utf-8"))
    pids = {one["name"]: one["pid"] for one in known["processes"]}

    def page() -> str:
        return httpx2.get(known["observe"], timeout=30.0, trust_env=False).raise_for_status().text

    def figure(title: str) -> str:
        return next(one for one in re.findall(r"<figure>.*?</figure>", page()) if f">{title}</figcaption>" in one)

    def alarm() -> str:
        rows = re.findall(r'<tr class="(?:pending|firing)">.*?</tr>', page())
        return next((one for one in rows if "No process of checkout answers" in one), "")

    for title in ("Processes", "Connections", "Who leads", "Partitions", "Lag of what is shown", "Providers"):
        until(f"lines of {title}", lambda title=title: "<path " in figure(title))
    for service in ("checkout", "consultation", "notifier", "calendar"):
        until(f"{service} to be up", lambda service=service: f">{service}: 1<" in figure("Processes"))
    assert booking("status", state=observed).returncode == 0

    until("checkout to be no alarm", lambda: not alarm())
    os.kill(pids["checkout-all"], signal.SIGSTOP)
    try:
        assert '<a href="/runbooks/ServiceDown">' in until("the alarm of checkout", alarm)
        assert ">checkout: 0<" in figure("Processes")
    finally:
        os.kill(pids["checkout-all"], signal.SIGCONT)
    until("the alarm to end", lambda: not alarm())


def test_up_again__tells_where_it_is_and_that_it_was_not_asked_for(observed: Path, state: Path):
    known = json.loads((observed / "endpoints.json").read_text("utf-8"))
    again = booking("up", "--detach", "--observe", state=observed)
    assert (again.returncode, known["observe"] in again.stdout) == (0, True), again.stderr
    refused = booking("up", "--detach", "--observe", state=state)
    assert refused.returncode == 1
    assert "is up without --observe: run `booking down` first." in refused.stderr
