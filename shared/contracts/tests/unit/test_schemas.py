"""The generated files are up to date, and golden records fit them."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from booking_contracts.corpus import NAMES, golden
from booking_contracts.event import parted_schema_of, schema_of
from booking_contracts.generate import PACKAGE, document, outdated, readers_schema
from booking_contracts.glossary import ELSEWHERE, FIELDS, meaning
from booking_contracts.topics import EVENTS, TOPICS


def test_the_generated_files_are_up_to_date():
    assert outdated() == [], "run `make generate`"


def test_every_version_of_every_type_keeps_its_schema_file():
    wanted = {f"{e.TYPE}.v{v}.json" for e in EVENTS.values() for v in range(1, e.TYPE_VERSION + 1)}
    assert {path.name for path in Path(PACKAGE / "schemas").iterdir()} == wanted


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_record_fits_its_schema_and_its_headers(name: str):
    record = golden(name)
    schema = json.loads((PACKAGE / "schemas" / f"{name}.json").read_text("utf-8"))
    value = json.loads(record.value or b"")
    jsonschema.validate(value, schema, jsonschema.Draft202012Validator)
    event, version = EVENTS[schema["title"]], int(name.rpartition(".v")[2])
    if version == event.TYPE_VERSION:
        jsonschema.validate(value, schema_of(event), jsonschema.Draft202012Validator)
    messages = document()["components"]["messages"].values()
    headers = next(one["headers"] for one in messages if one["name"].endswith(f".{name}"))
    told = {header: (value or b"").decode() for header, value in record.headers}
    jsonschema.validate(told, headers, jsonschema.Draft202012Validator)


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


def _parts() -> dict[str, dict[str, Any]]:
    """Each event's and each shared part's schema, by its title."""
    found: dict[str, dict[str, Any]] = {}
    for event in EVENTS.values():
        schema, parts = parted_schema_of(event)
        found |= {schema["title"]: schema, **parts}
    return found


def test_a_reader_s_schema_is_open_and_a_writer_s_closed():
    for event in EVENTS.values():
        assert "additionalProperties" not in json.dumps(readers_schema(event))
        assert schema_of(event)["additionalProperties"] is False


def test_every_field_has_its_meaning():
    for name, value in document()["components"]["schemas"].items():
        for field, told in value["properties"].items():
            assert told["description"].endswith((".", "?")), f"{name}.{field}"


def test_the_glossary_has_no_word_that_nothing_uses():
    used = {(title, field) for title, schema in _parts().items() for field in schema["properties"]}
    assert set(ELSEWHERE) <= {f"{title}.{field}" for title, field in used}
    assert set(FIELDS) == {field for title, field in used if f"{title}.{field}" not in ELSEWHERE}


def test_every_instant_and_number_has_a_unit():
    for title, schema in _parts().items():
        for field, value in schema["properties"].items():
            if value.get("format") == "date-time" or (value.get("type") == "integer" and "enum" not in value):
                assert meaning(title, field).unit, f"{title}.{field}"


def test_every_id_of_a_person_is_called_one():
    for title, schema in _parts().items():
        for field in schema["properties"]:
            if field in {"user_id", "practitioner_id", "person_id", "recipient_id", "previous_practitioner_id"}:
                assert meaning(title, field).personal == "pseudonym"
