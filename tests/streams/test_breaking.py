"""The gate's comparison beside another's proof: what it lets pass, old readers can read, and new readers old data."""

import copy
import warnings
from typing import Any

import pytest
from tests.streams.breaking import Contract, breaks

from booking_contracts.event import opened, schema_of
from booking_contracts.generate import document
from booking_contracts.topics import EVENTS

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


def _passes(old: Schema, new: Schema) -> bool:
    whole = document()
    return not breaks(Contract(whole, {"one": old}), Contract(whole, {"one": new}))


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


SCHEDULED = schema_of(EVENTS["SessionScheduled"])


def test_added_optional_field__is_all_that_passes():
    assert compatible(SCHEDULED, _with("optional added"))
    assert _passes(SCHEDULED, _with("optional added"))


@pytest.mark.parametrize(
    "change", ["required added", "required removed", "enum widened", "enum narrowed", "type changed", "limit raised"]
)
def test_what_a_reader_could_not_read__is_refused(change: str):
    assert not compatible(SCHEDULED, _with(change))
    assert not _passes(SCHEDULED, _with(change))


def test_optional_field_removed__is_refused_though_it_can_be_read():
    """Somebody's report is made of it."""
    assert compatible(SCHEDULED, _with("optional removed"))
    assert not _passes(SCHEDULED, _with("optional removed"))
