"""Whether what a process takes stays flat: judged per incarnation, since a killed process begins anew.

A pure function of the samples, so that a leak can be shown to be caught without waiting for one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from statistics import median

JUDGED_FROM_SECONDS = 1200.0
"""Shorter runs are summarised only: warming up and leaking look alike in them."""
WARM_UP_SECONDS = 120.0
"""What a process takes at first (pools, caches, compiled code) is no leak."""
LEAST_AGE_SECONDS = 480.0
"""Incarnations that were not seen this long after their warm-up tell nothing."""
LEAST_SAMPLES = 12
TOLERANCES = {"rss_kib": (0.10, 8192.0), "descriptors": (0.10, 8.0), "threads": (0.10, 4.0), "connections": (0.10, 4.0)}
"""How far the last quarter's median may lie above the first's: this share of it plus this much."""
ON_PURPOSE = {"mailbox": ("rss_kib",), "whatsapp": ("rss_kib",), "payments": ("rss_kib",), "kafka": ("rss_kib",)}
"""What may grow: stand-ins keep all that they were given, and Java fills the heap it was allowed before it collects."""
MOST_KIB = {"kafka": 1024.0 * (512 + 384)}
"""Java's heap as it was allowed, and what it needs beside it."""
QUEUES = ("outbox", "held", "due")


@dataclass(frozen=True)
class Sample:
    """What was seen at one moment (`at`, seconds of the run) of one thing: a process' incarnation, or a database."""

    at: float
    name: str
    incarnation: str
    values: dict[str, float] = field(default_factory=dict[str, float])


def summarise(samples: Iterable[Sample]) -> list[dict[str, object]]:
    """Per incarnation and quantity: seconds seen, first and last quarter's median after the warm-up, and the most."""
    return [
        {"name": name, "incarnation": incarnation, "quantity": quantity, **_figures(series)}
        for (name, incarnation, quantity), series in sorted(_series(samples).items())
    ]


def growing(samples: Sequence[Sample], run_seconds: float) -> list[str]:
    """What grew without end, in words; a long run that can't tell proves nothing, and says so.

    Empty for a run too short to tell (JUDGED_FROM_SECONDS).
    """
    if run_seconds < JUDGED_FROM_SECONDS:
        return []
    found = [] if judged(samples) else ["no process was seen long enough to tell"]
    for (name, incarnation, quantity), series in sorted(_series(samples).items()):
        if quantity in TOLERANCES and (quarters := _quarters(series)):
            first, last = quarters
            if quantity in ON_PURPOSE.get(name, ()):
                if last > MOST_KIB.get(name, inf):
                    found.append(f"{quantity} of {name} ({incarnation}) is {last:g}, more than it was allowed")
                continue
            share, slack = TOLERANCES[quantity]
            if last > first * (1 + share) + slack:
                found.append(f"{quantity} of {name} ({incarnation}) grew from {first:g} to {last:g}")
    return found


def judged(samples: Iterable[Sample]) -> int:
    """How many series were old enough to be judged; a run with none has proven nothing about leaks."""
    return sum(
        quantity in TOLERANCES and quantity not in ON_PURPOSE.get(name, ()) and _quarters(series) is not None
        for (name, _, quantity), series in _series(samples).items()
    )


def left_over(samples: Iterable[Sample]) -> list[str]:
    """Outboxes and due messages that the last sample, taken after rest, still shows. Held poison stays, by I13."""
    last: dict[str, Sample] = {}
    for sample in samples:
        if set(QUEUES) & sample.values.keys():
            last[sample.name] = sample
    rows = [(name, queue, sample.values.get(queue, 0.0)) for name, sample in last.items() for queue in QUEUES]
    return [f"{waiting:g} rows in {queue} of {name}" for name, queue, waiting in rows if queue != "held" and waiting]


def _series(samples: Iterable[Sample]) -> dict[tuple[str, str, str], list[tuple[float, float]]]:
    found: dict[tuple[str, str, str], list[tuple[float, float]]] = defaultdict(list)
    for sample in samples:
        for quantity, value in sample.values.items():
            found[sample.name, sample.incarnation, quantity].append((sample.at, value))
    return found


def _quarters(series: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """Medians of the first and the last quarter after the warm-up; None if it was not seen long enough."""
    warm = [(at, value) for at, value in series if at - series[0][0] >= WARM_UP_SECONDS]
    if len(warm) < LEAST_SAMPLES or warm[-1][0] - warm[0][0] < LEAST_AGE_SECONDS:
        return None
    quarter = (warm[-1][0] - warm[0][0]) / 4
    first = [value for at, value in warm if at <= warm[0][0] + quarter]
    last = [value for at, value in warm if at >= warm[-1][0] - quarter]
    return median(first), median(last)


def _figures(series: Sequence[tuple[float, float]]) -> dict[str, object]:
    first, last = _quarters(series) or (None, None)
    most = max(value for _, value in series)
    return {"seconds": round(series[-1][0] - series[0][0], 1), "first": first, "last": last, "max": most}
