"""An audit as metrics: how old the last one is, what differed, what was accepted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, write_to_textfile

from booking_ops.audit.section import Section


class Figures:
    """Figures of the last audit, in a registry of their own. Before the first one there are none but the runs."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.runs = Counter(
            "booking_audit_runs_total", "Audits by what they came to.", ["outcome"], registry=self.registry
        )
        for outcome in ("proven", "different", "impossible"):
            self.runs.labels(outcome)
        self._gauges: tuple[Gauge, ...] = ()

    def tell(self, sections: Iterable[Section], *, at: datetime, seconds: float, proven: bool) -> Figures:
        """What one audit found takes the place of what the one before did."""
        finished, took, is_proven, differing, accepted = self._gauges = self._gauges or self._made()
        finished.set(at.timestamp())
        took.set(seconds)
        is_proven.set(proven)
        for section in sections:
            differing.labels(section.name).set(section.differing)
            accepted.labels(section.name).set(len(section.accepted))
        self.runs.labels("proven" if proven else "different").inc()
        return self

    def write(self, file: Path) -> None:
        """As a file of node_exporter's textfile collector, whole or not at all."""
        write_to_textfile(str(file), self.registry)

    def _made(self) -> tuple[Gauge, ...]:
        to = self.registry
        return (
            Gauge("booking_audit_finished_timestamp_seconds", "When the last audit ended, since 1970.", registry=to),
            Gauge("booking_audit_seconds", "How long it took.", registry=to),
            Gauge("booking_audit_proven", "1: nothing differs but what was accepted.", registry=to),
            Gauge("booking_audit_differences", "What differs and was not accepted.", ["section"], registry=to),
            Gauge("booking_audit_accepted", "What differs and was accepted.", ["section"], registry=to),
        )
