"""PromQL as the rules of deploy/observability use it, over samples in memory: Prometheus is not on PyPI.

What is not here is refused, never guessed. tests/observability/test_rules_evaluated.py holds it to promtool's own tests
of the rules. Times are seconds since 1970.
"""

import math
import operator
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import promql_parser as ast

LOOKBACK = 300.0
"""Seconds for which a series keeps its last value, as Prometheus has it by default."""
Labels = tuple[tuple[str, str], ...]
Vector = dict[Labels, float]
"""The series of an instant by their labels, without the name of what was measured."""
Value = Vector | float
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda a, b: a / b if b else math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a),
}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_AGGREGATES: dict[str, Callable[[list[float]], float]] = {"sum": sum, "max": max, "min": min, "count": len}


class UnknownError(Exception):
    """Something of PromQL that is not here."""


@dataclass(slots=True)
class Series:
    """What was measured, when. A value of None ends it: it was not there any more."""

    times: list[float] = field(default_factory=list[float])
    values: list[float | None] = field(default_factory=list[float | None])


class Samples:
    """What was scraped, by name and labels."""

    def __init__(self) -> None:
        self._of: defaultdict[str, dict[Labels, Series]] = defaultdict(dict)

    def __len__(self) -> int:
        """How many series there are."""
        return sum(len(found) for found in self._of.values())

    def add(self, at: float, name: str, labels: Mapping[str, str], value: float | None) -> None:
        """One sample; None where a series that was there before is gone. In the order of time."""
        series = self._of[name].setdefault(tuple(sorted(labels.items())), Series())
        if series.values and series.values[-1] == value:
            value = series.values[-1]  # the same object: an hour of what stands still costs no memory but its times
        series.times.append(at)
        series.values.append(value)

    def forget(self, before: float) -> None:
        """What no window reaches any more."""
        for found in self._of.values():
            for labels, series in list(found.items()):
                old = bisect_right(series.times, before)
                del series.times[:old], series.values[:old]
                if not series.times:
                    del found[labels]

    def instant(self, name: str, wanted: Callable[[Mapping[str, str]], bool], at: float) -> Vector:
        """The last value of each series, unless it has ended or is older than LOOKBACK."""
        found: Vector = {}
        for labels, series in self._of[name].items():
            last = bisect_right(series.times, at) - 1
            if last >= 0 and series.times[last] > at - LOOKBACK and wanted(dict(labels)):
                value = series.values[last]
                if value is not None:
                    found[labels] = value
        return found

    def window(
        self, name: str, wanted: Callable[[Mapping[str, str]], bool], at: float, seconds: float
    ) -> dict[Labels, list[tuple[float, float]]]:
        """The samples of each series after `at - seconds`, up to `at`."""
        found: dict[Labels, list[tuple[float, float]]] = {}
        for labels, series in self._of[name].items():
            first, last = bisect_right(series.times, at - seconds), bisect_right(series.times, at)
            kept = [
                (time, value)
                for time, value in zip(series.times[first:last], series.values[first:last], strict=True)
                if value is not None
            ]
            if kept and wanted(dict(labels)):
                found[labels] = kept
        return found


def evaluate(query: str, samples: Samples, at: float) -> Vector:
    """The series that an expression gives; of an alarm's, those for which it is true. Raises UnknownError."""
    value = _Evaluation(samples, at).of(ast.parse(query))
    return value if isinstance(value, dict) else {(): value}


def names(query: str) -> set[str]:
    """Every series that an expression asks for."""
    found: set[str] = set()

    def look(node: Any) -> None:
        if isinstance(node, ast.VectorSelector) and node.name:
            found.add(node.name)

    ast.walk(ast.parse(query), look)
    return found


@dataclass(frozen=True, slots=True)
class _Evaluation:
    samples: Samples
    at: float

    def of(self, node: Any) -> Value:
        if isinstance(node, ast.NumberLiteral):
            return node.val
        if isinstance(node, ast.ParenExpr):
            return self.of(node.expr)
        if isinstance(node, ast.VectorSelector):
            return self.samples.instant(node.name or "", _matcher(node), self.at)
        if isinstance(node, ast.AggregateExpr):
            return self._aggregate(node)
        if isinstance(node, ast.BinaryExpr):
            return self._binary(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        raise UnknownError(f"{type(node).__name__}: {node}")

    def _vector(self, node: Any) -> Vector:
        value = self.of(node)
        if not isinstance(value, dict):
            raise UnknownError(f"a number where series are needed: {node}")
        return value

    def _aggregate(self, node: Any) -> Vector:
        make = _AGGREGATES.get(str(node.op))
        if make is None or node.param is not None:
            raise UnknownError(f"{node.op}: {node}")
        groups: defaultdict[Labels, list[float]] = defaultdict(list)
        kept = node.modifier
        if kept is not None and kept.type != ast.AggModifierType.By:
            raise UnknownError(f"{node}")
        by = set(kept.labels) if kept is not None else set[str]()
        for labels, value in self._vector(node.expr).items():
            groups[_only(labels, by)].append(value)
        return {labels: float(make(values)) for labels, values in groups.items()}

    def _binary(self, node: Any) -> Value:
        left, right, sign = self.of(node.lhs), self.of(node.rhs), str(node.op)
        if sign in {"and", "or", "unless"}:
            return self._set(node, sign, left, right)
        if isinstance(left, float | int) and isinstance(right, float | int):
            return _ARITHMETIC[sign](left, right)
        modifier = node.modifier
        as_number = modifier is not None and modifier.return_bool
        result: Vector = {}
        for labels, a, b, kept in _pairs(left, right, _key(modifier), _many(modifier)):
            if sign in _ARITHMETIC:
                result[labels] = _ARITHMETIC[sign](a, b)
            elif as_number:
                result[labels] = float(_COMPARISONS[sign](a, b))
            elif _COMPARISONS[sign](a, b):
                result[labels] = kept
        return result

    def _set(self, node: Any, sign: str, left: Value, right: Value) -> Vector:
        if not isinstance(left, dict) or not isinstance(right, dict):
            raise UnknownError(f"{node}")
        key = _key(node.modifier)
        if sign == "or":
            there = {key(labels) for labels in left}
            return {**left, **{labels: value for labels, value in right.items() if key(labels) not in there}}
        there = {key(labels) for labels in right}
        return {labels: value for labels, value in left.items() if (key(labels) in there) == (sign == "and")}

    def _call(self, node: Any) -> Value:
        name, arguments = node.func.name, node.args
        if name == "time":
            return self.at
        if name == "vector":
            value = self.of(arguments[0])
            return {(): value} if not isinstance(value, dict) else value
        if name in {"rate", "increase", "avg_over_time"}:
            return self._over_time(name, arguments[0])
        if name == "histogram_quantile":
            rank = self.of(arguments[0])
            if isinstance(rank, dict):
                raise UnknownError(f"{node}")
            return _quantiles(rank, self._vector(arguments[1]))
        if name == "label_replace":
            return _relabelled(self._vector(arguments[0]), *(one.val for one in arguments[1:]))
        if name == "absent":
            equal = {m.name: m.value for m in arguments[0].matchers.matchers if m.op == ast.MatchOp.Equal}
            return {} if self._vector(arguments[0]) else {tuple(sorted(equal.items())): 1.0}
        raise UnknownError(f"{name}: {node}")

    def _over_time(self, name: str, matrix: Any) -> Vector:
        seconds, selector = matrix.range.total_seconds(), matrix.vector_selector
        found: Vector = {}
        for labels, kept in self.samples.window(selector.name, _matcher(selector), self.at, seconds).items():
            if name == "avg_over_time":
                found[labels] = sum(value for _, value in kept) / len(kept)
            elif len(kept) > 1:
                grown = _increase(kept, self.at - seconds, self.at)
                found[labels] = grown / seconds if name == "rate" else grown
        return found


def _matcher(selector: Any) -> Callable[[Mapping[str, str]], bool]:
    tests: list[tuple[str, Callable[[str], bool]]] = []
    for one in selector.matchers.matchers:
        if one.op == ast.MatchOp.Equal:
            tests.append((one.name, lambda value, wanted=one.value: value == wanted))
        elif one.op == ast.MatchOp.NotEqual:
            tests.append((one.name, lambda value, wanted=one.value: value != wanted))
        elif one.op == ast.MatchOp.Re:
            tests.append((one.name, lambda value, wanted=re.compile(one.value): wanted.fullmatch(value) is not None))
        else:
            tests.append((one.name, lambda value, wanted=re.compile(one.value): wanted.fullmatch(value) is None))
    return lambda labels: all(test(labels.get(name, "")) for name, test in tests)


def _only(labels: Labels, kept: set[str]) -> Labels:
    return tuple((name, value) for name, value in labels if name in kept)


def _key(modifier: Any) -> Callable[[Labels], Labels]:
    """What of a series' labels must be equal on both sides."""
    matching = modifier.matching if modifier is not None else None
    if matching is None:
        return lambda labels: labels
    named = set(matching.labels)
    if matching.type == ast.LabelModifierType.Include:
        return lambda labels: _only(labels, named)
    return lambda labels: tuple((name, value) for name, value in labels if name not in named)


def _many(modifier: Any) -> bool:
    """Whether the left side has many series for one of the right."""
    if modifier is None or modifier.card is None or modifier.card == ast.VectorMatchCardinality.OneToOne:
        return False
    if modifier.card != ast.VectorMatchCardinality.ManyToOne or modifier.group_labels:
        raise UnknownError(f"{modifier.card}")
    return True


def _pairs(
    left: Value, right: Value, key: Callable[[Labels], Labels], many: bool
) -> Iterable[tuple[Labels, float, float, float]]:
    """Labels of the result, both values, and the one that a comparison keeps: that of the series."""
    if not isinstance(left, dict):
        assert isinstance(right, dict)
        return [(labels, left, value, value) for labels, value in right.items()]
    if not isinstance(right, dict):
        return [(labels, value, right, value) for labels, value in left.items()]
    one: dict[Labels, float] = {}
    for labels, value in right.items():
        if key(labels) in one:
            raise UnknownError(f"two series of one side have {key(labels)}")
        one[key(labels)] = value
    met = [
        (labels if many else key(labels), value, one[key(labels)])
        for labels, value in left.items()
        if key(labels) in one
    ]
    if len({labels for labels, _, _ in met}) != len(met):
        raise UnknownError("several series of the left side match one of the right")
    return [(labels, a, b, a) for labels, a, b in met]


def _increase(kept: list[tuple[float, float]], began: float, ended: float) -> float:
    """As Prometheus' extrapolatedRate: resets added, stretched to the window's ends where samples reach near them."""
    (first_time, first), (last_time, last) = kept[0], kept[-1]
    grown = last - first + sum(before for (_, before), (_, after) in pairwise(kept) if after < before)
    sampled = last_time - first_time
    if sampled <= 0:
        return 0.0
    average = sampled / (len(kept) - 1)
    to_start, to_end = first_time - began, ended - last_time
    if to_start >= average * 1.1:
        to_start = average / 2
    if grown > 0 and first >= 0:
        to_start = min(to_start, sampled * first / grown)
    if to_end >= average * 1.1:
        to_end = average / 2
    return grown * (sampled + to_start + to_end) / sampled


def _quantiles(rank: float, buckets: Vector) -> Vector:
    groups: defaultdict[Labels, list[tuple[float, float]]] = defaultdict(list)
    for labels, count in buckets.items():
        upper = dict(labels).get("le")
        if upper is not None:
            rest = tuple((name, value) for name, value in labels if name != "le")
            groups[rest].append((float(upper), count))
    return {labels: _quantile(rank, sorted(found)) for labels, found in groups.items()}


def _quantile(rank: float, buckets: list[tuple[float, float]]) -> float:
    if len(buckets) < 2 or not math.isinf(buckets[-1][0]) or not buckets[-1][1]:
        return math.nan
    wanted = rank * buckets[-1][1]
    place = next(number for number, (_, count) in enumerate(buckets) if count >= wanted)
    if place == len(buckets) - 1:
        return buckets[-2][0]
    upper, count = buckets[place]
    lower, before = buckets[place - 1] if place else (0.0, 0.0)
    if place == 0 and upper <= 0:
        return upper
    return lower + (upper - lower) * (wanted - before) / (count - before)


def _relabelled(vector: Vector, target: str, made: str, source: str, pattern: str) -> Vector:
    result: Vector = {}
    for labels, value in vector.items():
        known = dict(labels)
        if met := re.fullmatch(pattern, known.get(source, "")):
            known[target] = met.expand(re.sub(r"\$(\d+)", r"\\\1", made))
        result[tuple(sorted(known.items()))] = value
    return result
