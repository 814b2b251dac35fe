"""The alarms of deploy/observability/rules, and a watch that scrapes a stack's processes and judges by them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import yaml
from prometheus_client.parser import text_string_to_metric_families

from booking_local.failure import Failure
from booking_proof.gameday.promql import Labels, Samples, Vector, evaluate, names

SCRAPE_SECONDS = 2.0
_ANSWER_WITHIN = 1.5
_KEEP_SECONDS = 900.0
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
Extra = Callable[[], dict[str, tuple[dict[str, str], float]]]
"""What is measured by others than our processes, by the series' names: a volume, as the kubelet does."""


@dataclass(frozen=True)
class Alarm:
    """One rule. `hold` is its `for`, in seconds; `summary` is a template, `runbook` a path of the checkout."""

    name: str
    expression: str
    hold: float
    severity: str
    summary: str
    runbook: str


@dataclass(frozen=True)
class Recording:
    """A rule that makes a series of others: its name, and the labels that it adds."""

    name: str
    expression: str
    labels: Mapping[str, str]


def alarms(folder: Path) -> Mapping[str, Alarm]:
    """Every alarm of the rules' files, by name."""
    found: dict[str, Alarm] = {}
    for rule in _rules(folder):
        if "alert" in rule:
            wait, says = rule.get("for", "0s"), rule["annotations"]
            hold = float(wait[:-1]) * _UNITS[wait[-1]]
            words = (rule["labels"]["severity"], says["summary"], says["runbook_url"])
            found[rule["alert"]] = Alarm(rule["alert"], rule["expr"], hold, *words)
    return found


def recordings(folder: Path) -> list[Recording]:
    """Every series that the rules' files record, in their order: a later one may ask for an earlier one."""
    return [Recording(r["record"], r["expr"], r.get("labels", {})) for r in _rules(folder) if "record" in r]


def _rules(folder: Path) -> list[dict[str, Any]]:
    files = [yaml.safe_load(file.read_text("utf-8")) for file in sorted(folder.glob("*.yml"))]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


class Watch:
    """A small Prometheus: what expressions ask for, of each process, every few seconds; `up` is its own."""

    def __init__(
        self,
        targets: Mapping[str, tuple[str, str]],
        expressions: Iterable[str],
        extra: Extra = dict,
        *,
        every: float = SCRAPE_SECONDS,
        keep: float = _KEEP_SECONDS,
    ) -> None:
        """`targets`: the address of each process's metrics, and its job. Samples are kept for `keep` seconds."""
        self._targets, self._extra = targets, extra
        self._every, self._keep = every, keep
        self._wanted = set[str]().union(*(names(one) for one in expressions))
        self.samples = Samples()
        self._there: dict[str, set[tuple[str, Labels]]] = {}
        self.scraped = asyncio.Event()
        self.at = 0.0
        """When the last round was, in seconds since 1970."""

    async def run(self, after: Callable[[float], None] = lambda _at: None) -> None:
        """Until it is cancelled; `after` is called with the time of each round."""
        async with httpx2.AsyncClient(timeout=_ANSWER_WITHIN, trust_env=False) as http:
            while True:
                began = time.monotonic()
                texts = await asyncio.gather(*(self._text(http, url) for url, _ in self._targets.values()))
                self.at = time.time()
                for (name, (url, job)), text in zip(self._targets.items(), texts, strict=True):
                    self._take(name, {"job": job, "instance": url.removesuffix("/metrics")}, text)
                for name, (labels, value) in self._extra().items():
                    self.samples.add(self.at, name, labels, value)
                self.samples.forget(self.at - self._keep)
                after(self.at)
                self.scraped.set()
                self.scraped.clear()
                await asyncio.sleep(max(0.1, self._every - (time.monotonic() - began)))

    def true(self, alarm: Alarm, labels: Mapping[str, str]) -> Vector:
        """The series for which the alarm's expression is true by the last round, of those with these labels."""
        found = evaluate(alarm.expression, self.samples, self.at)
        return {one: value for one, value in found.items() if labels.items() <= dict(one).items()}

    async def until(self, what: str, look: Callable[[], bool], seconds: float) -> float:
        """How many seconds it took until `look` was true after a round. Raises Failure naming what did not come."""
        began = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(began + seconds - time.monotonic()):
                    await self.scraped.wait()
            except TimeoutError:
                raise Failure(f"Did not come within {seconds:.0f} s: {what}.") from None
            if look():
                return time.monotonic() - began

    async def _text(self, http: httpx2.AsyncClient, url: str) -> str | None:
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                return (await http.get(url)).raise_for_status().text
        except (httpx2.HTTPError, TimeoutError):
            return None

    def _take(self, target: str, own: Mapping[str, str], text: str | None) -> None:
        self.samples.add(self.at, "up", own, 0.0 if text is None else 1.0)
        there: set[tuple[str, Labels]] = set()
        for family in text_string_to_metric_families(text or ""):
            for sample in family.samples:
                if sample.name in self._wanted:
                    labels = {**sample.labels, **own}
                    self.samples.add(self.at, sample.name, labels, float(sample.value))
                    there.add((sample.name, tuple(sorted(labels.items()))))
        for name, labels in self._there.get(target, set[tuple[str, Labels]]()) - there:
            self.samples.add(self.at, name, dict(labels), None)
        self._there[target] = there


def stack_targets(ports: Mapping[str, int], services: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """The metrics' address and the job of each process of a stack whose services run as api and worker."""
    found: dict[str, tuple[str, str]] = {}
    for service in services:
        for name, port in ((f"{service}-api", ports[service]), (f"{service}-worker", ports[f"{service}-worker"])):
            found[name] = (f"http://127.0.0.1:{port}/metrics", service)
    return found
