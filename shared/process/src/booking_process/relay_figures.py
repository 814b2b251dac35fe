"""The relay's figures in Prometheus's terms: `booking_outbox` counts, and whoever serves /metrics shows them."""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from booking_outbox.metrics import RelayMetrics, Sample
from booking_process.service import Worker

PREFIX = "booking_"


class RelayFigures(Collector):
    """What the relays among these workers have counted, read when it is asked for."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        found = [getattr(worker, "metrics", None) for worker in workers]
        self._relays = [metrics for metrics in found if isinstance(metrics, RelayMetrics)]
        # A registry of this process's own workers: the default one would keep those of every test.
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Every sample, those of one name together."""
        families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
        for sample in self._samples():
            if sample.name not in families:
                family = CounterMetricFamily if sample.kind == "counter" else GaugeMetricFamily
                families[sample.name] = family(PREFIX + sample.name, sample.about, labels=list(sample.labels))
            families[sample.name].add_metric(list(sample.labels.values()), sample.value)
        return families.values()

    def waits_for(self, cause: str) -> bool:
        """Whether one of the relays says that it can't go on because of this."""
        return any(relay.waiting_for == cause for relay in self._relays)

    def text(self) -> bytes:
        """The figures as /metrics shows them; empty without a relay."""
        return generate_latest(self._registry)

    def _samples(self) -> Iterator[Sample]:
        for relay in self._relays:
            yield from relay.samples()
