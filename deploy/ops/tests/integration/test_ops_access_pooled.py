"""`booking-ops access --pooled`: what a role must have set where its programs come through a pooler."""

import asyncio
import json

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from booking_ops.cli import main
from booking_ops.deployment import Settings
from booking_process.database import Database, UnsafeDatabaseError, session_settings
from booking_process.settings import ServiceSettings

pytestmark = pytest.mark.servers


@pytest.fixture
def run(capfd, monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)

    def ran(*words):
        code = main(["access", *words])
        out, err = capfd.readouterr()
        return code, out.splitlines(), err.strip()

    return ran


@pytest.fixture
def checkout(fresh_database, postgres, run, monkeypatch):
    """Its database with the privileges that are told, and a second login, named as who makes roles comes to it."""
    one = fresh_database("checkout")
    admin_url = make_conninfo(postgres.admin_url, dbname=one.name)
    monkeypatch.setenv("CHECKOUT_DATABASE_URL", postgres.admin_url.rsplit("/", 1)[0] + f"/{one.name}")
    assert run("apply", "--only", "checkout", "--yes")[0] == 0
    _execute(admin_url, one, "CREATE ROLE {second} LOGIN IN ROLE {app}")
    yield one, admin_url
    _execute(admin_url, one, "DROP ROLE {second}")
    for words in ("ALTER ROLE {app} RESET ALL", "ALTER ROLE {app} IN DATABASE {database} RESET ALL"):
        _execute(admin_url, one, words)


def _app(one):
    return str(conninfo_to_dict(one.app_url)["user"])


def _execute(admin_url, one, words):
    names = {"app": _app(one), "second": f"{_app(one)}_b", "database": one.name}
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL(words).format(**{name: sql.Identifier(value) for name, value in names.items()}))


async def _asks_for_settings(one):
    """As a program does whose DATABASE_URL is a pooler's: the sentence that it would end with, or nothing."""
    database = Database(one.app_url, direct_url=f"{one.app_url}?connect_timeout=9", statement_timeout=10)
    try:
        await database.assert_session()
    except UnsafeDatabaseError as refused:
        return str(refused)
    finally:
        await database.close()
    return ""


def _missing(out):
    return sorted(line.removeprefix("+ checkout: ") for line in out if line.startswith("+ "))


def test_settings_that_a_pooler_needs__are_given_to_each_login(checkout, run):
    one, admin_url = checkout
    assert run("compare", "--only", "checkout")[0] == 0, "nobody needs them where no pooler is"
    for words in (
        "ALTER ROLE {app} SET lock_timeout = '5s'",  # PostgreSQL's 5000, in other words
        "ALTER ROLE {app} SET jit = 'on'",
        "ALTER DATABASE {database} SET timezone = 'Asia/Jakarta'",
        "ALTER ROLE {app} SET statement_timeout = 10000",
        "ALTER ROLE {app} IN DATABASE {database} SET statement_timeout = 1000",  # which counts
    ):
        _execute(admin_url, one, words)
    assert "ALTER ROLE" in asyncio.run(_asks_for_settings(one))
    wanted = session_settings(10)
    logins = (_app(one), f"{_app(one)}_b")
    code, out, _ = run("compare", "--only", "checkout", "--pooled")
    assert (code, _missing(out)) == (
        1,
        sorted(
            f"{login} has {name} = {value}"
            for login in logins
            for name, value in wanted.items()
            if (login, name) != (logins[0], "lock_timeout")
        ),
    )
    code, out, _ = run("apply", "--only", "checkout", "--pooled", "--yes")
    assert (code, out[-1]) == (0, f"{2 * len(wanted) - 1} changed, 0 left")
    assert asyncio.run(_asks_for_settings(one)) == ""
    out = run("compare", "--only", "checkout", "--pooled", "--statement-timeout", "20")[1]
    assert _missing(out) == [f"{login} has statement_timeout = 20000" for login in logins]


def test_settings_that_a_pooler_needs__are_not_the_owners_to_give(checkout, run, monkeypatch):
    monkeypatch.setenv("CHECKOUT_DATABASE_URL", checkout[0].owner_url)
    code, _, said = run("apply", "--only", "checkout", "--pooled", "--yes")
    assert (code, "permission denied to alter role" in said) == (2, True), said


def test_show__tells_what_services_ask_for_by_default(run):
    told = json.loads("\n".join(run("show", "--json")[1]))
    assert told["pooled"] == session_settings(ServiceSettings.documented().database_statement_timeout_seconds)
    assert "checkout_app has jit = off, where a pooler is used" in run("show")[1]
