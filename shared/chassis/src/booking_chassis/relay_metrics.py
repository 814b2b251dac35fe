"""The relays' figures for `/metrics`: they count in plain numbers, since the outbox knows no web."""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from booking_chassis.service import Worker
from booking_outbox.metrics import RelayMetrics, Sample

Family = CounterMetricFamily | GaugeMetricFamily


class RelayFigures(Collector):
    """`booking_relay_*` of one process's relays, as they stand when asked."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._figures = [
            found for worker in workers if isinstance(found := getattr(worker, "metrics", None), RelayMetrics)
        ]
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """In Prometheus's text format, to stand behind the default registry's."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Family]:
        """One family per figure, its topic as label where it has one."""
        families: dict[str, Family] = {}
        for figures in self._figures:
            for sample in figures.samples():
                families.setdefault(sample.name, _family(sample)).add_metric([*sample.labels.values()], sample.value)
        return families.values()


def _family(sample: Sample) -> Family:
    kind = CounterMetricFamily if sample.kind == "counter" else GaugeMetricFamily
    return kind(f"booking_{sample.name}", sample.about, labels=[*sample.labels])
