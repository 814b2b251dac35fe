"""The page of `booking up --observe`, of recorded samples: the real rules and dashboards, and nothing scraped."""

import re
import time

import httpx2
import pytest

from booking_local.layout import checkout
from booking_proof.gameday.alarms import alarms, recordings
from booking_proof.gameday.promql import Samples
from booking_proof.observe.__main__ import application
from booking_proof.observe.boards import boards
from booking_proof.observe.judged import EVERY_SECONDS, KEEP_SECONDS, Judged
from booking_proof.observe.page import page

HOME = checkout()
assert HOME is not None
FOLDER = HOME / "deploy/observability"
BEGAN = 1_800_000_000.0
SERVICES = ("checkout", "consultation", "notifier", "calendar")


class Recorded:
    """Rounds of a stack of which checkout may be away; its notifier has always 3 <mails> due."""

    def __init__(self) -> None:
        self.samples = Samples()
        self.at = BEGAN
        self.judged = Judged(
            self.samples,
            alarms(FOLDER / "rules").values(),
            recordings(FOLDER / "rules"),
            boards(FOLDER / "grafana/dashboards"),
        )

    def go_on(self, seconds: float, *, checkout_up: bool, every: float = EVERY_SECONDS) -> str:
        end = self.at + seconds
        while self.at < end:
            self.at += every
            for job in SERVICES:
                up = float(checkout_up or job != "checkout")
                self.samples.add(self.at, "up", {"job": job, "instance": f"{job}:1"}, up)
                waits = {"job": job, "instance": f"{job}:1", "topic": job}
                self.samples.add(self.at, "booking_relay_lag_seconds", waits, 0.0 if up else None)
            due = {"job": "notifier", "instance": "notifier:1", "channel": "<mail>"}
            self.samples.add(self.at, "notifier_messages_due", due, 3.0)
            self.judged.judge(self.at)
        return page(self.judged)


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


def row(shown: str, alarm: str) -> str:
    """The alarm's row of the table, or an empty string."""
    return next((one for one in re.findall(r"<tr class=.*?</tr>", shown) if f"/runbooks/{alarm}" in one), "")


def alarms_of(shown: str) -> str:
    """The table of what fires and waits."""
    return shown.partition("<details>")[0]


def figures(shown: str, title: str) -> list[str]:
    """The pictures of that title."""
    return [one for one in re.findall(r"<figure>.*?</figure>", shown) if f"<figcaption>{title}</figcaption>" in one]


def test_alarm__keeps_still_waits_for_its_time_fires_with_its_runbook_and_ends(recorded: Recorded):
    shown = recorded.go_on(30, checkout_up=True)
    assert row(shown, "ServiceDown") == ""
    assert '<a href="/runbooks/ServiceDown">' in shown.partition("<details>")[2]
    waits = row(recorded.go_on(30, checkout_up=False), "ServiceDown")
    assert '<tr class="pending">' in waits
    assert "No process of checkout answers" in waits
    assert "08:00:35 UTC (25 s, fires after 1 min)" in waits
    fires = row(recorded.go_on(40, checkout_up=False), "ServiceDown")
    assert '<tr class="firing"><td><a href="/runbooks/ServiceDown">' in fires
    assert "08:00:35 UTC (1.08 min)" in fires
    assert row(recorded.go_on(5, checkout_up=True), "ServiceDown") == ""


def test_promise__is_judged_by_the_series_that_rules_record(recorded: Recorded):
    broken = "publish of checkout: "
    assert broken not in alarms_of(recorded.go_on(300, checkout_up=True))
    shown = recorded.go_on(60, checkout_up=False)
    assert f"<td>{broken}16.7 % of the last hour broke the promise</td>" in alarms_of(shown)
    assert f"{broken}16.7 %" in figures(shown, "Broken, last hour")[0]


def test_panel__has_a_line_for_each_series_and_says_what_it_is_now(recorded: Recorded):
    shown = recorded.go_on(60, checkout_up=True)
    [processes] = figures(shown, "Processes")
    assert re.findall(r">(\w+): 1<", processes) == list(SERVICES)
    paths = re.findall(r'<path d="(M[^"]+)"', processes)
    assert len(paths) == len(SERVICES)
    assert all(path.count("L") == 11 for path in paths)
    due = figures(shown, "Due")[0]
    assert "&lt;mail&gt;: 3" in due
    assert "<mail>" not in shown
    shown = recorded.go_on(60, checkout_up=False)
    assert "checkout: 0" in figures(shown, "Processes")[0]


def test_every_panel__is_shown_and_says_so_when_it_cannot_be_evaluated(recorded: Recorded):
    shown = recorded.go_on(10, checkout_up=True)
    panels = [panel for board in recorded.judged.boards for panel in board.panels]
    assert len(panels) > 50
    assert shown.count("<figure>") == len(panels)
    assert len(recorded.judged.refused) == 1
    assert "can't be evaluated here: topk" in figures(shown, "The slowest routes")[0]
    assert "nothing was measured" in figures(shown, "Reviews")[0]


def test_lines__are_broken_where_nothing_was_measured_and_end_after_an_hour(recorded: Recorded):
    recorded.go_on(60, checkout_up=True)
    recorded.at += 600
    shown = recorded.go_on(20, checkout_up=True)
    assert '"M' in figures(shown, "Processes")[0]
    assert all(path.count("M") == 2 for path in re.findall(r'<path d="([^"]+)"', figures(shown, "Processes")[0]))
    recorded.go_on(2 * KEEP_SECONDS, checkout_up=True, every=120)
    [panel] = [one for board in recorded.judged.boards for one in board.panels if one.title == "Processes"]
    for line in recorded.judged.lines(panel).values():
        assert len(line) == KEEP_SECONDS / 120
        assert line[0][0] > recorded.at - KEEP_SECONDS


def test_samples__of_a_series_that_is_long_gone_take_no_room():
    samples = Samples()
    samples.add(0, "a", {"x": "1"}, 1.0)
    samples.add(9, "a", {"x": "2"}, 1.0)
    samples.forget(5)
    assert samples.window("a", lambda _: True, 10, 100) == {(("x", "2"),): [(9, 1.0)]}
    assert len(samples) == 1


async def test_served__loads_nothing_and_leads_to_each_runbook(recorded: Recorded):
    recorded.go_on(10, checkout_up=False)
    assert HOME is not None
    transport = httpx2.ASGITransport(app=application(recorded.judged, HOME))
    async with httpx2.AsyncClient(transport=transport, base_url="http://observe") as client:
        answer = await client.get("/")
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert re.findall(r'(?:src|href|action)="(?!/runbooks/)', answer.text) == []
        assert "<script" not in answer.text
        linked = set(re.findall(r'href="(/runbooks/\w+)"', answer.text))
        assert len(linked) == len(recorded.judged.alarms)
        for path in linked:
            page_ = await client.get(path)
            assert page_.status_code == 200
            assert page_.text.startswith(f"# {path.rpartition('/')[2]}")
        assert (await client.get("/runbooks/README")).status_code == 404
        recorded.judged.at = time.time()
        assert (await client.get("/readyz")).status_code == 200
        recorded.judged.at = 1.0
        assert (await client.get("/healthz")).status_code == 503
        recorded.judged.at = 0.0
        assert [(await client.get(path)).status_code for path in ("/healthz", "/readyz")] == [200, 503]
