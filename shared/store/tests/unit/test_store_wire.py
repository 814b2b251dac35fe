"""Parameters as text."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

from booking_contracts.event import Event
from booking_store import MAX_DATA_BYTES, AppendSql, Cause, TooLarge
from booking_store._statement import text_array, to_text
from booking_store.append import expand

ID = UUID("00000000-0000-7000-8000-000000000001")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("O'Hara", "O'Hara"),
        (True, "t"),
        (False, "f"),
        (7, "7"),
        (ID, str(ID)),
        (b"\x01\xff", "\\x01ff"),
        (date(2026, 12, 1), "2026-12-01"),
        (time(9, 30), "09:30:00"),
        (datetime(2026, 12, 1, 9, tzinfo=UTC), "2026-12-01T09:00:00+00:00"),
        (datetime(2026, 12, 1, 9, tzinfo=timezone(timedelta(hours=7))), "2026-12-01T09:00:00+07:00"),
        ([], "{}"),
        ([ID], f'{{"{ID}"}}'),
        (["a", 'b"c', "d\\e", "f,g"], '{"a","b\\"c","d\\\\e","f,g"}'),
        ((1, None, 2), '{"1",NULL,"2"}'),
    ],
)
def test_value__has_one_text(value, text):
    assert to_text(value) == text


class Word(str, Enum):  # noqa: UP042 - StrEnum would hide whose str() is called
    """A text that is called something else."""

    SAID = "said"


class Later(datetime):
    """An instant of another class, as libraries make them."""


@pytest.mark.parametrize(
    ("value", "text"), [(Word.SAID, "said"), (Later(2026, 12, 1, 9, tzinfo=UTC), "2026-12-01T09:00:00+00:00")]
)
def test_value_of_a_derived_kind__has_the_kinds_text(value, text):
    assert to_text(value) == text


@pytest.mark.parametrize("value", [datetime(2026, 12, 1), {"a": 1}, object()])  # noqa: DTZ001
def test_value_without_a_plain_text__is_refused(value):
    with pytest.raises(TypeError):
        to_text(value)


def test_json_in_an_array__keeps_its_quotes_and_backslashes():
    assert text_array(['{"a":"\\u0001"}']) == '{"{\\"a\\":\\"\\\\u0001\\"}"}'


def test_fragments__without_a_key_there_is_no_record():
    text = "WITH guard AS (SELECT 1), ik AS ({{idempotency}}) SELECT 1 FROM ik"
    assert "INSERT INTO idempotency" in expand(text, keyed=True)
    assert expand(text, keyed=False) == "WITH guard AS (SELECT 1), ik AS (SELECT 1 FROM guard) SELECT 1 FROM ik"


class Big(Event):
    """An event that may be of any size."""

    text: str


@pytest.mark.parametrize("text", ["x" * MAX_DATA_BYTES, "é" * (MAX_DATA_BYTES // 2), "\\" * (MAX_DATA_BYTES // 2)])
async def test_event_over_the_limit__is_refused_before_anything_is_sent(text):
    nowhere: Any = None
    with pytest.raises(TooLarge):
        await AppendSql("SELECT 0").run(
            nowhere,
            stream_type="t",
            stream_id=ID,
            expected=0,
            events=[Big(text=text)],
            cause=Cause("system", "c"),
            occurred_at=datetime.now(UTC),
        )
