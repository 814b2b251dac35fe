"""What an operator's Prometheus finds at each service of a running system."""

import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from tests.e2e.system import Cast, until
from tests.observability.promql import TARGET, exposed, rules, selectors

pytestmark = [pytest.mark.servers, pytest.mark.e2e]
SERVICES = ("checkout", "consultation", "notifier", "calendar")


def page_of(story: Cast, service: str) -> str:
    return story.system.call(None, service, "GET", "/metrics").text


@pytest.mark.parametrize("service", SERVICES)
def test_relay__shows_that_it_leads_what_it_sent_and_what_waits(story: Cast, service: str) -> None:
    """I4: whatever is committed is published; /metrics says so of every service's outbox."""
    if service != "checkout":
        story.schedule(story.request(story.paid()))

    def figures() -> dict[str, float] | None:
        samples = [s for family in text_string_to_metric_families(page_of(story, service)) for s in family.samples]
        found = {s.name: max(t.value for t in samples if t.name == s.name) for s in samples if "relay" in s.name}
        return found if found.get("booking_relay_published_total", 0) > 0 else None

    found = until(f"{service} to have published", figures)
    assert (found["booking_relay_leader"], found["booking_relay_refused"]) == (1, 0)
    assert found["booking_relay_lag_events"] >= 0


@pytest.mark.parametrize("service", SERVICES)
def test_page__is_what_prometheus_can_read(story: Cast, service: str) -> None:
    """Its own parser where promtool is found, and the rules of the format that the client's parser lets pass."""
    text = page_of(story, service)
    assert text.endswith("\n")
    families = list(_families(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names)), "a family stands twice"
    for family in families:
        assert family.type in {"counter", "gauge", "histogram"}, family.name
        assert family.documentation, f"{family.name} says nothing of itself"
        series = [(sample.name, *sorted(sample.labels.items())) for sample in family.samples]
        assert len(series) == len(set(series)), f"a series of {family.name} stands twice"
        if family.type == "histogram":
            _assert_whole(family)
    if promtool := shutil.which("promtool"):
        done = subprocess.run(
            [promtool, "check", "metrics", "--extended", "--lint=none"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


OF_THE_AUDIT = "booking_audit_"
"""Told by `booking-ops serve`, where one runs: `deploy/ops/tests/integration/test_ops_serve.py` asks for them."""


def test_rules__find_each_of_their_series(story: Cast) -> None:
    """What the code defines is what a running system shows: names, labels, and 0 before anything happened."""
    story.schedule(story.request(story.paid()))
    ours = {series for rule in rules() for series, _ in selectors(rule["expr"])} & exposed().keys()
    ours = {name for name in ours if not name.startswith(OF_THE_AUDIT)}

    def shown() -> dict[str, set[str]] | None:
        found: dict[str, set[str]] = {}
        for service in SERVICES:
            for family in _families(page_of(story, service)):
                for sample in family.samples:
                    found.setdefault(sample.name, set()).update(sample.labels)
        return found if ours <= found.keys() else None

    found = until("every series of the rules", shown)
    assert {name: labels - exposed()[name] for name, labels in found.items() if name in ours} == {
        name: set() for name in ours
    }
    assert {name: exposed()[name] - TARGET - labels for name, labels in found.items() if name in ours} == {
        name: set() for name in ours
    }


@pytest.mark.parametrize("service", SERVICES)
def test_dependencies__are_asked_and_the_build_is_told(story: Cast, service: str) -> None:
    def look() -> dict[str, float] | None:
        samples = [s for family in _families(page_of(story, service)) for s in family.samples]
        up = {s.labels["dependency"]: s.value for s in samples if s.name == "booking_dependency_up"}
        return up if {"postgres", "kafka", "identity"} <= up.keys() else None

    assert set(until("what the service depends on", look).values()) == {1}
    (build,) = [f.samples for f in _families(page_of(story, service)) if f.name == "booking_build_info"]
    assert [sample.labels["service"] for sample in build] == [service]


def _families(text: str) -> Iterator[Metric]:
    yield from text_string_to_metric_families(text)


def _assert_whole(family: Metric) -> None:
    """Each bucket holds those before it, and the last one all."""
    buckets: dict[tuple[tuple[str, str], ...], list[float]] = {}
    counts: dict[tuple[tuple[str, str], ...], float] = {}
    for sample in family.samples:
        labels = tuple(sorted((name, value) for name, value in sample.labels.items() if name != "le"))
        if sample.name.endswith("_bucket"):
            assert re.fullmatch(r"\+Inf|[0-9.e+-]+", sample.labels["le"])
            buckets.setdefault(labels, []).append(sample.value)
        elif sample.name.endswith("_count"):
            counts[labels] = sample.value
    for labels, found in buckets.items():
        assert found == sorted(found), family.name
        assert found[-1] == counts[labels], family.name
