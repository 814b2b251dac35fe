"""DATABASE_URL through a pooler in transaction mode, DATABASE_DIRECT_URL past it: nothing relies on a session."""

import asyncio

import psycopg
import pytest
from psycopg import sql
from shared.web.tests.conftest import running, settings_for
from shared.web.tests.sample.app import build
from tests.rigs.pooler import pooled

from booking_outbox._lead import connect_leader
from booking_postgres import Prepared
from booking_process.database import Database, DatabaseDownError, UnsafeDatabaseError
from booking_process.settings import ServiceSettings
from booking_web.application import create_app
from booking_web.testing import Issuer

pytestmark = pytest.mark.servers
SESSION = {
    "statement_timeout": "10000",
    "lock_timeout": "5000",
    "idle_in_transaction_session_timeout": "15000",
    "timezone": "UTC",
    "jit": "off",
    "enable_seqscan": "off",
}


@pytest.fixture
def settled(sample_database, postgres):
    """The sample's database, whose role has the settings that a pooler needs."""
    role = sample_database.app_url.split("//")[1].split(":")[0]
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        for name, value in SESSION.items():
            words = sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} = {}")
            names = (sql.Identifier(one) for one in (role, sample_database.name, name))
            admin.execute(words.format(*names, sql.Literal(value)))
    return sample_database


async def test_settings_that_a_pooler_does_not_take__are_the_roles_and_asked_for(sample_database):
    async with pooled(sample_database.app_url) as pooler:
        database = Database(pooler.url, direct_url=sample_database.app_url)
        with pytest.raises(UnsafeDatabaseError) as refused:
            await database.assert_session()
        role = sample_database.app_url.split("//")[1].split(":")[0]
        assert f"ALTER ROLE {role} SET enable_seqscan = 'off'; " in str(refused.value)
        assert f"ALTER ROLE {role} SET statement_timeout = '10000'" in str(refused.value)
        await database.close()
        assert pooler.refused == []


async def test_url_of_a_pooler_alone__is_refused_by_it(sample_database):
    """Without DATABASE_DIRECT_URL a program takes it for PostgreSQL and gives its connections their settings."""
    async with pooled(sample_database.app_url) as pooler:
        database = Database(pooler.url)
        with pytest.raises(DatabaseDownError):
            await database.ping()
        assert pooler.refused == ["unsupported startup parameter: options"]


async def test_statements__are_prepared_by_nobody_and_work_on_whatever_session(settled):
    adding = Prepared("INSERT INTO note (id, owner, text) VALUES ($1::uuid, $1::uuid, $2::text) RETURNING text")
    async with pooled(settled.app_url) as pooler:
        database = Database(pooler.url, direct_url=settled.app_url, pool_size=4)
        await database.assert_session()

        async def one(number: int) -> None:
            async with database.autocommit() as conn:
                for turn in range(12):  # psycopg prepares by itself what it runs more than five times
                    found = await (await conn.execute("SELECT %s::int + 1", [turn])).fetchone()
                    assert found == (turn + 1,)
                said = await adding.run(conn, [f"00000000-0000-7000-8000-{number:012d}", f"note {number}"])
                assert said.get_value(0, 0) == f"note {number}".encode()
            async with database.transaction() as conn:
                await conn.execute("SET LOCAL lock_timeout = '1s'")
                await adding.run(conn, [f"00000000-0000-7000-8001-{number:012d}", "in a transaction"])
                found = await (await conn.execute("SHOW lock_timeout")).fetchone()
                assert found == ("1s",)

        await asyncio.gather(*(one(number) for number in range(8)))
        async with database.autocommit() as conn:
            assert await (await conn.execute("SELECT count(*) FROM note")).fetchone() == (16,)
            prepared = await (await conn.execute("SELECT count(*) FROM pg_prepared_statements")).fetchone()
            assert prepared == (0,)
        await database.close()
        assert pooler.transactions > 100


async def _given_up(database):
    async with database.transaction() as conn:
        await conn.execute("INSERT INTO note (id, owner, text) SELECT id, id, 'gone' FROM gen_random_uuid() id")
        raise ZeroDivisionError


async def test_rolled_back_and_failed__the_next_one_is_whole(settled):
    async with pooled(settled.app_url) as pooler:
        database = Database(pooler.url, direct_url=settled.app_url, pool_size=2)
        for _ in range(4):
            with pytest.raises(psycopg.errors.DivisionByZero):
                async with database.transaction() as conn:
                    await conn.execute("SELECT 1/0")
            with pytest.raises(ZeroDivisionError):
                await _given_up(database)
        async with database.autocommit() as conn:
            assert await (await conn.execute("SELECT count(*) FROM note")).fetchone() == (0,)
        await database.close()


async def test_service__answers_through_it(settled):
    async with pooled(settled.app_url) as pooler:
        settings = settings_for(pooler.url, database_direct_url=settled.app_url)
        app = create_app(build(settings))
        issuer = Issuer.install(app)
        async with running(app) as client:
            async with asyncio.timeout(60):
                while (await client.get("/v1/raw/a")).status_code != 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        assert issuer
        assert pooler.refused == []


def _behind_a_dead_one(url):
    before, _, after = url.rpartition("@")
    host, _, name = after.partition("/")
    return f"{before}@127.0.0.1:1,{host}/{name}"


async def test_several_hosts__each_address_finds_the_one_that_answers(settled):
    async with pooled(settled.app_url) as pooler:
        direct = f"{_behind_a_dead_one(settled.app_url)}?target_session_attrs=read-write"
        database = Database(_behind_a_dead_one(pooler.url), direct_url=direct)
        await database.assert_session()
        await database.close()
        leader = await connect_leader(database.direct_url, by_index=True)
        found = await (await leader.execute("SELECT pg_try_advisory_lock(7)")).fetchone()
        assert found == (True,)
        await leader.close()


def test_direct_address__is_the_pooled_one_where_none_is_given():
    settings = ServiceSettings.documented()
    assert settings.direct_url == settings.database_url
    direct = settings.model_copy(update={"database_direct_url": "postgresql://direct/x"})
    assert direct.direct_url == "postgresql://direct/x"
