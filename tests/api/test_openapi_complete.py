"""Each service's document is complete: valid OpenAPI 3.1, described, bounded, with examples, problems and security."""

import copy
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.api.contract.documents import NAMES, SERVICES, Json, committed_file, operations, read, resolved, spelled_out
from tests.api.contract.lint import AS_WRITTEN, PROBLEM, RULES
from tests.api.test_access_matrix import MATRIX, PROOF
from tests.rules import pages

from booking_web.problems import CODES

ROOT = SERVICES.parent
WRITTEN = {name: read(committed_file(name)) for name in NAMES}
DOCUMENTS = {name: spelled_out(document) for name, document in WRITTEN.items()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_document__is_complete(name: str, rule: Callable[[Json], Any]):
    assert list(rule(DOCUMENTS[name])) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rule", AS_WRITTEN.values(), ids=AS_WRITTEN.keys())
def test_document__is_complete_with_what_it_shares(name: str, rule: Callable[[Json], Any]):
    assert list(rule(WRITTEN[name])) == []


@pytest.mark.parametrize("name", NAMES)
def test_document__that_is_spelled_out_says_things_twice(name: str):
    assert list(AS_WRITTEN["says_nothing_twice"](DOCUMENTS[name]))


def _first(document: Json, wanted: Callable[[Json], Any] = bool) -> Json:
    return next(one for _, _, one in operations(document) if wanted(one))


def _success(document: Json) -> Json:
    answers = _first(document, lambda one: one["responses"].get("200", {}).get("content"))["responses"]
    return next(iter(answers["200"]["content"].values()))


def _parameter(document: Json) -> Json:
    return next(one for _, _, op in operations(document) for one in op.get("parameters", []) if one["in"] == "path")


def _with_body(document: Json) -> Json:
    return next(iter(_first(document, lambda one: "requestBody" in one)["requestBody"]["content"].values()))


HOLES: list[tuple[str, str, Callable[[Json], Any]]] = [
    ("is_openapi_3_1", "a word it does not know", lambda d: _first(d).update(responses=[])),
    ("points_nowhere_in_vain", "a dangling reference", lambda d: d["components"]["schemas"].popitem()),
    ("says_what_an_operation_does", "no description", lambda d: _first(d).pop("description")),
    ("says_what_an_operation_does", "no summary", lambda d: _first(d).pop("summary")),
    ("describes_each_tag", "no description", lambda d: d["tags"][0].pop("description")),
    ("describes_each_tag", "a tag of nothing", lambda d: d["tags"].append({"name": "x", "description": "It."})),
    ("describes_each_tag", "none", lambda d: d.pop("tags")),
    ("says_what_an_operation_does", "no tag", lambda d: _first(d).update(tags=[])),
    ("names_each_operation_once", "one name twice", lambda d: [o.update(operationId="a") for *_, o in operations(d)]),
    ("secures_each_operation", "no security", lambda d: [o.pop("security", 0) for *_, o in operations(d)]),
    ("secures_each_operation", "an unknown scheme", lambda d: d["components"]["securitySchemes"].clear()),
    ("secures_each_operation", "no 401", lambda d: _first(d, lambda o: o.get("security"))["responses"].pop("401")),
    ("describes_and_bounds_parameters", "no description", lambda d: _parameter(d).pop("description")),
    ("describes_and_bounds_parameters", "no schema", lambda d: _parameter(d).pop("schema")),
    (
        "describes_and_bounds_parameters",
        "a text without bound",
        lambda d: _parameter(d).update(schema={"type": "string"}),
    ),
    ("bounds_bodies", "a list without bound", lambda d: _with_body(d).update(schema={"type": "array", "items": {}})),
    ("shows_an_example_of_each_body", "no example", lambda d: _success(d).pop("example")),
    ("shows_an_example_of_each_body", "an invalid one", lambda d: _success(d).update(example=7)),
    ("shows_an_example_of_each_body", "a blank", lambda d: _success(d).update(schema={}, example=["..."])),
    ("shows_each_problem_by_its_code", "no code", lambda d: _content(d).update(examples={})),
    ("shows_each_problem_by_its_code", "another code", lambda d: _value(d).update(code="other")),
    ("shows_each_problem_by_its_code", "no problem", lambda d: _value(d).pop("title")),
    ("shows_each_problem_by_its_code", "plain JSON", lambda d: _first(d)["responses"]["400"].update(content={})),
    ("tells_problems_apart_by_code", "one less", lambda d: _content(d)["schema"]["oneOf"].pop()),
    ("tells_problems_apart_by_code", "no code", lambda d: _problem(d)["properties"].update(code={"type": "string"})),
    ("types_headers", "none", lambda d: _first(d)["responses"]["503"].pop("headers")),
    ("types_headers", "no type", lambda d: d["components"]["headers"]["Trace-Id"].update(schema={})),
    ("says_where_and_whether_a_token_is_needed", "no servers", lambda d: d.pop("servers")),
    ("says_where_and_whether_a_token_is_needed", "no security", lambda d: _first(d).pop("security")),
    ("asks_for_what_is_always_needed", "not required", lambda d: _first(d)["responses"].update({"428": {}})),
    ("lists_the_problems_of_every_call", "no 503", lambda d: _first(d)["responses"].pop("503")),
    ("gives_every_answer_a_body_or_none", "no success", lambda d: _first(d).update(responses={})),
    ("names_operations_by_verb_and_noun", "a verb alone", lambda d: _first(d).update(operationId="cancel")),
    (
        "names_operations_by_verb_and_noun",
        "a list by another verb",
        lambda d: _listing(d).update(operationId="get_all"),
    ),
    ("pages_every_list_alike", "no cursor", lambda d: _listing(d).update(parameters=[])),
    ("pages_every_list_alike", "another member", lambda d: _page(d)["properties"].update(total={})),
    ("speaks_one_vocabulary", "another word", lambda d: _page(d)["properties"].update(review_state={})),
    ("speaks_one_vocabulary", "another case", lambda d: _page(d)["properties"].update(nextCursor={})),
    ("speaks_one_vocabulary", "a parameter", lambda d: _parameter(d).update(name="from")),
    ("names_its_schemas", "a name of the framework", lambda d: d["components"]["schemas"].update(Body_a={})),
    ("names_its_schemas", "a name of our code", lambda d: d["components"]["schemas"].update(ProductView={})),
    ("names_its_schemas", "an object in line", lambda d: _with_body(d).update(schema={"type": "object"})),
]


def _listing(document: Json) -> Json:
    return _first(document, lambda one: one["operationId"].startswith("list_"))


def _page(document: Json) -> Json:
    return resolved(document, _listing(document)["responses"]["200"]["content"]["application/json"]["schema"])


def _problem(document: Json) -> Json:
    return document["components"]["schemas"]["BadRequestProblem"]


def _content(document: Json) -> Json:
    return _first(document)["responses"]["400"]["content"][PROBLEM]


def _value(document: Json) -> Json:
    return document["components"]["examples"]["bad_request"]["value"]


@pytest.mark.parametrize(("rule", "hole"), [(r, h) for r, _, h in HOLES], ids=[f"{r}-{what}" for r, what, _ in HOLES])
def test_hole__is_found(rule: str, hole: Callable[[Json], Any]):
    document = copy.deepcopy(DOCUMENTS["checkout"])
    hole(document)
    assert list(RULES[rule](document))


def test_rules__have_each_been_seen_to_fail():
    assert {rule for rule, _, _ in HOLES} == RULES.keys()


@pytest.mark.parametrize("name", NAMES)
def test_roles__are_those_of_the_access_matrix(name: str):
    """A way in for each role (OpenAPI 3.1 §4.8.30.1); `[]` is every role."""
    matrix = MATRIX["calendar" if name == "calendar-projector" else name]
    for _, _, operation in operations(DOCUMENTS[name]):
        allowed = matrix[operation["operationId"]]
        told = frozenset(role for way in operation.get("security", []) for role in way.get("bearer", ()))
        everyone = {"bearer": []} in operation.get("security", [])
        assert told == allowed or (everyone and len(allowed) == 4) or (not told and allowed == PROOF), operation[
            "operationId"
        ]


@pytest.mark.parametrize("name", NAMES)
def test_codes__are_on_the_page_of_the_interface_with_their_status(name: str):
    told = _codes_of_the_page()
    for code, example in DOCUMENTS[name]["components"]["examples"].items():
        assert code in told.get(str(example["value"]["status"]), set()), code


@pytest.mark.parametrize("name", NAMES)
def test_codes_of_the_source__are_in_the_document(name: str):
    """What a service's source raises by name."""
    folder = SERVICES / name / "src"
    named = re.compile(r'(?:conflict|forbidden|unprocessable|unavailable|Problem)\(\s*(?:\d+,\s*)?"([a-z_]+)"')
    refusals = re.compile(r'Refusal\(\s*"([a-z_]+)"')
    sources = [file.read_text("utf-8") for file in folder.rglob("*.py")]
    found = {code for text in sources for code in [*named.findall(text), *refusals.findall(text)]} - SYSTEMS_ALONE
    assert found <= DOCUMENTS[name]["components"]["examples"].keys()


SYSTEMS_ALONE = {"not_due"}
"""What only a timer of ours is ever told."""


def _codes_of_the_page() -> dict[str, set[str]]:
    """Status to codes, of the table of problems in docs/api.md; a row without a status belongs to the one above."""
    table = (pages.DOCS / "api.md").read_text("utf-8").partition("### Problems")[2].partition("## ")[0]
    told = {str(status): {code} for status, code in CODES.items()}
    statuses: list[str] = []
    for row in (line.split("|") for line in table.splitlines() if line.startswith("| ")):
        statuses = re.findall(r"\d{3}", row[1]) or statuses
        for status in statuses:
            told.setdefault(status, set()).update(re.findall(r"`([a-z_]+)`", row[2]))
    return told


@pytest.mark.parametrize("name", NAMES)
def test_spectral__finds_no_error(name: str):
    """A second opinion, where that program is installed; nothing is downloaded for it."""
    spectral = shutil.which("spectral") or shutil.which("spectral", path=str(Path(ROOT, "node_modules", ".bin")))
    if spectral is None:
        pytest.skip("spectral is not installed; the rules of our own ran")
    command = [spectral, "lint", "--ruleset", str(ROOT / ".spectral.json"), "--fail-severity", "error"]
    done = subprocess.run(
        [*command, str(committed_file(name))], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
