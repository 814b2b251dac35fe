"""A PostgreSQL behind TLS, as libpq finds it: who gets in, who doesn't, and what works through it."""

import os
import signal
import socket
import stat
import threading
import time

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from tests.rigs.waiting import until

from booking_local.servers.certificates import Certificates
from booking_local.servers.postgres import Postgres
from booking_local.servers.process import Server

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def secured(server_folder):
    certificates = Certificates(server_folder / "secured-postgres" / "certificates")
    certificates.make()
    server = Postgres(server_folder / "secured-postgres", durable=False, certificates=certificates).start()
    yield server
    server.stop()


@pytest.mark.parametrize("how", [{}, {"sslnegotiation": "direct"}, {"gssencmode": "prefer"}, {"sslmode": "prefer"}])
def test_login__is_by_tls_however_libpq_asks_for_it(secured, how):
    with psycopg.connect(secured.url(), **how) as conn:
        (came,) = conn.execute("SELECT client_port FROM pg_stat_activity WHERE pid = pg_backend_pid()")
        assert (conn.pgconn.ssl_in_use, came) == (True, (-1,)), "and to the server by its Unix socket"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (
            {"sslmode": "disable"},
            r'FATAL: +no pg_hba\.conf entry .*user "postgres", database "postgres", no encryption',
        ),
        ({"sslrootcert": "system"}, "certificate verify failed"),
        ({"password": "guessed"}, "password authentication failed"),
        ({"channel_binding": "require"}, "channel binding"),
        ({"host": "localhost", "hostaddr": "127.0.0.1", "sslrootcert": "another"}, "certificate verify failed"),
    ],
)
def test_login__is_refused_in_a_sentence(secured, how, said, tmp_path):
    if how.get("sslrootcert") == "another":
        another = Certificates(tmp_path)
        another.make()
        how = {**how, "sslrootcert": str(another.ca)}
    with pytest.raises(psycopg.OperationalError, match=said):
        psycopg.connect(secured.url(), **how)


def test_server__has_no_port_and_a_socket_for_its_own_user_alone(secured):
    with psycopg.connect(secured.url()) as conn:
        assert conn.execute("SHOW listen_addresses").fetchone() == ("",)
    (path,) = (one for one in (secured.folder / "socket").iterdir() if stat.S_ISSOCK(one.stat().st_mode))
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o700, 0o700)


def test_cancelling__reaches_the_server(secured):
    with psycopg.connect(secured.url(), autocommit=True) as conn:
        asked = threading.Timer(0.3, lambda: conn.cancel_safe(timeout=20))
        asked.start()
        began = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled):
            conn.execute("SELECT pg_sleep(60)")
        assert time.monotonic() - began < 30
        asked.join()


def test_farewell__is_the_servers_own(secured):
    with psycopg.connect(secured.url(), autocommit=True) as conn, psycopg.connect(secured.url()) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [conn.info.backend_pid])
        with pytest.raises(psycopg.errors.AdminShutdown):
            conn.execute("SELECT 1")


def test_copying__carries_much_both_ways(secured):
    rows = [(number, "x" * 2000) for number in range(20_000)]
    with psycopg.connect(secured.url()) as conn:
        conn.execute("CREATE TEMPORARY TABLE much (number int, text text)")
        with conn.cursor() as cursor:
            with cursor.copy("COPY much FROM STDIN") as copying:
                for row in rows:
                    copying.write_row(row)
            with cursor.copy("COPY much TO STDOUT") as copying:
                assert sum(1 for _ in copying.rows()) == len(rows)


async def test_client_that_is_gone__frees_its_backend(secured):
    """As one that was killed: nobody said farewell."""

    def left():
        asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gone'"
        with psycopg.connect(secured.url()) as conn:
            (count,) = conn.execute(asked).fetchone() or (-1,)
            return count

    conn = psycopg.connect(make_conninfo(secured.url(), application_name="gone"))
    assert left() == 1
    with socket.socket(fileno=os.dup(conn.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
    await until(lambda: left() == 0, "the backend's end")
    conn.close()


async def test_restarted_server__is_found_again_and_said_to_be_away_meanwhile(secured):
    secured._process.send_signal(signal.SIGQUIT)
    secured._process.wait()

    def said():
        try:
            psycopg.connect(secured.url(), connect_timeout=5).close()
        except psycopg.OperationalError as refused:
            return str(refused)
        return ""

    await until(lambda: "the PostgreSQL behind this address does not answer" in said(), "the sentence")
    Server.launch(secured)  # the server alone, as a supervisor does
    await until(secured.is_ready, "the server again", 30)
