"""What an operator's Prometheus finds at each service of a running system."""

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.e2e.system import Cast, until

pytestmark = [pytest.mark.servers, pytest.mark.e2e]
SERVICES = ("checkout", "consultation", "notifier", "calendar")


@pytest.mark.parametrize("service", SERVICES)
def test_relay__shows_that_it_leads_what_it_sent_and_what_waits(story: Cast, service: str) -> None:
    """I4: whatever is committed is published; /metrics says so of every service's outbox."""
    if service != "checkout":
        story.schedule(story.request(story.paid()))

    def figures() -> dict[str, float] | None:
        text = story.system.call(None, service, "GET", "/metrics").text
        samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
        found = {s.name: max(t.value for t in samples if t.name == s.name) for s in samples if "relay" in s.name}
        return found if found.get("booking_relay_published_total", 0) > 0 else None

    found = until(f"{service} to have published", figures)
    assert (found["booking_relay_leader"], found["booking_relay_refused"]) == (1, 0)
    assert found["booking_relay_lag_events"] >= 0
