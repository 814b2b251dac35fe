"""RFC 9110 §13 against a version: which headers are read how, and what each makes of a write and of a read."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from booking_web.conditions import Conditions, conditions_of, etag, parse_tags
from booking_web.problems import Problem


class Shown(BaseModel):
    """A body."""

    name: str


def of(**headers: str | list[str]) -> Conditions:
    """The conditions of a request with these headers; a list is several lines."""
    lines: list[tuple[bytes, bytes]] = []
    for name, values in headers.items():
        for value in [values] if isinstance(values, str) else values:
            lines += [(name.replace("_", "-").encode(), value.encode("latin-1"))]
    return conditions_of({"type": "http", "headers": lines})


@pytest.mark.parametrize(
    "value",
    [
        '"3"',
        ' "3" ',
        'W/"3"',
        '"3-gzip"',
        '"3--gzip"',
        'W/"3-gzip"',
        '"3-br"',
        '"3;gzip"',
        '"1", "3"',
        '"3","5"',
        '"5" , W/"3"',
        ',"3",,',
        '"abc", "3"',
        '"3.1f2e3d4c"',
        'W/"3.1f2e3d4c-gzip"',
        ['"1"', '"3"'],
        "*",
    ],
)
def test_version_3__what_names_it_holds(value: str | list[str]) -> None:
    assert of(if_match=value).allow(3)
    assert not of(if_none_match=value).allow(3)


@pytest.mark.parametrize(
    "value", ['"2"', 'W/"2"', '"2", "4"', '"abc"', '"03a"', '"3-zip"', '"99999999999999999999"', '""']
)
def test_version_3__what_names_another_does_not_hold(value: str) -> None:
    assert not of(if_match=value).allow(3)
    assert of(if_none_match=value).allow(3)


@pytest.mark.parametrize("value", ["*", '"1"', '"0"'])
def test_nothing_there__no_if_match_holds_and_every_if_none_match_does(value: str) -> None:
    assert not of(if_match=value).allow(None)
    assert of(if_none_match=value).allow(None)


def test_both_headers__both_must_hold() -> None:
    assert of(if_match='"3"', if_none_match='"2"').allow(3)
    assert not of(if_match='"3"', if_none_match="*").allow(3)
    assert not of(if_match='"2"', if_none_match='"2"').allow(3)


def test_a_refusal__says_which_version_there_is() -> None:
    with pytest.raises(Problem) as refused:
        of(if_match='"2"').check(3)
    assert (refused.value.status, refused.value.code) == (412, "stale_version")
    assert refused.value.members["current_version"] == 3


UNREADABLE = [
    "3",
    "",
    " ",
    '"3',
    '3"',
    "abc",
    'w/"3"',
    'W/ "3"',
    '"3" "4"',
    '*, "3"',
    '"3", *',
    "**",
    '"3";',
    "'3'",
    ",",
]


@pytest.mark.parametrize("value", [*UNREADABLE, '"a b"', ["3", '"3"']])
@pytest.mark.parametrize("header", ["if_match", "if_none_match"])
def test_malformed__400_that_names_the_form(header: str, value: str | list[str]) -> None:
    with pytest.raises(Problem) as refused:
        of(**{header: value})
    assert (refused.value.status, refused.value.code) == (400, "bad_request")
    assert '"3"' in (refused.value.detail or "")


@given(st.text(max_size=50))
def test_any_text__is_read_or_refused(text: str) -> None:
    with suppress(Problem):
        assert parse_tags("If-Match", text)


@given(st.integers(0, 10**9 - 1))
def test_an_etag__comes_back(version: int) -> None:
    for tag in (etag(version), etag(version, Shown(name="Sari"))):
        assert of(if_match=tag).allow(version)
        assert not of(if_match=tag).allow(version + 1)
        assert of(if_none_match=tag).of_read(tag) == 304


def test_a_body_that_changes_without_its_version__has_another_tag() -> None:
    before, after = etag(3, Shown(name="Sari")), etag(3, Shown(name="Sari Dewi"))
    assert before != after
    assert of(if_none_match=before).of_read(after) is None
    assert of(if_none_match='"3"').of_read(after) == 304
    assert of(if_match=before).allow(3), "a write is decided on the version"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if_none_match": '"3"'}, 304),
        ({"if_none_match": 'W/"3-gzip"'}, 304),
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": '"2"'}, None),
        ({"if_match": '"2"', "if_none_match": '"3"'}, 412),
        ({"if_match": '"3"'}, None),
        ({}, None),
    ],
)
def test_a_read_of_version_3(headers: dict[str, Any], status: int | None) -> None:
    assert of(**headers).of_read('"3"') == status
