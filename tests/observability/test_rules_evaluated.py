"""promtool's tests of the rules, played by our own evaluator: the rules are held where promtool is not, and the
evaluator, by which `booking gameday` judges, is held to what promtool says."""

import math
import re
from collections import defaultdict
from typing import Any

import pytest
import yaml
from tests.observability.promql import FOLDER, rule_files

from booking_proof.gameday.promql import Samples, UnknownError, evaluate

FILES = sorted(FOLDER.glob("rules/tests/*.yml"))
CASES = [
    pytest.param(file, case, id=f"{file.stem}: {case['name']}")
    for file in FILES
    for case in yaml.safe_load(file.read_text("utf-8"))["tests"]
]
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float:
    return float(sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"(\d+)([smhd])", str(text))))


def values(text: str) -> list[float | str | None]:
    """promtool's notation: `1x3` is 1 1 1 1, `0+60x2` is 0 60 120, `_` nothing, `stale` an end."""
    found: list[float | str | None] = []
    for word in text.split():
        if met := re.fullmatch(r"_(?:x(\d+))?", word):
            found += ["nothing"] * int(met[1] or 1)
        elif word == "stale":
            found.append(None)
        elif met := re.fullmatch(r"(-?[\d.]+(?:e\d+)?)(?:([+-][\d.]+)?x(\d+))?", word):
            step = float(met[2] or 0)
            found += [float(met[1]) + step * number for number in range(int(met[3] or 0) + 1)]
        else:
            raise AssertionError(word)
    return found


def series(text: str) -> tuple[str, dict[str, str]]:
    name, _, labels = text.partition("{")
    return name, dict(re.findall(r'(\w+)="([^"]*)"', labels))


class Play:
    """The rules of all files, evaluated at each step over what a case gives."""

    def __init__(self, case: dict[str, Any], interval: float) -> None:
        self.samples = Samples()
        self.active: dict[str, dict[tuple[Any, ...], float]] = defaultdict(dict)
        self.interval = interval
        step = seconds(case.get("interval", "1m"))
        given: list[tuple[float, str, dict[str, str], float | None]] = []
        for one in case["input_series"]:
            name, labels = series(one["series"])
            for number, value in enumerate(values(one["values"])):
                if not isinstance(value, str):
                    given.append((number * step, name, labels, value))
        self.given = sorted(given, key=lambda one: one[0])
        self.at = -interval

    def until(self, end: float) -> None:
        while self.at + self.interval <= end:
            self.at += self.interval
            while self.given and self.given[0][0] <= self.at:
                time, name, labels, value = self.given.pop(0)
                self.samples.add(time, name, labels, value)
            for groups in rule_files().values():
                for group in groups:
                    for rule in group["rules"]:
                        self._evaluate(rule)

    def _evaluate(self, rule: dict[str, Any]) -> None:
        found = evaluate(rule["expr"], self.samples, self.at)
        if "record" in rule:
            for labels, value in found.items():
                self.samples.add(self.at, rule["record"], {**dict(labels), **rule.get("labels", {})}, value)
            return
        before = self.active[rule["alert"]]
        self.active[rule["alert"]] = {labels: before.get(labels, self.at) for labels in found}

    def firing(self, rule: dict[str, Any]) -> list[dict[str, str]]:
        wait = seconds(rule.get("for", "0s"))
        return [
            {**dict(labels), **rule["labels"]}
            for labels, since in self.active[rule["alert"]].items()
            if self.at - since >= wait
        ]


RULES = {
    rule["alert"]: rule
    for groups in rule_files().values()
    for group in groups
    for rule in group["rules"]
    if "alert" in rule
}


@pytest.mark.parametrize(("file", "case"), CASES)
def test_rule__fires_and_keeps_still_as_promtool_was_told(file: Any, case: dict[str, Any]):
    play = Play(case, seconds(yaml.safe_load(file.read_text("utf-8"))["evaluation_interval"]))
    for look in sorted(case.get("alert_rule_test", []), key=lambda one: seconds(one["eval_time"])):
        play.until(seconds(look["eval_time"]))
        wanted = [one["exp_labels"] for one in look.get("exp_alerts", [])]
        rule = RULES[look["alertname"]]
        for one in look.get("exp_alerts", []):
            assert one["exp_annotations"]["runbook_url"] == rule["annotations"]["runbook_url"]
        key = lambda labels: sorted(labels.items())  # noqa: E731
        assert sorted(play.firing(rule), key=key) == sorted(wanted, key=key), (look["alertname"], look["eval_time"])


def test_what_is_not_here__is_refused_and_not_guessed():
    samples = Samples()
    samples.add(0, "a", {"x": "1"}, 1.0)
    samples.add(0, "b", {"x": "1", "y": "1"}, 1.0)
    samples.add(0, "b", {"x": "1", "y": "2"}, 1.0)
    for query in ("topk(1, a)", "deriv(a[5m])", "-a", "a / on (x) b", "sum without (x) (a)", "quantile(0.5, a)"):
        with pytest.raises(UnknownError):
            evaluate(query, samples, 0)


def test_series__ends_when_it_is_gone_and_when_it_is_old():
    samples = Samples()
    samples.add(0, "a", {}, 1.0)
    assert evaluate("a", samples, 299) == {(): 1.0}
    assert evaluate("a", samples, 300) == {}
    samples.add(301, "a", {}, 2.0)
    samples.add(302, "a", {}, None)
    assert evaluate("a", samples, 301) == {(): 2.0}
    assert evaluate("a", samples, 302) == {}
    assert math.isnan(evaluate("histogram_quantile(0.9, b_bucket)", _one_bucket(), 0)[()])


def _one_bucket() -> Samples:
    samples = Samples()
    samples.add(0, "b_bucket", {"le": "+Inf"}, 3.0)
    return samples


@pytest.mark.parametrize(
    ("given", "increase"),
    [
        pytest.param({60: 1, 120: 2, 180: 3, 240: 4, 300: 5}, 5.0, id="stretched to both ends of the window"),
        pytest.param({180: 10, 240: 11, 300: 12}, 2.5, id="by half an interval where it began within the window"),
        pytest.param({60: 5, 120: 6, 180: 1, 240: 2, 300: 3}, 5.0, id="a process that began anew counts from 0"),
        pytest.param({60: 0, 120: 0, 180: 0, 240: 0, 300: 4}, 4.0, id="not beyond where it was 0"),
    ],
)
def test_increase__is_prometheus_own(given: dict[int, float], increase: float):
    """Its extrapolatedRate, promql/functions.go, by hand."""
    samples = Samples()
    for at, value in given.items():
        samples.add(at, "a_total", {}, float(value))
    assert evaluate("increase(a_total[5m])", samples, 300) == {(): pytest.approx(increase)}
    assert evaluate("rate(a_total[5m])", samples, 300) == {(): pytest.approx(increase / 300)}
