"""Five figures of the platform, of what its processes tell at `/metrics` (docs/operations.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client.parser import text_string_to_metric_families

Figure = Literal["commands", "consumers", "outbox", "messages", "timers"]
FIGURES: tuple[Figure, ...] = ("commands", "consumers", "outbox", "messages", "timers")

_GAUGES: Mapping[str, Figure] = {
    "booking_consumer_lag_events": "consumers",
    "booking_relay_lag_events": "outbox",
    "notifier_messages_due": "messages",
    "checkout_expiry_lateness_seconds": "timers",
}
_REQUESTS = "booking_http_request_seconds_count"
_TIMERS = ("consultation_timer_lateness_seconds", "notifier_timer_lateness_seconds")
_READ = (*_GAUGES, _REQUESTS, *(f"{name}_{end}" for name in _TIMERS for end in ("sum", "count")))
_CHANGES = ("POST", "PUT", "DELETE")
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What one process tells, `at` seconds of a clock that only goes forward.

    `commands`, `late` and `fired` have grown since it started: changes that were taken, and timers with the seconds
    that they were late. `gauges` are by figure and labels: several processes may tell the same one. `parts` are the
    figures that it has a part in.
    """

    at: float
    commands: float
    late: float
    fired: float
    gauges: Mapping[tuple[Figure, str, Labels], float]
    parts: frozenset[Figure]


def told(text: str, at: float) -> Told:
    """Of a page of `/metrics`. Raises ValueError where it is none."""
    wanted = "\n".join(line for line in text.splitlines() if line.startswith(_READ)) + "\n"
    commands = late = fired = 0.0
    gauges: dict[tuple[Figure, str, Labels], float] = {}
    parts: set[Figure] = {"commands"}
    for family in text_string_to_metric_families(wanted):
        for sample in family.samples:
            if sample.name == _REQUESTS:
                taken = sample.labels.get("method") in _CHANGES and sample.labels.get("status", "").startswith("2")
                commands += sample.value if taken else 0
            elif sample.name.endswith("_sum"):
                late += sample.value
                parts.add("timers")
            elif sample.name.endswith("_count"):
                fired += sample.value
            else:
                figure = _GAUGES[sample.name]
                gauges[figure, sample.name, tuple(sorted(sample.labels.items()))] = sample.value
                parts.add(figure)
    return Told(at, commands, late, fired, gauges, frozenset(parts))


def figures(
    before: Sequence[Told | None], now: Sequence[Told | None], parts: Sequence[frozenset[Figure]]
) -> dict[Figure, float | None]:
    """Of two rounds of the same processes, each in its place; None for a process that didn't answer.

    `parts` are the figures that each has a part in, as far as is known. A figure is None where one of its processes is
    away, or, if it is of what has grown, was away a round before: nobody knows it. Commands are those of a minute;
    timers say how late, in seconds, those were that fired since.
    """
    away = {figure for one, of in zip(now, parts, strict=True) if one is None for figure in of}
    found = _found(before, now)
    return {figure: None if figure in away else found[figure] for figure in FIGURES}


def _found(before: Sequence[Told | None], now: Sequence[Told | None]) -> dict[Figure, float | None]:
    here = [one for one in now if one is not None]
    gauges: dict[tuple[Figure, str, Labels], float] = {}
    for one in here:
        for key, value in one.gauges.items():
            gauges[key] = max(value, gauges.get(key, 0.0))
    pairs = [(old, new) for old, new in zip(before, now, strict=False) if old is not None and new is not None]
    known = len(pairs) == len(here)
    fired = sum(_grown(old.fired, new.fired) for old, new in pairs)
    late = sum(_grown(old.late, new.late) for old, new in pairs)
    overdue = max((value for key, value in gauges.items() if key[0] == "timers"), default=0.0)
    minutes = [(_grown(old.commands, new.commands) / (new.at - old.at)) * 60 for old, new in pairs if new.at > old.at]
    return {
        "commands": sum(minutes) if known else None,
        "consumers": _sum(gauges, "consumers"),
        "outbox": _sum(gauges, "outbox"),
        "messages": _sum(gauges, "messages"),
        "timers": max(overdue, late / fired if fired else 0.0) if known else None,
    }


def _grown(old: float, new: float) -> float:
    """Of a counter; one that fell began anew."""
    return new - old if new >= old else new


def _sum(gauges: Mapping[tuple[Figure, str, Labels], float], figure: Figure) -> float:
    return sum(value for key, value in gauges.items() if key[0] == figure)
