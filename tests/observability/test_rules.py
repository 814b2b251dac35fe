"""The rules ask for what our services expose, and are those of docs/operations.md."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.observability.promql import FOLDER, ROOT, exposed, known, mistakes, rule_files, rules, selectors
from tests.rules.pages import dead_links

PAGE = ROOT / "docs/operations.md"
ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}
WINDOWS = ("5m", "30m", "1h", "6h")
SLOS = {"commands", "publish", "calendar", "messages"}
RULE_TESTS = sorted(FOLDER.glob("rules/tests/*.yml"))
_TIMES = {"m": "min", "h": "h", "d": "d"}


class Strict(yaml.SafeLoader):
    """YAML in which no key stands twice: of two the last would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key stands twice {node.start_mark}"
        return super().construct_mapping(node, deep=deep)


def rows() -> dict[str, str]:
    """The alarms of docs/operations.md by name, each with the text of its row."""
    text = PAGE.read_text("utf-8").split("## Alarms worth setting")[1].split("\n## ")[0]
    return {found[1]: found[0] for found in re.finditer(r"^\| `(\w+)` \|.*$", text, re.MULTILINE)}


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.y*ml")), ids=lambda path: path.name)
def test_yaml__has_no_key_twice(path: Path):
    assert yaml.load(path.read_text("utf-8"), Strict)


def test_rules__have_the_form_that_prometheus_takes():
    for file, groups in rule_files().items():
        names = [group["name"] for group in groups]
        assert len(names) == len(set(names)), file
        for group in groups:
            assert set(group) <= {"name", "interval", "rules"}, group["name"]
            for rule in group["rules"]:
                assert {*rule} <= {"alert", "expr", "for", "labels", "annotations"} or {*rule} <= {
                    "record",
                    "expr",
                    "labels",
                }, rule
    assert len(ALERTS) == sum("alert" in rule for rule in rules())


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_rule__asks_for_series_and_labels_that_are_exposed(rule: dict[str, Any]):
    assert mistakes(rule["expr"], known()) == []


def test_mistakes__are_found():
    """The judge above would pass nothing of these."""
    assert mistakes("booking_loop_lag", known()) == ["nobody exposes booking_loop_lag"]
    assert mistakes('booking_relay_leader{topic="x"} == 1', known()) == ["booking_relay_leader has no label topic"]
    assert mistakes("sum by (topic) (booking_relay_leader)", known()) != []
    assert mistakes("rate(booking_consumer_records[5m])", known()) == ["nobody exposes booking_consumer_records"]
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        selectors("sum by (")


@pytest.mark.parametrize("name", ALERTS)
def test_alert__says_what_is_wrong_how_bad_and_where_help_stands(name: str):
    rule = ALERTS[name]
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"
    assert (ROOT / rule["annotations"]["runbook_url"]).is_file()


def test_page__has_a_row_for_every_alert_and_an_alert_for_every_row():
    assert rows().keys() == ALERTS.keys()


@pytest.mark.parametrize("name", ALERTS)
def test_row__names_the_series_and_the_time_of_its_alert(name: str):
    row, rule = rows()[name], ALERTS[name]
    asked = {series.removesuffix("_bucket") for series, _ in selectors(rule["expr"])}
    told = set(re.findall(r"\b(?:booking|checkout|consultation|notifier|node|kubelet)[_:][a-z0-9_:]+", row))
    assert told <= asked, f"the row tells of {told - asked}, which the rule does not ask for"
    ours = {series.removesuffix("_bucket") for series in exposed()}
    assert asked & ours <= told, "the row leaves out what the rule asks for"
    assert (". Critical |" in row) == (rule["labels"]["severity"] == "critical")
    wait = rule.get("for")
    if wait is None:
        assert not re.search(r"\bfor \d", row)
    else:
        assert f" for {wait[:-1]} {_TIMES[wait[-1]]}" in row


def test_objectives__have_a_budget_and_a_ratio_over_each_window():
    recorded = {(rule["record"], rule.get("labels", {}).get("slo")) for rule in rules() if "record" in rule}
    for slo in SLOS:
        assert ("booking:slo_budget:ratio", slo) in recorded
        assert {window for window in WINDOWS if (f"booking:slo_errors:ratio_rate{window}", slo) in recorded} == {
            *WINDOWS
        }
    for window in WINDOWS:
        for rule in rules():
            if rule.get("record") == f"booking:slo_errors:ratio_rate{window}":
                assert set(re.findall(r"\[(\w+)\]", rule["expr"])) == {window}


def test_every_alert__is_seen_to_fire_and_to_keep_still():
    """In promtool's own tests, whether promtool is here or not."""
    fired: set[str] = set()
    quiet: set[str] = set()
    for path in RULE_TESTS:
        for case in yaml.safe_load(path.read_text("utf-8"))["tests"]:
            for look in case.get("alert_rule_test", []):
                (fired if look.get("exp_alerts") else quiet).add(look["alertname"])
    assert fired == ALERTS.keys()
    assert quiet == ALERTS.keys()


def test_promtool__agrees():
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not on the PATH: the rules' own tests were not run")
    for command in (["check", "rules", *FOLDER.glob("rules/*.yml")], ["test", "rules", *RULE_TESTS]):
        done = subprocess.run([promtool, *command], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_page__has_no_dead_link():
    assert list(dead_links(ROOT / "docs/operations.md")) == []
