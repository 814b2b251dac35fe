"""Each alarm has its runbook: its rule as it is, the same headings, and commands that the programs take."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
from tests.observability.promql import ROOT, rules

from booking_local.cli import OPERATOR
from booking_local.cli import app as local
from booking_ops.cli import app as operators
from booking_proof.gameday.command import page as gameday_page
from booking_proof.gameday.incidents import INCIDENTS

FOLDER = ROOT / "docs/runbooks"
ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}
OTHERS = {"README", "gameday"}
"""Pages of the folder that are no alarm's: the table of them, and what the game day measured."""
HEADINGS = ["What you see", "Why", "What to type", "How you know that it worked", "How long it takes"]
Refused: Any = typer.BadParameter.__base__
"""Typer's UsageError, of which it exports the children only."""
_COMMAND = re.compile(r"^(?:booking-ops|\./booking) .+$|`((?:booking-ops|\./booking) [^`\n]+)`", re.MULTILINE)


def pages() -> list[Path]:
    return sorted(FOLDER.glob("*.md"))


def commands(text: str) -> list[str]:
    """Every command of `booking-ops` and `./booking` that a page tells to type, in a block or within a sentence."""
    return [found[1] or found[0] for found in _COMMAND.finditer(text)]


def parse(line: str) -> None:
    """Raises Refused where the program would refuse these words."""
    program, *words = shlex.split(re.split(r" [|>] ", line)[0])
    # `booking` hands these to `booking-ops` as they are: there they are parsed.
    app = operators if program == "booking-ops" or words[0] in OPERATOR else local
    command: Any = typer.main.get_command(app)
    context = None
    while True:
        context = command.make_context(command.name, list(words), parent=context)
        rest = [*context._protected_args, *context.args]
        if not hasattr(command, "resolve_command"):
            return
        _, command, words = command.resolve_command(context, rest)


@pytest.mark.parametrize("name", ALERTS)
def test_alarm__leads_to_a_page_of_its_own(name: str):
    assert ALERTS[name]["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"
    assert (FOLDER / f"{name}.md").is_file()


def test_pages__are_those_of_the_alarms_and_no_other():
    assert {page.stem for page in pages()} - OTHERS == ALERTS.keys()


@pytest.mark.parametrize("name", ALERTS)
def test_page__has_the_headings_in_their_order_with_words_beneath_each(name: str):
    text = (FOLDER / f"{name}.md").read_text("utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    assert parts[1::2] == HEADINGS
    assert all(part.strip() for part in parts[2::2])


@pytest.mark.parametrize("name", ALERTS)
def test_page__begins_with_its_rule_as_it_is(name: str):
    rule = ALERTS[name]
    wait = f"for {rule['for']}" if "for" in rule else "at once"
    told = f"{rule['labels']['severity'].capitalize()}, {wait}, when\n\n```promql\n{rule['expr'].strip()}\n```\n"
    assert (FOLDER / f"{name}.md").read_text("utf-8").startswith(f"# {name}\n\n{told}")


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_command__is_one_that_the_program_takes(page: Path):
    for line in commands(page.read_text("utf-8")):
        try:
            parse(line)
        except Refused as refused:
            pytest.fail(f"{line}: {refused.format_message()}")


def test_commands__are_found_and_wrong_ones_refused():
    """The judge above would pass nothing of these."""
    assert commands("Type `booking-ops audit`, or\n```\n./booking status\n```\n") == [
        "booking-ops audit",
        "./booking status",
    ]
    for wrong in (
        "booking-ops audti",
        "booking-ops held list --raeson gap",
        "booking-ops held",
        "booking-ops republish --topic",
        "./booking statsu",
        "./booking logs checkout -n many",
        "./booking held replay --reasons gap",
    ):
        with pytest.raises(Refused):
            parse(wrong)


def test_table__names_every_page():
    linked = set(re.findall(r"\((\w+)\.md\)", (FOLDER / "README.md").read_text("utf-8")))
    assert ALERTS.keys() <= linked


def test_game_day__shows_what_was_measured_of_every_incident():
    figures = json.loads((FOLDER / "gameday.json").read_text("utf-8"))
    assert list(figures) == [incident.name for incident in INCIDENTS]
    shown = (FOLDER / "gameday").with_suffix(".md").read_text("utf-8")
    assert shown == gameday_page(figures), "./booking gameday --write"
    for incident in INCIDENTS:
        assert figures[incident.name]["alarm"] == incident.alarm
        assert incident.alarm in ALERTS
