"""What our services expose, and what a query asks for: the two sides that rules and dashboards must keep together."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import yaml
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from booking_ops.audit.figures import Figures
from booking_outbox import RelayMetrics

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/observability"
SERVICES = ("checkout", "consultation", "notifier", "calendar_projector")
TARGET = frozenset({"job", "instance"})
"""Labels that Prometheus gives every series of a target."""
FOREIGN: Mapping[str, frozenset[str]] = {
    "up": TARGET,  # Prometheus' own
    # node_exporter, collector/filesystem_common.go
    "node_filesystem_avail_bytes": TARGET | {"device", "fstype", "mountpoint"},
    "node_filesystem_size_bytes": TARGET | {"device", "fstype", "mountpoint"},
    # the kubelet, pkg/kubelet/metrics/collectors/volume_stats.go
    "kubelet_volume_stats_available_bytes": TARGET | {"namespace", "persistentvolumeclaim"},
    "kubelet_volume_stats_capacity_bytes": TARGET | {"namespace", "persistentvolumeclaim"},
}
"""What is measured by others, with its labels."""
_SUFFIXES = {
    "counter": {"_total": frozenset[str]()},
    "gauge": {"": frozenset[str]()},
    "histogram": {"_bucket": frozenset({"le"}), "_count": frozenset[str](), "_sum": frozenset[str]()},
    "info": {"_info": frozenset[str]()},
}


@cache
def exposed() -> Mapping[str, frozenset[str]]:
    """Each series that any process of ours may expose, with its labels: of every module of every service, and of an
    audit."""
    importlib.import_module("booking_web.application")  # what each service's program is made of
    for service in SERVICES:
        package = importlib.import_module(service)
        for module in pkgutil.walk_packages(package.__path__, f"{service}."):
            if not module.name.endswith("__main__") and ".migrations." not in module.name:
                importlib.import_module(module.name)
    found: dict[str, frozenset[str]] = {}
    for collector in list(REGISTRY._collector_to_names):
        if isinstance(collector, MetricWrapperBase):
            found |= _series(collector)
    audited = Figures().tell([], at=datetime.now(UTC), seconds=0, proven=True)
    for collector in list(audited.registry._collector_to_names):
        found |= _series(collector)
    relay = CollectorRegistry()
    relay.register(RelayMetrics())
    for family in relay.collect():
        named: Any = family
        for suffix, more in _SUFFIXES[family.type].items():
            found[family.name + suffix] = frozenset(named._labelnames) | TARGET | more
    return found


def _series(collector: Any) -> dict[str, frozenset[str]]:
    labels = frozenset(collector._labelnames) | TARGET
    return {collector._name + suffix: labels | more for suffix, more in _SUFFIXES[collector._type].items()}


@cache
def rule_files() -> Mapping[str, list[dict[str, Any]]]:
    """The groups of each file of rules."""
    return {path.name: yaml.safe_load(path.read_text("utf-8"))["groups"] for path in sorted(FOLDER.glob("rules/*.yml"))}


def rules() -> list[dict[str, Any]]:
    """Every rule of every group."""
    return [rule for groups in rule_files().values() for group in groups for rule in group["rules"]]


@cache
def known() -> Mapping[str, frozenset[str]]:
    """What a query may name: our services' series, others', and what rules record."""
    recorded: dict[str, frozenset[str]] = {}
    for rule in rules():
        if "record" in rule:
            recorded[rule["record"]] = recorded.get(rule["record"], frozenset()) | {"job", *rule.get("labels", {})}
    return {**exposed(), **FOREIGN, **recorded}


def selectors(query: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Each series that a query selects, with the labels and values that it asks of them. Raises ValueError of a query
    that is none."""
    return _selected(promql_parser.parse(query))


def _selected(expression: Any) -> list[tuple[str, list[tuple[str, str]]]]:
    found: list[tuple[str, list[tuple[str, str]]]] = []
    for node in _nodes(expression):
        if isinstance(node, promql_parser.VectorSelector):
            assert node.name, f"a selector without a name: {expression}"
            found.append((node.name, [(one.name, one.value) for one in node.matchers.matchers]))
    return found


def mistakes(query: str, known_series: Mapping[str, frozenset[str]]) -> list[str]:
    """Series that nobody exposes and labels that they have not, each as a sentence."""
    wrong: list[str] = []
    for name, asked in selectors(query):
        if name not in known_series:
            wrong.append(f"nobody exposes {name}")
        else:
            wrong += [f"{name} has no label {label}" for label, _ in asked if label not in known_series[name]]
    for node in _nodes(promql_parser.parse(query)):
        if labels := _grouped(node):
            beneath = {name for name, _ in _selected(node)}
            have = set[str]().union(*(known_series.get(name, frozenset()) for name in beneath), _made(node))
            wrong += [f"none of {sorted(beneath)} has a label {label}" for label in labels if label not in have]
    return wrong


def _nodes(expression: Any) -> list[Any]:
    found: list[Any] = []
    promql_parser.walk(expression, found.append)
    return found


def _grouped(node: Any) -> set[str]:
    """The labels by which a node groups or joins."""
    labels: set[str] = set()
    modifier = getattr(node, "modifier", None)
    if isinstance(node, promql_parser.AggregateExpr) and modifier is not None:
        labels |= set(modifier.labels)
    if isinstance(node, promql_parser.BinaryExpr) and modifier is not None and modifier.matching is not None:
        labels |= {*modifier.matching.labels, *(modifier.group_labels or [])}
    return labels


def _made(node: Any) -> set[str]:
    """The labels that `label_replace` makes beneath a node."""
    calls = [each for each in _nodes(node) if isinstance(each, promql_parser.Call)]
    return {call.args[1].val for call in calls if call.func.name == "label_replace"}
