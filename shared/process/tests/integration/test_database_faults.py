"""The database away, cut, silent, refusing or used up (F7, F8, F10, F13): an end to every wait, and recovery alone."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from shared.process.tests.proxy import Proxy, proxied
from shared.web.tests.conftest import running, settings_for, until
from shared.web.tests.sample.app import build

from booking_local.servers.postgres import Postgres
from booking_process.database import Database, DatabaseDownError, Deadline, UnsafeDatabaseError, request_deadline
from booking_web.application import create_app
from booking_web.testing import Issuer

pytestmark = pytest.mark.servers

Reached = Callable[..., AbstractAsyncContextManager[tuple[Proxy, Database]]]


@pytest.fixture
def reached(sample_database) -> Reached:
    """`async with reached(pool_size=2) as (proxy, database)`."""

    @asynccontextmanager
    async def made(**options: Any) -> AsyncIterator[tuple[Proxy, Database]]:
        async with proxied(sample_database.app_url) as (proxy, url):
            database = Database(url, **options)
            try:
                yield proxy, database
            finally:
                await database.close()

    return made


async def _one(database: Database) -> int:
    async with database.autocommit() as conn:
        row = await (await conn.execute("SELECT 1")).fetchone()
        assert row is not None
        return row[0]


async def test_autocommit__each_statement_commits_and_a_transaction_does_at_its_end(reached):
    async with reached() as (_, database):
        async with database.autocommit() as conn:
            assert conn.autocommit
            first = await (await conn.execute("SELECT pg_current_xact_id()")).fetchone()
            second = await (await conn.execute("SELECT pg_current_xact_id()")).fetchone()
            assert first != second

        async def failing() -> None:
            async with database.transaction() as conn:
                await conn.execute("INSERT INTO note (id, owner, text) VALUES (uuidv7(), uuidv7(), 'rolled back')")
                raise LookupError

        with pytest.raises(LookupError):
            await failing()
        async with database.transaction() as conn:
            await conn.execute("INSERT INTO note (id, owner, text) VALUES (uuidv7(), uuidv7(), 'kept')")
        async with database.autocommit() as conn:
            assert await (await conn.execute("SELECT text FROM note")).fetchall() == [("kept",)]


async def test_sessions__are_set_up_for_short_work_in_utc(reached):
    async with reached(statement_timeout=7) as (_, database), database.autocommit() as conn:
        for name, value in (("statement_timeout", "7s"), ("timezone", "UTC"), ("lock_timeout", "5s"), ("jit", "off")):
            assert (await (await conn.execute(f"SHOW {name}")).fetchone())[0] == value


async def test_open_transaction__is_not_handed_to_the_next(reached):
    async with reached(pool_size=1) as (_, database):
        async with database.autocommit() as conn:
            await conn.execute("BEGIN")
            await conn.execute("CREATE TEMPORARY TABLE leak ()")
        async with database.autocommit() as conn:
            assert conn.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
            assert (await (await conn.execute("SELECT to_regclass('leak')")).fetchone())[0] is None


async def test_connections_cut_while_idle__nobody_notices(reached):
    async with reached(pool_size=5) as (proxy, database):
        for _ in range(3):
            await asyncio.gather(*(_one(database) for _ in range(5)))
            proxy.cut()
            await asyncio.sleep(0.05)
            assert await asyncio.gather(*(_one(database) for _ in range(20))) == [1] * 20


async def test_backends_terminated_while_idle__nobody_notices(reached, postgres, sample_database):
    async with reached(pool_size=5) as (_, database):
        await asyncio.gather(*(_one(database) for _ in range(5)))
        async with await psycopg.AsyncConnection.connect(postgres.admin_url, autocommit=True) as admin:
            await admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = %s AND pid <> pg_backend_pid()",
                [sample_database.name],
            )
        assert await asyncio.gather(*(_one(database) for _ in range(20))) == [1] * 20


async def test_cut_within_a_statement__is_database_down_and_the_pool_recovers(reached, postgres, sample_database):
    async with reached(pool_size=2) as (proxy, database):

        async def sleeper() -> None:
            async with database.autocommit() as conn:
                await conn.execute("SELECT pg_sleep(30)")

        tasks = [asyncio.create_task(sleeper()) for _ in range(2)]
        await until(lambda: _busy(postgres, sample_database.name, 2))
        proxy.cut()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [DatabaseDownError, DatabaseDownError]
        assert await asyncio.gather(*(_one(database) for _ in range(6))) == [1] * 6


async def test_server_killed__ends_work_and_waits_at_once_and_recovers(server_folder):
    """F7: two in a statement and a caller waiting for his turn."""
    server = Postgres(server_folder / "postgres-of-database-faults", durable=False)
    await asyncio.to_thread(server.start)
    database = Database(server.admin_url, pool_size=2, pool_timeout=60)
    try:

        async def sleeper() -> None:
            async with database.autocommit() as conn:
                await conn.execute("SELECT pg_sleep(300)")

        await asyncio.gather(_one(database), _one(database))
        tasks = [asyncio.create_task(sleeper()) for _ in range(3)]
        await until(lambda: _holds(lambda: database.pool.waiting == 1))
        assert server.pid is not None
        os.kill(server.pid, signal.SIGQUIT)
        async with asyncio.timeout(30):
            told = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(error) for error in told] == [DatabaseDownError] * 3
        with pytest.raises(DatabaseDownError):
            await _one(database)
        assert (database.pool.in_use, database.pool.waiting) == (0, 0)
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        assert await asyncio.gather(*(_one(database) for _ in range(6))) == [1] * 6
    finally:
        await database.close()
        await asyncio.to_thread(server.stop)


async def _holds(condition: Callable[[], bool]) -> bool:
    return condition()


async def test_refused__is_database_down_at_once_and_recovers(reached):
    async with reached() as (proxy, database):
        assert await _one(database) == 1
        await proxy.down()
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(DatabaseDownError):
                await _one(database)
            assert time.monotonic() - began < 4  # connecting to nobody would take 5
        await proxy.up()
        assert await _one(database) == 1


async def test_silent_database__the_deadline_ends_the_wait(reached):
    async with reached() as (proxy, database):
        assert await _one(database) == 1
        proxy.silent()
        began = time.monotonic()
        with pytest.raises(DatabaseDownError):
            async with database.autocommit(deadline=0.5) as conn:
                await conn.execute("SELECT 1")
        assert time.monotonic() - began < 8  # psycopg itself would wait 10 for a cancel request
        await proxy.up()
        assert await _one(database) == 1


async def test_silent_database__a_requests_own_deadline_counts(reached):
    async with reached() as (proxy, database):
        await _one(database)
        proxy.silent()
        token = request_deadline.set(Deadline(asyncio.get_running_loop().time() + 0.3))
        began = time.monotonic()
        with pytest.raises(DatabaseDownError):
            async with database.transaction() as conn:
                await conn.execute("SELECT 1")
        request_deadline.reset(token)
        assert time.monotonic() - began < 60  # the transaction's own is 120


async def test_silent_while_idle_for_long__is_found_out_before_use(reached, monkeypatch):
    monkeypatch.setattr("booking_postgres.pool._IDLE_BEFORE_PING", 0.0)
    monkeypatch.setattr("booking_postgres.pool._PING_SECONDS", 0.2)
    async with reached(pool_size=1) as (proxy, database):
        await _one(database)
        proxy.silent()
        waiting = asyncio.create_task(_one(database))
        await asyncio.sleep(0.1)
        await proxy.up()  # what was held back arrives, or a new connection is made
        assert await waiting == 1


async def test_statement_too_slow__is_database_down_and_the_connection_stays(reached):
    async with reached(pool_size=1, statement_timeout=1) as (_, database):
        with pytest.raises(DatabaseDownError) as slow:
            async with database.autocommit() as conn:
                await conn.execute("SELECT pg_sleep(30)")
        assert slow.value.why == "57014"
        assert await _one(database) == 1


async def test_pool_exhausted__waits_its_timeout_then_503(reached):
    async with reached(pool_size=1, pool_timeout=0.2) as (_, database):
        async with database.autocommit():
            began = time.monotonic()
            with pytest.raises(DatabaseDownError) as exhausted:
                await _one(database)
            assert exhausted.value.why == "pool exhausted"
            assert time.monotonic() - began > 0.15
        assert await _one(database) == 1


async def test_waiters__are_served_when_a_connection_returns(reached):
    async with reached(pool_size=2, pool_timeout=60) as (_, database):
        assert await asyncio.gather(*(_one(database) for _ in range(100))) == [1] * 100


async def test_canceled_callers__leak_no_connection(reached):
    async with reached(pool_size=2, pool_timeout=60) as (_, database):

        async def sleeper() -> None:
            async with database.transaction() as conn:
                await conn.execute("SELECT pg_sleep(20)")

        for pause in (0.0, 0.001, 0.01, 0.05, 0.1):
            tasks = [asyncio.create_task(sleeper()) for _ in range(4)]
            await asyncio.sleep(pause)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert await asyncio.gather(*(_one(database) for _ in range(4))) == [1] * 4


async def test_server_out_of_connections__is_database_down(postgres):
    limited = postgres.create_database()
    role = limited.app_url.split("://")[1].split(":")[0]
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 1").format(sql.Identifier(role)))
    database = Database(limited.app_url, pool_size=5)
    try:
        async with database.autocommit():
            with pytest.raises(DatabaseDownError):
                await _one(database)
        assert await _one(database) == 1
    finally:
        await database.close()
        postgres.drop_database(limited)


async def test_unsafe_server__is_named(reached):
    async with reached() as (_, database):
        with pytest.raises(UnsafeDatabaseError, match="fsync"):
            await database.assert_durable()


@pytest.mark.parametrize(
    ("change", "undo", "says"),
    [
        ("ALTER ROLE {role} SET synchronous_commit = off", "ALTER ROLE {role} RESET ALL", "ALTER ROLE"),
        ("ALTER DATABASE {name} SET synchronous_commit = local", "ALTER DATABASE {name} RESET ALL", "ALTER DATABASE"),
        (
            "ALTER ROLE {role} IN DATABASE {name} SET synchronous_commit = off",
            "ALTER ROLE {role} IN DATABASE {name} RESET ALL",
            "ALTER ROLE IN DATABASE",
        ),
    ],
    ids=["role", "database", "role in database"],
)
async def test_unsafe_for_a_role_or_database_alone__is_named_with_where_it_is_set(
    sample_database, postgres, change, undo, says
):
    """K37: the server's own settings look right then."""
    names = {
        "role": sql.Identifier(sample_database.app_url.split("://")[1].split(":")[0]),
        "name": sql.Identifier(sample_database.name),
    }
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL(change).format(**names))
    database = Database(sample_database.app_url)
    try:
        with pytest.raises(UnsafeDatabaseError, match=rf"synchronous_commit=\w+ \(by {says}\)") as unsafe:
            await database.assert_durable()
        assert "Set it to on where it is set, then start again." in str(unsafe.value)
    finally:
        await database.close()
        with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
            admin.execute(sql.SQL(undo).format(**names))


async def test_pool__after_cut_connections_and_vanished_clients_has_its_nominal_size(postgres, sample_database):
    """F8: neither the pool nor the server keeps a connection that nobody will ever use again."""
    size = 4
    async with proxied(sample_database.app_url) as (proxy, url):
        service = build(settings_for(url, database_pool_size=size, database_pool_timeout_seconds=60))
        app = create_app(service)
        issuer = Issuer.install(app)
        async with running(app) as client:
            member = issuer.bearer("member")
            for _ in range(4):
                gone = [asyncio.create_task(client.get("/v1/slow", params={"seconds": 20})) for _ in range(2 * size)]
                await until(lambda: _busy(postgres, sample_database.name, size))
                for task in gone:  # the client hangs up
                    task.cancel()
                await asyncio.gather(*gone, return_exceptions=True)
                proxy.cut()
                answers = await asyncio.gather(*(client.get("/v1/notes", headers=member) for _ in range(3 * size)))
                assert {answer.status_code for answer in answers} <= {200, 503}
            pool = service.database.pool
            assert pool.in_use == 0
            answers = await asyncio.gather(*(client.get("/v1/notes", headers=member) for _ in range(10 * size)))
            assert {answer.status_code for answer in answers} == {200}
            assert pool.in_use == 0
            assert pool.idle <= size
            await until(lambda: _at_most(postgres, sample_database.name, size))


async def _connections(postgres, name: str, more: str = "") -> int:
    async with await psycopg.AsyncConnection.connect(postgres.admin_url, autocommit=True) as admin:
        count = f"SELECT count(*) FROM pg_stat_activity WHERE datname = %s {more}"
        row = await (await admin.execute(count.encode(), [name])).fetchone()
        assert row is not None
        return row[0]


async def _busy(postgres, name: str, size: int) -> bool:
    return await _connections(postgres, name, "AND state = 'active' AND query LIKE '%%pg_sleep%%'") >= size


async def _at_most(postgres, name: str, size: int) -> bool:
    return await _connections(postgres, name) <= size


async def test_service__503_while_the_database_is_away_then_ready_again(sample_database):
    async with proxied(sample_database.app_url) as (proxy, url):
        app = create_app(build(settings_for(url)))
        issuer = Issuer.install(app)
        await proxy.down()
        async with running(app) as client:
            member = issuer.bearer("member")
            assert (await client.get("/readyz")).json()["database"] == "down"
            away = await client.get("/v1/notes", headers=member)
            assert (away.status_code, away.headers["retry-after"]) == (503, "2")
            await proxy.up()
            await until(lambda: _says(client, "ok"))
            assert (await client.get("/v1/notes", headers=member)).status_code == 200


async def test_service_on_an_unsafe_server__is_never_ready(sample_database):
    app = create_app(build(settings_for(sample_database.app_url, database_allow_unsafe=False)))
    async with running(app) as client:
        await until(lambda: _says(client, "unsafe"))
        assert (await client.get("/readyz")).status_code == 503


async def test_pool_exhausted_over_http__is_503(sample_database, postgres):
    app = create_app(
        build(settings_for(sample_database.app_url, database_pool_size=1, database_pool_timeout_seconds=0.2))
    )
    issuer = Issuer.install(app)
    async with running(app) as client:
        await until(lambda: _says(client, "ok"))
        busy = asyncio.create_task(client.get("/v1/slow", params={"seconds": 5}))
        await until(lambda: _busy(postgres, sample_database.name, 1))
        answer = await client.get("/v1/notes", headers=issuer.bearer("member"))
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert (await busy).status_code == 200
        assert (await client.get("/v1/notes", headers=issuer.bearer("member"))).status_code == 200


async def _says(client, database: str) -> bool:
    return (await client.get("/readyz")).json()["database"] == database
