"""`booking-ops access` on a broker that asks who comes and a real PostgreSQL: set right, passwords replaced."""

import asyncio
import gc
import io
import json

import psycopg
import pytest

from booking_contracts.acls import Acl, acls, change_acls, scram_users, wanted_acls
from booking_contracts.admin import create_topics
from booking_contracts.topics import CONTACTS, TRANSACTIONS
from booking_ops.access.privileges import TABLES
from booking_ops.cli import main
from booking_ops.deployment import SERVICES, Settings
from booking_process.broker import broker_state

# Each command has a loop of its own, which ends before the broker's farewell by TLS came: Python would warn of that.
pytestmark = [pytest.mark.servers, pytest.mark.filterwarnings("ignore::ResourceWarning")]
WORD, NEXT = "the-first-password", "the-second-password"


@pytest.fixture(autouse=True)
def farewells():
    yield
    gc.collect()


@pytest.fixture
def run(capfd, monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)

    def ran(*words, given=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        code = main(["access", *words])
        out, err = capfd.readouterr()
        return code, out.splitlines(), err.strip()

    return ran


@pytest.fixture
def broker(secured_kafka, run, monkeypatch):
    """The broker without any permission, which the environment names as its administrator does."""
    asyncio.run(_emptied(secured_kafka.admin))
    of = secured_kafka.admin.security
    told = {"BOOTSTRAP": secured_kafka.admin, "SECURITY_PROTOCOL": "SSL", "CA_FILE": of.ca_file}
    for name, value in {**told, "CERTIFICATE_FILE": of.certificate_file, "KEY_FILE": of.key_file}.items():
        monkeypatch.setenv(f"KAFKA_{name}", str(value))
    return secured_kafka


async def _emptied(address):
    await create_topics(address)
    await change_acls(address, remove=await acls(address))


def lines(found, sign):
    return [line.removeprefix(f"{sign} ") for line in found if line.startswith(f"{sign} ")]


def test_broker__gets_what_is_missing_and_loses_what_is_too_much(broker, run):
    wanted = wanted_acls()
    assert run("compare", "--only", "kafka")[1][-1] == f"kafka: {len(wanted)} differences"
    code, _, said = run("apply", "--only", "kafka")
    assert (code, said) == (2, f"Make these {len(wanted)} changes? Nobody can be asked here: give --yes.")
    assert asyncio.run(acls(broker.admin)) == frozenset(), "nothing was done"
    code, out, _ = run("apply", "--only", "kafka", "--yes")
    assert (code, out[-1]) == (0, f"{len(wanted)} changed, 0 left")
    assert asyncio.run(acls(broker.admin)) == wanted

    lost = Acl("User:checkout", "topic", TRANSACTIONS.name, "literal", "Write")
    too_much = [
        Acl("User:analytics", "topic", CONTACTS.name, "literal", "Read"),
        Acl("User:notifier", "topic", "somebody-elses", "literal", "Read"),
        Acl("User:checkout", "cluster", "kafka-cluster", "literal", "Alter"),
        Acl("User:checkout", "topic", TRANSACTIONS.name, "literal", "Read", allowed=False),
    ]
    foreign = [
        Acl("User:*", "topic", "*", "literal", "Describe"),
        Acl("User:somebody", "group", "notif", "prefixed", "Read"),
        Acl("User:somebody", "topic", "booking.", "prefixed", "Read"),
    ]
    elsewhere = Acl("User:somebody", "topic", "somebody-elses", "literal", "Read")
    asyncio.run(change_acls(broker.admin, add=[*too_much, *foreign, elsewhere], remove=[lost]))
    code, out, _ = run("compare", "--only", "kafka")
    assert (code, lines(out, "+")) == (1, [f"kafka: {lost.sentence}"])
    assert sorted(lines(out, "-")) == sorted(f"kafka: {one.sentence}" for one in too_much)
    assert sorted(lines(out, "?")) == sorted(f"kafka: {one.sentence}" for one in foreign)

    code, out, _ = run("apply", "--only", "kafka", "--yes")
    assert (code, out[-1]) == (1, "5 changed, 3 left"), "what is of others is theirs, and said"
    code, out, _ = run("apply", "--only", "kafka", "--yes", "--others")
    assert (code, out[-1]) == (0, "3 changed, 0 left")
    assert asyncio.run(acls(broker.admin)) == {*wanted, elsewhere}
    assert run("apply", "--only", "kafka")[:2] == (0, ["kafka: 0 differences", "0 changed, 0 left"]), "again is nothing"


def test_prefix__leaves_another_installations_permissions_alone(broker, run, monkeypatch):
    asyncio.run(change_acls(broker.admin, add=wanted_acls("us.")))
    monkeypatch.setenv("TOPIC_PREFIX", "eu.")
    assert run("apply", "--only", "kafka", "--yes")[0] == 0
    assert asyncio.run(acls(broker.admin)) == wanted_acls("us.") | wanted_acls("eu.")


def test_broker_without_authorizer__is_said(kafka, run, monkeypatch):
    monkeypatch.setenv("KAFKA_BOOTSTRAP", kafka.bootstrap)
    code, _, said = run("compare", "--only", "kafka")
    assert code == 2
    assert said.startswith("This broker has no authorizer: everybody may do everything there.")


def test_brokers_password__is_replaced_with_an_overlap(broker, run):
    def let_in(password, mechanism="SCRAM-SHA-512"):
        return str(asyncio.run(broker_state(broker.as_user("checkout", password, mechanism), [TRANSACTIONS.name], 30)))

    assert run("apply", "--only", "kafka", "--yes")[0] == 0
    assert run("password", "checkout", given="short\n")[0] == 2
    assert run("password", "checkout", given=f"{WORD}\n")[:2] == (0, ["checkout may log in by it"])
    assert let_in(WORD) == "ok"
    assert run("password", "checkout", "--mechanism", "SCRAM-SHA-256", given=f"{NEXT}\n")[0] == 0
    assert (let_in(WORD), let_in(NEXT, "SCRAM-SHA-256")) == ("ok", "ok"), "both are good"
    assert run("forget", "checkout", "--yes")[0] == 0
    assert (let_in(WORD), let_in(NEXT, "SCRAM-SHA-256")) == ("down", "ok")
    assert asyncio.run(scram_users(broker.admin))["checkout"] == {"SCRAM-SHA-256"}


@pytest.fixture
def databases(fresh_database, postgres, run, monkeypatch):
    """The four databases as migrations leave them, each named by an address that may make roles."""
    made = {service: fresh_database(service) for service in SERVICES}
    for service, one in made.items():
        monkeypatch.setenv(f"{service.upper()}_DATABASE_URL", postgres.admin_url.rsplit("/", 1)[0] + f"/{one.name}")
    yield made
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        for (role,) in admin.execute("SELECT rolname FROM pg_roles WHERE rolname ~ '^template_.*(_analytics|_b)$'"):
            for one in made.values():
                with psycopg.connect(_at(postgres.admin_url, one.name), autocommit=True) as there:
                    there.execute(f"DROP OWNED BY {role}")
            admin.execute(f"DROP ROLE {role}")


def _at(url, database):
    return url.rsplit("/", 1)[0] + f"/{database}"


ALL = [word for service in SERVICES for word in ("--only", service)]


def test_migrated_databases__are_as_told_but_for_everybodys_rights(databases, run):
    """Migrations grant what `privileges.py` tells, and what PostgreSQL gives everybody by itself goes."""
    code, out, _ = run("compare", *ALL)
    connect = [
        f"{service}: PUBLIC has {word} on database {databases[service].name}"
        for service in SERVICES
        for word in ("CONNECT", "TEMPORARY")
    ]
    assert sorted(lines(out, "-")) == sorted(connect)
    assert {line.partition(" has ")[2].partition(" on ")[0] for line in lines(out, "+")} == {"CONNECT", "TEMPORARY"}
    assert code == 1
    assert run("apply", *ALL, "--yes")[:1] == (0,)
    assert run("apply", *ALL)[1][-1] == "0 changed, 0 left"


def test_database__gets_what_is_missing_and_loses_what_is_too_much(databases, postgres, run):
    assert run("apply", "--only", "checkout", "--analytics", "--yes")[0] == 0
    one = databases["checkout"]
    app, analytics = (
        one.app_url.split("//")[1].split(":")[0].removesuffix("_app") + end for end in ("_app", "_analytics")
    )
    with psycopg.connect(_at(postgres.admin_url, one.name), autocommit=True) as admin:
        admin.execute(f"REVOKE INSERT ON events FROM {app}")
        admin.execute(f"GRANT UPDATE, DELETE ON events TO {app}")
        admin.execute(f"GRANT SELECT (email) ON person TO {analytics}")
        admin.execute(f"GRANT SELECT ON product TO {analytics} WITH GRANT OPTION")
        admin.execute("GRANT SELECT ON person TO PUBLIC")
        admin.execute(f"GRANT CREATE ON SCHEMA public TO {app}")
        admin.execute(f"ALTER ROLE {analytics} CREATEDB")
        admin.execute(f"GRANT pg_read_all_data TO {analytics}")
        admin.execute(f"CREATE ROLE {one.name}_stranger")
        admin.execute(f"GRANT SELECT ON person TO {one.name}_stranger")
    code, out, _ = run("compare", "--only", "checkout")
    assert code == 1
    assert sorted(lines(out, "+")) == [
        f"checkout: {analytics} has SELECT on table product",
        f"checkout: {app} has INSERT on table events",
    ]
    assert sorted(lines(out, "-")) == sorted(
        [
            f"checkout: {app} has UPDATE on table events",
            f"checkout: {app} has DELETE on table events",
            f"checkout: {app} has CREATE on schema public",
            f"checkout: {analytics} has SELECT on column person.email",
            f"checkout: {analytics} has SELECT on table product, to hand on",
            f"checkout: {analytics} is CREATEDB",
            f"checkout: {analytics} is MEMBER of pg_read_all_data",
            "checkout: PUBLIC has SELECT on table person",
        ]
    )
    assert lines(out, "?") == [f"checkout: {one.name}_stranger has SELECT on table person"]
    assert run("apply", "--only", "checkout", "--yes")[1][-1] == "10 changed, 1 left"
    assert run("apply", "--only", "checkout", "--yes", "--others")[0] == 0
    with psycopg.connect(_at(postgres.admin_url, one.name), autocommit=True) as admin:
        admin.execute(f"DROP ROLE {one.name}_stranger")
        admin.execute("CREATE TABLE of_a_newer_release (id int)")
    code, out, _ = run("apply", "--only", "checkout", "--yes")
    assert code == 1
    assert lines(out, "!") == [
        "checkout: nothing is told of the table of_a_newer_release: is this version older than its migrations?"
    ]


def test_owner__sets_its_own_tables_right(databases, run, monkeypatch):
    one = databases["notifier"]
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", one.owner_url)
    with psycopg.connect(one.owner_url, autocommit=True) as owner:
        owner.execute("GRANT DELETE ON notification TO PUBLIC")
    assert run("apply", "--only", "notifier", "--yes")[0] == 0
    code, _, said = run("apply", "--only", "notifier", "--yes", "--analytics")
    assert (code, "permission denied to create role" in said) == (2, True), said


def test_databases_password__is_replaced_with_an_overlap(databases, postgres, run, monkeypatch):
    """Of `checkout_app`, which here bears its template's name: the command is told so by the test alone."""
    one = databases["checkout"]
    stem = one.app_url.split("//")[1].split("_app:")[0]
    monkeypatch.setattr(
        "booking_ops.access.databases.Names.login",
        lambda _, name: f"{stem}_app" if name.startswith(f"{stem}_app") else None,
    )

    def counts(login, password):
        url = f"postgresql://{login}:{password}@127.0.0.1:{postgres.server.port}/{one.name}"
        try:
            with psycopg.connect(url) as conn:
                conn.execute("INSERT INTO unpaid (user_id, open) VALUES (gen_random_uuid(), 0)")
                return conn.execute("SELECT count(*) FROM unpaid").fetchone()[0] > 0
        except psycopg.OperationalError as refused:
            assert "password authentication failed" in str(refused)  # noqa: PT017
            return False

    assert run("apply", "--only", "checkout", "--yes")[0] == 0
    first = one.app_url.split(":")[2].split("@")[0]
    assert run("password", f"{stem}_app_b", given=f"{NEXT}\n")[0] == 0
    assert (counts(f"{stem}_app", first), counts(f"{stem}_app_b", NEXT)) == (True, True)
    assert run("compare", "--only", "checkout")[0] == 0, "a second login is none too many"
    try:
        assert run("forget", f"{stem}_app", "--yes")[0] == 0
        assert (counts(f"{stem}_app", first), counts(f"{stem}_app_b", NEXT)) == (False, True)
    finally:
        assert run("password", f"{stem}_app", given=f"{first}\n")[0] == 0
    assert counts(f"{stem}_app", first)


def test_show__tells_all_of_it(run):
    code, out, _ = run("show", "--json")
    told = json.loads("\n".join(out))
    assert code == 0
    assert sum(map(len, told["kafka"].values())) == len(wanted_acls())
    assert {service: set(of["app"]) for service, of in told["postgres"].items()} == {
        service: set(of.app) for service, of in TABLES.items()
    }
    assert len(run("show")[1]) > len(wanted_acls())
