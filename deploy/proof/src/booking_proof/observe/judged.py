"""What the rules and dashboards say of the samples, round by round, and of the last hour what was said."""

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from booking_proof.gameday.alarms import Alarm, Recording
from booking_proof.gameday.promql import Labels, Samples, UnknownError, Vector, evaluate
from booking_proof.observe.boards import Board, Panel, Query

KEEP_SECONDS = 3600.0
EVERY_SECONDS = 5.0
Line = deque[tuple[float, float]]
"""Points in the order of time: seconds since 1970, and a value."""


@dataclass(frozen=True)
class Active:
    """A series for which an alarm's expression is true, since when without a break, and whether for long enough."""

    alarm: Alarm
    labels: Mapping[str, str]
    value: float
    since: float
    firing: bool


class Judged:
    """Records, judges and draws after each round of scrapes; it needs `samples` to be kept for KEEP_SECONDS."""

    def __init__(
        self, samples: Samples, alarms: Iterable[Alarm], recordings: Sequence[Recording], boards: Sequence[Board]
    ) -> None:
        self.alarms, self.boards = list(alarms), list(boards)
        self.at = 0.0
        """When it judged last, in seconds since 1970."""
        self.refused: dict[str, str] = {}
        """Why an expression can't be evaluated here, by the expression."""
        self._samples = samples
        self._recordings = recordings
        self._recorded: list[set[Labels]] = [set() for _ in recordings]
        self._true: dict[str, dict[Labels, tuple[float, float]]] = {}
        self._lines: dict[str, dict[Labels, Line]] = {}

    def judge(self, at: float) -> None:
        """Once after each round, with its time."""
        for place, rule in enumerate(self._recordings):
            self._record(place, rule, at)
        for alarm in self.alarms:
            before = self._true.get(alarm.name, {})
            found = self._evaluate(alarm.expression, at)
            self._true[alarm.name] = {
                labels: (before[labels][0] if labels in before else at, value) for labels, value in found.items()
            }
        for expression in {query.expression for board in self.boards for one in board.panels for query in one.queries}:
            self._draw(expression, at)
        self.at = at

    def active(self) -> list[Active]:
        """Every alarm that fires, then those that wait for their time, each by severity and name."""
        found = [
            Active(alarm, dict(labels), value, since, self.at - since >= alarm.hold)
            for alarm in self.alarms
            for labels, (since, value) in self._true.get(alarm.name, {}).items()
        ]
        return sorted(found, key=lambda one: (not one.firing, one.alarm.severity, one.alarm.name))

    def still(self) -> list[Alarm]:
        """Those whose expression is true of nothing."""
        return [one for one in self.alarms if not self._true.get(one.name)]

    def lines(self, panel: Panel) -> dict[str, Line]:
        """A panel's lines by their names."""
        return {query.name(dict(labels)): line for query in panel.queries for labels, line in self._of(query)}

    def _of(self, query: Query) -> Iterable[tuple[Labels, Line]]:
        return self._lines.get(query.expression, {}).items()

    def _record(self, place: int, rule: Recording, at: float) -> None:
        found = {
            tuple(sorted({**dict(labels), **rule.labels}.items())): value
            for labels, value in self._evaluate(rule.expression, at).items()
        }
        for labels, value in found.items():
            self._samples.add(at, rule.name, dict(labels), value)
        for labels in self._recorded[place] - found.keys():
            self._samples.add(at, rule.name, dict(labels), None)
        self._recorded[place] = set(found)

    def _draw(self, expression: str, at: float) -> None:
        lines = self._lines.setdefault(expression, {})
        for labels, value in self._evaluate(expression, at).items():
            if math.isfinite(value):
                lines.setdefault(labels, deque()).append((at, value))
        for labels, line in list(lines.items()):
            while line and line[0][0] <= at - KEEP_SECONDS:
                line.popleft()
            if not line:
                del lines[labels]

    def _evaluate(self, expression: str, at: float) -> Vector:
        if expression in self.refused:
            return {}
        try:
            return evaluate(expression, self._samples, at)
        except UnknownError as why:
            self.refused[expression] = str(why)
            return {}
