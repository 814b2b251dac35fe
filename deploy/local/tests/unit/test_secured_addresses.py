"""The addresses of a stack that is up with `--secure`: TLS everywhere, whose server is checked by the stack's CA."""

import json

import pytest
from psycopg.conninfo import conninfo_to_dict

from booking_local.commands import operator
from booking_local.failure import Failure
from booking_local.layout import Layout, replace_private
from booking_local.stack import programs
from booking_local.stack.control import Progress
from booking_local.stack.external import External
from booking_local.stack.supervisor import Supervisor


@pytest.fixture
def stack(tmp_path, monkeypatch):
    for name in ("BOOKING_POSTGRES_URL", "BOOKING_KAFKA_BOOTSTRAP"):
        monkeypatch.delenv(name, raising=False)
    layout = Layout(tmp_path / "of somebody@home")  # libpq reads a URI's `@` and blanks in its own way
    layout.make()
    made = Supervisor(layout, Progress(), port_base=None, modes=("all",), secure=True).stack
    replace_private(layout.endpoints, json.dumps(programs.endpoints(made, {}, [])))
    return made


def _databases(settings):
    return {name: url for name, url in settings.items() if str(url).startswith("postgresql://")}


def test_each_database__is_reached_by_tls_and_its_server_is_checked(stack):
    every = [programs.service_settings(stack, name, migrating=True) for name in programs.MODULES]
    every += [program(stack).command.env for program in (programs.gateway, lambda of: programs.observe(of, ["all"]))]
    every += [programs.standin(stack, name).command.env for name in programs.STANDINS]
    every += [operator.settings(stack.layout, command) for command in ("audit", "access")]
    every += [json.loads(stack.layout.endpoints.read_text())["postgres"]]
    found = [conninfo_to_dict(url) for settings in every for url in _databases(settings).values()]
    assert len(found) == 4 * (2 + 2 + 1)
    assert {(one["sslmode"], one["sslrootcert"]) for one in found} == {("verify-full", str(stack.ca))}
    assert {(one["host"], one["port"]) for one in found} == {("127.0.0.1", str(stack.ports["postgres"]))}


@pytest.mark.parametrize("parameters", ["", "?sslmode=require", "?sslmode=verify-full&sslmode=disable"])
def test_given_postgresql_without_checked_tls__makes_no_secure_stack(parameters):
    with pytest.raises(Failure, match=r"BOOKING_POSTGRES_URL must end with \?sslmode=verify-full"):
        External(postgres_url=f"postgresql://postgres:x@one/postgres{parameters}").check_secured()


def test_given_servers__are_told_apart_in_a_secure_stack():
    External(postgres_url="postgresql://postgres:x@one/postgres?sslmode=verify-full&sslrootcert=x").check_secured()
    with pytest.raises(Failure, match="BOOKING_KAFKA_BOOTSTRAP names another"):
        External(kafka="one:9092").check_secured()
