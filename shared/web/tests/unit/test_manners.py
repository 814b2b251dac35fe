"""The parts of api.md's conventions that need no application: instants, languages, errors of fields, the purge."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Literal, get_args
from uuid import UUID

import pytest
from fastapi.exceptions import RequestValidationError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core.core_schema import ErrorType

from booking_process.database import Database, DatabaseDownError
from booking_web.idempotency import IdempotencyPurge
from booking_web.instants import BoundIn, InstantIn, InstantOut, bound_at, parse_instant
from booking_web.languages import accepted, language_for, language_of
from booking_web.problem_handlers import code_of, errors_of
from booking_web.problems import ERROR_CODES

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-01T12:00:00Z",
        "2026-12-01T12:00:00+00:00",
        "2026-12-01T12:00:00-00:00",
        "2026-12-01T19:00:00+07:00",
        "2026-12-01T12:00:00.000Z",
        "2026-12-01T12:00:00.0000000001Z",
        "2026-12-01t12:00:00z",
        "2026-12-02T11:59:00+23:59",
    ],
)
def test_instant__as_rfc_3339_writes_it_is_taken(text):
    assert parse_instant(text) == NOON
    assert parse_instant(text).tzinfo is UTC


NO_INSTANTS = [
    "", "20261201", "2026", "0", "1764324000", "1764324000.5", "-1", "2026-12-01", "2026-12-01T12:00:00",
    "2026-12-01 12:00:00Z", "2026-12-01T12:00:00 07:00", "2026-12-01T12:00Z", "2026-12-01T12:00:00+7",
    "2026-12-01T12:00:00+0700", "2026-12-01T12:00:00+07", "2026-W49-2T12:00:00Z", "2026-335T12:00:00Z",
    "20261201T120000Z", "2026-12-01T24:00:00Z", "2026-12-01T23:59:60Z", "2026-02-30T12:00:00Z",
    "2026-13-01T12:00:00Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00",
    "2026-12-01T12:00:00+24:00", "2026-12-01T12:00:00+07:60", "2026-12-01T12:00:00,5Z", "2026-12-01T12:00:00.Z",
    "2026-12-01T12:00:00Z ", " 2026-12-01T12:00:00Z", "2026-12-01T12:00:00Z\n", "+2026-12-01T12:00:00Z",
    "12026-12-01T12:00:00Z", "\u0662026-12-01T12:00:00Z", "2026-12-01T12:00:00\u221207:00", "now", "P1D",
    "2026-12-01T12:00:00[Asia/Jakarta]", "2026-12-01T12:00:00UTC", "2026-12-01T12:00:61Z", "nan", "1e10",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_INSTANTS)
def test_instant__anything_else_is_refused(text):
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(InstantIn).validate_python(text)
    assert [error["type"] for error in refused.value.errors()] == ["invalid_instant"]


@pytest.mark.parametrize("value", [0, 1764324000, 1.5, True, None, [], {}, ["2026-12-01T12:00:00Z"]])
def test_instant_in_json__is_a_text(value):
    with pytest.raises(ValidationError):
        TypeAdapter(InstantIn).validate_python(value)


def test_instant__a_blank_for_its_plus_is_told():
    with pytest.raises(ValueError, match="%2B"):
        parse_instant("2026-12-01T12:00:00 07:00")


@given(st.text(max_size=40))
def test_instant__any_text_is_one_or_refused(text):
    try:
        assert parse_instant(text).tzinfo is UTC
    except ValueError as refused:
        assert str(refused)  # noqa: PT017


@given(st.datetimes(timezones=st.timezones()))
def test_instant__an_answer_is_in_utc_with_z_and_comes_back(moment):
    try:
        utc = moment.astimezone(UTC)
    except OverflowError:
        return
    text = TypeAdapter(InstantOut).dump_json(TypeAdapter(InstantOut).validate_python(moment)).decode().strip('"')
    assert text.endswith("Z")
    assert parse_instant(text) == utc


def test_bound__is_an_instant_or_a_day_of_the_zone():
    assert bound_at("2026-12-01", "Asia/Jakarta") == datetime(2026, 11, 30, 17, tzinfo=UTC)
    assert bound_at("2026-12-01T12:00:00Z", "Asia/Jakarta") == NOON


@pytest.mark.parametrize("text", [*(one for one in NO_INSTANTS if one != "2026-12-01"), "2026-02-30", "0001-01-01"])
def test_bound__anything_else_is_refused(text):
    with pytest.raises(ValidationError):
        TypeAdapter(BoundIn).validate_python(text)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, None), ("", None), ("*", None), ("*;q=0.5", None), ("fr", None), ("fr, *", None),
        ("id", "id"), ("en", "en"), ("en-GB", "en"), ("EN-us", "en"), ("in", "id"), ("id-ID,en;q=0.9", "id"),
        ("fr-FR,fr;q=0.9,en;q=0.8", "en"), ("id;q=0.2,en;q=0.9", "en"), ("en;q=0", None), ("en;q=0, id;q=0.1", "id"),
        ("en;q=0.000,*", None), ("en;q=2", None), ("en;q=x", None), ("en;q=0.8,id;q=0.8", "en"), ("*,en;q=0.1", "en"),
        (", ,en", "en"), ("en ; q = 0.5", "en"), ("enx", None), ("english", None), ("\xff", None),
        (",".join(f"x{n:x}" for n in range(900)) + ",en", "en"), ("en," + "a" * 100_000, "en"),
    ],
)  # fmt: skip
def test_accept_language__is_a_wish(header, language):
    assert accepted(header) == language


@given(st.text(max_size=60))
def test_accept_language__is_never_an_error(text):
    assert accepted(text) in {None, "id", "en"}


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("en_US", "en"),
        ("id", "id"),
        ("id-ID", "id"),
        ("fr", None),
        ("", None),
        (None, None),
    ],
)
def test_locale__has_a_language_of_ours_or_none(locale, language):
    assert language_of(locale) == language


@pytest.mark.parametrize(
    ("locale", "header", "language"),
    [
        ("en", "id", "en"),
        ("id", "en", "id"),
        ("en-GB", None, "en"),
        (None, "en", "en"),
        ("fr", "en", "en"),
        (None, "*", "id"),
        ("fr", None, "id"),
        (None, None, "id"),
    ],
)
def test_language__is_the_locale_s_then_the_wish_then_indonesian(locale, header, language):
    assert language_for(locale, accepted(header)) == language


class _Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["a", "b"]
    size: int | None = None


class _Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    choice: Literal["a"] | Literal["b"] | UUID | None = None  # noqa: PYI030 - so that a model names its branches
    inner: _Inner | list[_Inner] | None = None
    odd: list[int] = []


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"choice": "z"}, {("/choice", "not_allowed"), ("/choice", "malformed")}),
        ({"inner": [{"kind": "a", "x/y~z": 1}]}, {("/inner", "wrong_type"), ("/inner/0/x~1y~0z", "unknown_field")}),
        ({"odd": [1, "x"]}, {("/odd/1", "malformed")}),
        ({"odd": 5}, {("/odd", "wrong_type")}),
        ({"": 1}, {("/", "unknown_field")}),
        (7, {("", "wrong_type")}),
    ],
)
def test_pointer__is_one_of_rfc_6901_that_the_body_resolves(body, errors):
    with pytest.raises(ValidationError) as refused:
        _Outer.model_validate(body)
    found = [{**error, "loc": ("body", *error["loc"])} for error in refused.value.errors()]
    told = errors_of(found, body)
    assert {(error["pointer"], error["code"]) for error in told} == errors
    for error in told:
        _resolve(body, error["pointer"])


def test_pointer_of_what_is_missing__ends_in_its_name():
    with pytest.raises(ValidationError) as refused:
        _Inner.model_validate({})
    found = [{**error, "loc": ("body", *error["loc"])} for error in refused.value.errors()]
    assert errors_of(found, {}) == [{"pointer": "/kind", "code": "missing", "detail": "Field required"}]


def test_pointer_into_the_query__is_the_parameters_name():
    found: Any = {"loc": ("query", "status", "literal['a','b']"), "type": "literal_error", "msg": "Input should be 'a'"}
    errors = errors_of(RequestValidationError([found]).errors(), None)
    assert [(error["pointer"], error["code"]) for error in errors] == [("?status", "not_allowed")]


def test_codes_of_models__are_ours():
    kinds = [kind for kind in get_args(ErrorType) if isinstance(kind, str)]
    assert len(kinds) > 80
    assert {code_of(kind) for kind in kinds} <= ERROR_CODES.keys()


def _resolve(value: Any, pointer: str) -> None:
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]


class _Table(Database):
    """Counts the purges; away at first if told so."""

    def __init__(self, *, away: int = 0) -> None:
        super().__init__("postgresql://nobody@127.0.0.1:1/none")
        self.asked = asyncio.Event()
        self.times = 0
        self._away = away

    @asynccontextmanager
    async def autocommit(self, *, deadline: float | None = None) -> AsyncGenerator[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.times += 1
        self.asked.set()
        if self.times <= self._away:
            raise DatabaseDownError
        yield self

    async def execute(self, _statement: str) -> Any:
        return type("Result", (), {"rowcount": 0})


@pytest.mark.parametrize("away", [0, 1])
async def test_purge__begins_at_once_and_stands_an_outage(away):
    table, stop = _Table(away=away), asyncio.Event()
    running = asyncio.create_task(IdempotencyPurge(table).run(stop))
    async with asyncio.timeout(10):
        await table.asked.wait()
        stop.set()
        await running
    assert table.times == 1
