"""The pages are true where a program can tell: what they name is there, and what is there is named."""

import json
import re
from typing import Any

import pytest
import typer.main
from tests.rules import pages

from booking_local.cli import app as command
from booking_ops.cli import app as operators
from booking_ops.deployment import Settings as OperatorSettings
from calendar_projector.settings import Settings as CalendarSettings
from checkout.settings import Settings as CheckoutSettings
from consultation.settings import Settings as ConsultationSettings
from notifier.settings import Settings as NotifierSettings

SETTINGS = (CheckoutSettings, ConsultationSettings, NotifierSettings, CalendarSettings)
API = (pages.DOCS / "api.md").read_text("utf-8")
OPERATIONS = (pages.DOCS / "operations.md").read_text("utf-8")


def _place(file: pages.Path) -> str:
    return str(file.relative_to(pages.ROOT))


def test_every_page_that_is_named__is_there():
    named = [(file, page) for file in pages.files(".py", ".sql", ".md") for page in pages.pages_named(file)]
    assert len(named) > 50
    assert [f"{_place(file)} names {page}" for file, page in named if not pages.is_there(page, file)] == []


@pytest.mark.parametrize("page", pages.files(".md"), ids=_place)
def test_every_relative_link__leads_somewhere(page: pages.Path):
    assert list(pages.dead_links(page)) == []


def test_every_id_that_is_named__has_a_row_in_reliability():
    defined = pages.ids_defined()
    assert {"F1", "T33", "K9e", "I14", "F2"} <= defined
    sources = [file for file in pages.files(".py", ".sql", ".md") if file.suffix != ".py" or "rules" not in file.parts]
    unknown = [(_place(file), pages.ids_named(file.read_text("utf-8")) - defined) for file in sources]
    assert [(place, ids) for place, ids in unknown if ids] == []


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda one: one.__module__)
def test_every_setting__is_in_the_page_with_its_default(settings):
    rows = [line for line in API.partition("## Settings")[2].splitlines() if line.startswith("| `")]
    for name, field in settings.model_fields.items():
        (row,) = [line for line in rows if f"`{name.upper()}`" in line.split("|")[1]]
        default = row.split("|")[2]
        if field.is_required():
            assert default.strip() == "–", row
        elif isinstance(field.default, int | float) and not isinstance(field.default, bool):
            assert f"`{field.default}`" in default, row


def test_every_setting_of_the_page__exists():
    known = {name.upper() for settings in SETTINGS for name in settings.model_fields}
    tables = [line.split("|")[1] for line in API.partition("## Settings")[2].splitlines() if line.startswith("| `")]
    assert {name for cell in tables for name in re.findall(r"`([A-Z_]+)`", cell)} == known


def test_every_operation__is_in_the_page():
    told = {re.sub(r"{\w+}", "{}", path) for path in re.findall(r"`(?:[A-Z]+ )?(/[\w./{}-]+)", API)}
    for document in (pages.ROOT / "services").glob("*/openapi.json"):
        paths = {re.sub(r"{\w+}", "{}", path) for path in json.loads(document.read_text("utf-8"))["paths"]}
        assert paths <= told, document


def test_every_command__is_in_the_page():
    told = re.findall(r"`([a-z][a-z-]*(?: [a-z][a-z-]*)?)", API.partition("## The command line")[2].partition("###")[0])
    table = typer.main.get_group(command)
    context = typer.Context(table)
    groups = {name: getattr(table.get_command(context, name), "commands", {}) for name in table.list_commands(context)}
    known = {f"{name} {sub}".strip() for name, subs in groups.items() for sub in subs or [""]}
    assert {"up", "events tail"} <= known
    assert known <= set(told)


def test_every_command_of_operators_and_each_of_its_options__is_in_the_page():
    section = API.partition("### booking-ops")[2].partition("\n### ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    told = {cell: row for row in rows for cell in re.findall(r"`([a-z][a-z -]*[a-z])", row.split("|")[1])}
    table = typer.main.get_group(operators)
    context = typer.Context(table)
    groups = {name: table.get_command(context, name) for name in table.list_commands(context)}
    known: dict[str, Any] = {
        f"{name} {sub}".strip(): one
        for name, group in groups.items()
        for sub, one in (getattr(group, "commands", None) or {"": group}).items()
    }
    assert {"audit", "held replay"} <= known.keys()
    assert known.keys() <= {name.partition(" [")[0] for name in told}
    everywhere = {"--help", "--deadline", "--install-completion", "--show-completion"}
    for name, known_as in known.items():
        options = {option for one in known_as.params for option in one.opts if option.startswith("--")} - everywhere
        row = next(row for cell, row in told.items() if cell == name)
        assert [option for option in sorted(options) if option not in row] == [], name


def test_every_variable_of_operators__is_in_the_page():
    section = API.partition("### booking-ops")[2].partition("\n### ")[0]
    told = set(re.findall(r"`([A-Z_]+)`", section))
    assert {name.upper() for name in OperatorSettings.model_fields} <= told


def test_every_metric__is_in_the_operators_page_and_no_other():
    named = re.compile(r'(?:Gauge|Counter|Histogram)(?:MetricFamily)?\(\s*"(\w+)"')
    sources = [file.read_text("utf-8") for file in pages.files(".py") if "src" in file.parts]
    found = {name for text in sources for name in named.findall(text)}
    told = set(re.findall(r"`((?:booking|checkout|consultation|notifier)_[a-z_]+)[`{ =>]", OPERATIONS))
    assert {name.removesuffix("_total") for name in found} == {name.removesuffix("_total") for name in told}
