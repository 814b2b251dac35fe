"""`booking up` on a PostgreSQL and a broker that the settings name: neither is started, changed or stopped."""

import json

import psycopg
import pytest
from deploy.local.tests.command import booking

from booking_local.servers.kafka import Kafka
from booking_local.servers.ports import free_port
from booking_local.servers.postgres import Postgres

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    postgres, kafka = Postgres(folder / "postgres").start(), Kafka(folder / "kafka").start()
    try:
        yield {"BOOKING_POSTGRES_URL": postgres.admin_url, "BOOKING_KAFKA_BOOTSTRAP": kafka.bootstrap}
    finally:
        kafka.stop()
        postgres.stop()


def test_given_servers__the_whole_system_runs_on_them_and_leaves_them_running(given, tmp_path):
    state = ["--state", str(tmp_path / "first")]
    done = booking("up", "--detach", *state, **given)
    assert done.returncode == 0, done.stderr
    try:
        endpoints = json.loads((tmp_path / "first" / "endpoints.json").read_text())
        assert endpoints["kafka"] == given["BOOKING_KAFKA_BOOTSTRAP"]
        names = {one["name"] for one in endpoints["processes"]}
        assert "checkout-all" in names
        assert not names & {"postgres", "kafka"}
        with psycopg.connect(endpoints["postgres"]["checkout"]) as store:
            assert store.execute("SELECT count(*) FROM events").fetchone() == (0,)
        assert booking("status", *state).returncode == 0
        refused = booking("up", "--detach", "--state", str(tmp_path / "second"), **given)
        assert refused.returncode == 1
        assert "has another password than this state folder knows" in refused.stderr
    finally:
        assert booking("down", *state).returncode == 0
    with psycopg.connect(given["BOOKING_POSTGRES_URL"]) as admin:
        assert admin.execute("SELECT count(*) FROM pg_database WHERE datname = 'consultation'").fetchone() == (1,)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("BOOKING_POSTGRES_URL", "localhost", "must look like postgresql://"),
        ("BOOKING_POSTGRES_URL", "postgresql://postgres:x@127.0.0.1:{closed}/postgres", "can't be used"),
        ("BOOKING_KAFKA_BOOTSTRAP", "localhost", "must look like host:9092"),
        ("BOOKING_KAFKA_BOOTSTRAP", "127.0.0.1:{closed}", "answers"),
    ],
)
def test_given_server_that_is_none__one_sentence_names_the_setting(name, value, says, tmp_path):
    done = booking("up", "--detach", "--state", str(tmp_path / "s"), **{name: value.format(closed=free_port())})
    assert done.returncode == 1
    assert name in done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_given_server_without_fsync__refused_with_the_reason(tmp_path):
    unsafe = Postgres(tmp_path / "unsafe", durable=False).start()
    try:
        state = str(tmp_path / "s")
        done = booking("up", "--detach", "--state", state, BOOKING_POSTGRES_URL=unsafe.admin_url)
    finally:
        unsafe.stop()
    assert done.returncode == 1
    assert "PostgreSQL runs with fsync=off" in done.stderr
    assert "{" not in done.stderr
