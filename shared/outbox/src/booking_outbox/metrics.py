"""The relay's figures, as plain numbers: whoever serves /metrics asks for `samples` and puts `booking_` before each."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Sample:
    """One value in Prometheus's terms."""

    name: str
    kind: Literal["gauge", "counter"]
    about: str
    value: float
    labels: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class RelayMetrics:
    """Counted since the start of the process; the lag is of the last look (every few seconds, by the leader alone)."""

    leader: bool = False
    refused: bool = False
    lag_events: dict[str, int] = field(default_factory=dict[str, int])
    lag_seconds: dict[str, float] = field(default_factory=dict[str, float])
    published: Counter[str] = field(default_factory=Counter[str])
    failed_batches: Counter[str] = field(default_factory=Counter[str])

    def samples(self) -> Iterator[Sample]:
        """Every figure, with its topic's logical name as label."""
        yield Sample("relay_leader", "gauge", "1 while this process holds the leader's lock.", float(self.leader))
        yield Sample("relay_refused", "gauge", "1 while a restored store forbids publishing.", float(self.refused))
        for topic, events in self.lag_events.items():
            yield Sample("relay_lag_events", "gauge", "Committed and not yet published.", events, {"topic": topic})
        for topic, seconds in self.lag_seconds.items():
            yield Sample("relay_lag_seconds", "gauge", "Age of the oldest unpublished mark.", seconds, {"topic": topic})
        for topic, events in self.published.items():
            yield Sample("relay_published_total", "counter", "Records acknowledged.", events, {"topic": topic})
        for topic, batches in self.failed_batches.items():
            about = "Batches not acknowledged in time."
            yield Sample("relay_failed_batches_total", "counter", about, batches, {"topic": topic})
