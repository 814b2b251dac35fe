"""Waits that grow are the same in Python and in SQL."""

import psycopg
import pytest

from booking_process.backoff import doubled, doubled_sql

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("times", [0, 1, 5, 29, 31, 100_000])
async def test_wait__doubles_up_to_its_longest_and_is_the_same_in_sql(sample_database, times: int):
    waits = {"first": 0.5, "longest": 1e9, "times": times}
    async with await psycopg.AsyncConnection.connect(sample_database.app_url) as conn:
        cursor = await conn.execute(f"SELECT {doubled_sql('%(times)s')}".encode(), waits)
        assert await cursor.fetchone() == (doubled(times, first=0.5, longest=1e9),)
    assert doubled(times, first=0.5, longest=1e9) == 0.5 * 2 ** min(times, 30)
    assert doubled(times, first=0.5, longest=3.0) <= 3.0
