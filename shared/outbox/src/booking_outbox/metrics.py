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
    """Counted since the start of the process.

    The lag is of the last look, at most a few seconds old, whoever leads and whatever Kafka does (see `lag.LagWatch`).
    While the database can't be reached nothing is known of it: the figures are absent rather than old.
    ``waiting_for`` names what does not answer, refuses, or forbids going on: ``kafka``, ``postgres``, ``operator``.
    """

    leader: bool = False
    refused: bool = False
    waiting_for: str | None = None
    empty_at: float | None = None  # time.monotonic() of the last look that found nothing waiting
    lag_events: dict[str, int] = field(default_factory=dict[str, int])
    lag_seconds: dict[str, float] = field(default_factory=dict[str, float])
    published: Counter[str] = field(default_factory=Counter[str])
    failed_batches: Counter[str] = field(default_factory=Counter[str])

    def samples(self) -> Iterator[Sample]:
        """Every figure, with its topic's logical name as label."""
        yield Sample("relay_leader", "gauge", "1 while this process holds the leader's lock.", float(self.leader))
        yield Sample("relay_refused", "gauge", "1 while a restored store forbids publishing.", float(self.refused))
        for cause in ("kafka", "operator", "postgres"):
            about = "1 while the relay can't go on because of this."
            yield Sample("relay_waiting", "gauge", about, float(self.waiting_for == cause), {"cause": cause})
        for topic, events in self.lag_events.items():
            yield Sample("relay_lag_events", "gauge", "Committed and not yet published.", events, {"topic": topic})
        for topic, seconds in self.lag_seconds.items():
            yield Sample("relay_lag_seconds", "gauge", "Age of the oldest unpublished mark.", seconds, {"topic": topic})
        for topic, events in self.published.items():
            yield Sample("relay_published_total", "counter", "Records acknowledged.", events, {"topic": topic})
        for topic, batches in self.failed_batches.items():
            about = "Batches not acknowledged in time."
            yield Sample("relay_failed_batches_total", "counter", about, batches, {"topic": topic})
