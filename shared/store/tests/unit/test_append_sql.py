"""What an append statement must be, and what is refused before anything is sent."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from booking_contracts.event import Event
from booking_store import MAX_DATA_BYTES, AppendSql, Cause, TooLarge
from booking_store.append import expand

ID = UUID("00000000-0000-7000-8000-000000000001")


@pytest.mark.parametrize(
    "text", ["SELECT %(expected)s + 1", "SELECT %(expected)s::int, %(expected)s::bigint", "SELECT %(expected)s::money"]
)
def test_parameter_without_one_known_type__is_refused_at_the_start(text):
    with pytest.raises((ValueError, KeyError)):
        AppendSql(text)


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
