"""A statement that goes straight to libpq stays true where a connection's prepared statements come and go."""

import asyncio

import psycopg
import pytest
from shared.postgres.tests.conftest import Connections

from booking_postgres import Prepared

pytestmark = pytest.mark.servers
TWICE = Prepared("SELECT $1::int * 2, $2::text")


async def _twice(conn: psycopg.AsyncConnection, number: str | None, text: str | None = None) -> tuple:
    found = await TWICE.run(conn, [number, text])
    return found.get_value(0, 0), found.get_value(0, 1)


async def test_text_in_text_out__nulls_and_any_character(connections: Connections):
    conn = await connections.autocommit()
    assert await _twice(conn, "21", "Ä 漢 🙂 '\\") == (b"42", "Ä 漢 🙂 '\\".encode())
    assert await _twice(conn, None) == (None, None)


async def test_after_a_rollback__which_deallocates_all__it_is_prepared_anew(connections: Connections):
    conn = await connections.autocommit()
    await _twice(conn, "1")
    with pytest.raises(psycopg.errors.DivisionByZero):
        await _fail_within_a_transaction(conn)
    names = await conn.execute("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'booking%'")
    assert await names.fetchone() == (0,), "psycopg has deallocated it"
    assert await _twice(conn, "3") == (b"6", None)


async def _fail_within_a_transaction(conn: psycopg.AsyncConnection) -> None:
    async with conn.transaction():
        await _twice(conn, "2")
        await conn.execute("SELECT 1 / 0")


async def test_it_is_prepared_once_for_each_connection(connections: Connections):
    for conn in (await connections.autocommit(), await connections.autocommit()):
        for _ in range(3):
            await _twice(conn, "1")
        names = await conn.execute("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'booking%'")
        assert await names.fetchone() == (1,)


async def test_a_nul_character__is_refused_and_never_cuts_a_text(connections: Connections):
    conn = await connections.autocommit()
    with pytest.raises(psycopg.DataError, match="NUL"):
        await _twice(conn, "1", "before\x00after")
    assert await _twice(conn, "1") == (b"2", None)


async def test_the_servers_error__is_psycopgs_own_with_its_diagnosis(connections: Connections):
    conn = await connections.autocommit()
    with pytest.raises(psycopg.errors.InvalidTextRepresentation) as refused:
        await _twice(conn, "one")
    assert refused.value.sqlstate == "22P02"
    assert "one" in str(refused.value)
    assert await _twice(conn, "1") == (b"2", None), "the connection is as good as before"


async def test_several_at_once_on_one_connection__wait_for_each_other(connections: Connections):
    conn = await connections.autocommit()
    found = await asyncio.gather(*(_twice(conn, str(number)) for number in range(20)))
    assert [int(value) for value, _ in found] == [2 * number for number in range(20)]


async def test_binary__results_are_postgresqls_own_bytes(connections: Connections):
    conn = await connections.autocommit()
    every = bytes(range(256))
    echo = Prepared("SELECT $1::bytea, $2::text, $1::bytea IS NULL, 7::int", binary=True)
    found = await echo.run(conn, [every, "Ä"])
    assert [found.get_value(0, column) for column in range(4)] == [every, "Ä".encode(), b"\x00", b"\x00\x00\x00\x07"]
    assert (await echo.run(conn, [None, None])).get_value(0, 2) == b"\x01"


async def test_bytes_as_a_parameter__arrive_as_they_are(connections: Connections):
    conn = await connections.autocommit()
    found = await Prepared("SELECT encode($1::bytea, 'hex'), $2::int").run(conn, [b"\x00\xff", "5"])
    assert (found.get_value(0, 0), found.get_value(0, 1)) == (b"00ff", b"5")
