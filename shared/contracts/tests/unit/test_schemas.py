"""The generated files are up to date, and no published schema was ever broken (events.md, Evolution)."""

import copy
import json
import subprocess
import warnings
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from booking_contracts.corpus import NAMES, golden
from booking_contracts.event import opened, schema_of
from booking_contracts.generate import CONTRACTS, document, outdated
from booking_contracts.topics import EVENTS, TOPICS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its dependencies warn on import
    from jsonsubschema import isSubschema

Schema = dict[str, Any]


def compatible(old: Schema, new: Schema) -> bool:
    """Whether new readers read old data and old readers read new data. Writers are closed, readers open: between
    open schemas an added optional field would be no subset, since old data may carry any type there."""
    return _subset(old, opened(new)) and _subset(new, opened(old))


def _subset(narrow: Schema, wide: Schema) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bool(isSubschema(_bare(narrow), _bare(wide)))


def _bare(schema: Schema) -> Schema:
    return {name: value for name, value in schema.items() if name not in {"$schema", "$id", "title", "description"}}


def _published(name: str) -> list[Schema]:
    """The committed schemas of this type: HEAD's, and those of every release (a tag `v*`)."""
    path = f"shared/contracts/schemas/{name}.json"
    refs = ["HEAD", *_git("tag", "--list", "v*").split()]
    texts = [_git("show", f"{ref}:{path}") for ref in refs]
    return [json.loads(text) for text in texts if text]


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=CONTRACTS, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def test_the_generated_files_are_up_to_date():
    assert outdated() == [], "run `make generate`"


@pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: event.TYPE)
def test_no_published_schema_was_broken(event):
    name = f"{event.TYPE}.v{event.TYPE_VERSION}"
    stored = json.loads((CONTRACTS / "schemas" / f"{name}.json").read_text("utf-8"))
    for old in [stored, *_published(name)]:
        assert compatible(old, schema_of(event)), "publish a new version of the type instead"


def test_every_version_of_every_type_keeps_its_schema_file():
    wanted = {f"{e.TYPE}.v{v}.json" for e in EVENTS.values() for v in range(1, e.TYPE_VERSION + 1)}
    assert {path.name for path in Path(CONTRACTS / "schemas").iterdir()} == wanted


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_record_fits_its_schema_and_its_headers(name: str):
    record = golden(name)
    schema = json.loads((CONTRACTS / "schemas" / f"{name}.json").read_text("utf-8"))
    jsonschema.validate(json.loads(record.value or b""), schema, jsonschema.Draft202012Validator)
    headers = document()["components"]["messages"][schema["title"]]["headers"]
    told = {header: (value or b"").decode() for header, value in record.headers}
    jsonschema.validate(told, headers, jsonschema.Draft202012Validator)


def _with(change: str) -> Schema:
    schema = copy.deepcopy(schema_of(EVENTS["SessionScheduled"]))
    properties, required = schema["properties"], schema["required"]
    match change:
        case "optional added":
            properties["extra"] = {"type": "string"}
        case "optional removed":
            del properties["fold"]
        case "required added":
            properties["extra"] = {"type": "string"}
            required.append("extra")
        case "required removed":
            del properties["meeting_link"]
            required.remove("meeting_link")
        case "enum widened":
            properties["fold"]["enum"] = [0, 1, 2]
        case "enum narrowed":
            properties["fold"]["enum"] = [0]
        case "type changed":
            properties["schedule_version"] = {"type": "string"}
        case "limit raised":
            properties["timezone"]["maxLength"] = 100
        case _:
            raise AssertionError(change)
    return schema


@pytest.mark.parametrize("change", ["optional added", "optional removed"])
def test_an_optional_field_may_come_and_go(change: str):
    assert compatible(schema_of(EVENTS["SessionScheduled"]), _with(change))


@pytest.mark.parametrize(
    "change", ["required added", "required removed", "enum widened", "enum narrowed", "type changed", "limit raised"]
)
def test_the_comparison_fails_for_a_breaking_change(change: str):
    assert not compatible(schema_of(EVENTS["SessionScheduled"]), _with(change))


def test_the_async_api_document_points_nowhere_in_vain():
    whole = document()
    assert len(whole["channels"]) == len(TOPICS)
    for reference in _references(whole):
        found: Any = whole
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


def _references(node: object) -> list[str]:
    match node:
        case {"$ref": str(reference)}:
            return [reference]
        case dict():
            return [found for value in node.values() for found in _references(value)]
        case list():
            return [found for value in node for found in _references(value)]
        case _:
            return []
