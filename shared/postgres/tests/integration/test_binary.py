"""What is sent in PostgreSQL's binary format is what psycopg would have had PostgreSQL read."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import Enum
from typing import Any
from uuid import UUID

import psycopg
import pytest

from booking_postgres import Binary, Connection, Prepared

pytestmark = pytest.mark.servers
ID = UUID("00000000-0000-7000-8000-0000000000ff")
JAKARTA = timezone(timedelta(hours=7))


class Word(str, Enum):  # noqa: UP042 - StrEnum would hide whose str() is called
    """A text that is called something else."""

    SAID = "said"


class Later(datetime):
    """An instant of another class, as libraries make them."""


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("text", 'O\'Hara, "Ä" \\ 漢 🙂'),
        ("text", ""),
        ("text", Word.SAID.value),
        ("json", '{"a":"\\u0001"}'),
        ("jsonb", '{"b": 1, "a": []}'),
        ("uuid", ID),
        ("boolean", True),
        ("boolean", False),
        ("smallint", -1),
        ("int", 2**31 - 1),
        ("bigint", -(2**63)),
        ("timestamptz", datetime(1, 1, 1, tzinfo=UTC)),
        ("timestamptz", datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        ("timestamptz", datetime(2026, 12, 1, 9, 0, 0, 1, tzinfo=JAKARTA)),
        ("timestamptz", datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        ("date", date(1, 1, 1)),
        ("date", date(2026, 12, 1)),
        ("date", date(9999, 12, 31)),
        ("time", time(0, 0)),
        ("time", time(23, 59, 59, 999_999)),
        ("bytea", bytes(range(256))),
        ("text[]", ["a", 'b"c', "d\\e", "f,g", "", "NULL"]),
        ("json[]", ['{"a":"\\u0001"}', "[]"]),
        ("uuid[]", [ID, UUID(int=0)]),
        ("smallint[]", [1, -2]),
        ("bytea[]", [b"", b"\x00\xff"]),
        ("uuid[]", []),
        ("text", None),
        ("uuid[]", None),
    ],
)
async def test_value__arrives_as_psycopg_sends_it(conn: Connection, type_: str, value: Any):
    sent = await Prepared(f"SELECT $1::{type_}::text").run_binary(conn, Binary({"it": type_})({"it": value}))
    query = f"SELECT %s::{type_}::text"
    cursor = await conn.execute(query.encode(), [value])
    row = await cursor.fetchone()
    assert row is not None
    assert sent.get_value(0, 0) == (None if row[0] is None else row[0].encode())


async def test_value_of_a_derived_kind__arrives_as_the_kinds_own(conn: Connection):
    values = Binary({"word": "text", "at": "timestamptz"})({"word": Word.SAID, "at": Later(2026, 12, 1, 9, tzinfo=UTC)})
    found = await Prepared("SELECT $1::text, $2::timestamptz = '2026-12-01T09:00Z'").run_binary(conn, values)
    assert (found.get_value(0, 0), found.get_value(0, 1)) == (b"said", b"t")


@pytest.mark.parametrize("type_", ["text", "json", "jsonb", "text[]"])
async def test_a_nul_character__is_refused_and_never_cuts_a_text(conn: Connection, type_: str):
    value: Any = '"before\x00after"'
    statement = Prepared(f"SELECT $1::{type_}")
    with pytest.raises(psycopg.DataError):
        await statement.run_binary(conn, Binary({"it": type_})({"it": [value] if "[" in type_ else value}))
    assert conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("timestamptz", datetime(2026, 12, 1)),  # noqa: DTZ001
        ("timestamptz", date(2026, 12, 1)),
        ("timestamptz", "2026-12-01T00:00:00Z"),
        ("uuid", str(ID)),
        ("uuid[]", [str(ID)]),
        ("text", ID),
        ("text", b"text"),
        ("json", {"a": 1}),
        ("int", "5"),
        ("int", 2**31),
        ("smallint", 1.0),
        ("boolean", "t"),
        ("boolean", 2),
        ("boolean", []),
        ("date", "2026-12-01"),
        ("time", "09:00"),
        ("bytea", 5),
        ("bytea", "\\x00"),
        ("text[]", [None]),
        ("int", object()),
    ],
)
def test_value_of_another_type__is_refused_by_its_name(type_: str, value: Any):
    with pytest.raises(TypeError, match=rf"^wrong: .* is no {type_.replace('[', '.').replace(']', '.')}$"):
        Binary({"right": "int", "null": "text", "wrong": type_})({"right": 1, "null": None, "wrong": value})


def test_name_that_is_missing__is_told():
    with pytest.raises(KeyError, match="absent"):
        Binary({"it": "text", "absent": "uuid"})({"it": "here"})


def test_type_that_has_no_format_here__is_refused_at_the_start():
    with pytest.raises(KeyError, match="money"):
        Binary({"price": "money"})
