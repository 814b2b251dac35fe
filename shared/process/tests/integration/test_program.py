"""The program of a service, as a process: its commands, its complaints, its stop (F29, F30)."""

import asyncio
import base64
import dataclasses
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import IO
from uuid import uuid4

import httpx2
import psycopg
import pytest
from shared.process.tests.proxy import proxied
from shared.web.tests.conftest import SAMPLE
from tests.plugins.servers import Databases

from booking_contracts.admin import create_topics
from booking_contracts.topics import SESSIONS, TOPICS
from booking_local.servers.ports import free_port
from booking_process import migrations
from booking_web.testing import Issuer

pytestmark = pytest.mark.servers
PROGRAM = [sys.executable, "-m", "shared.web.tests.sample"]


def _environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "PYTHONPATH"}}
    return {
        **kept,
        "KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "JWT_ISSUER": "https://identity.example",
        "JWT_JWKS_URL": "https://127.0.0.1:1/jwks.json",
        "DATABASE_ALLOW_UNSAFE": "true",
        "SHUTDOWN_DRAIN_SECONDS": "0",
        "PYTHONDONTWRITEBYTECODE": "",
        **variables,
    }


def _run(command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, command], env=_environment(**variables), capture_output=True, text=True, check=False, timeout=60
    )


@dataclass
class Running:
    """A started program."""

    process: asyncio.subprocess.Process
    url: str
    log: IO[bytes]

    async def first_answer(self, client: httpx2.AsyncClient) -> httpx2.Response:
        """What /readyz says as soon as anything listens."""
        async with asyncio.timeout(60):
            while True:
                try:
                    return await client.get(f"{self.url}/readyz")
                except httpx2.TransportError:
                    assert self.process.returncode is None, await self.output()
                    await asyncio.sleep(0.02)

    async def until_ready(self, client: httpx2.AsyncClient) -> None:
        async with asyncio.timeout(60):
            while (await self.first_answer(client)).status_code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def until_serving(self, client: httpx2.AsyncClient) -> None:
        """Where there is no Kafka, and no need of one."""
        async with asyncio.timeout(60):
            while (await self.first_answer(client)).json()["database"] != "ok":  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def stopped(self, sig: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(sig)
        return await asyncio.wait_for(self.process.wait(), 60)

    async def output(self) -> str:
        return os.pread(self.log.fileno(), os.fstat(self.log.fileno()).st_size, 0).decode()


@asynccontextmanager
async def started(mode: str, url: str, **variables: str) -> AsyncIterator[Running]:
    port = free_port()
    # A file, no pipe: one that nobody reads while it fills keeps the process from its end.
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(
            *PROGRAM,
            mode,
            env=_environment(DATABASE_URL=url, HTTP_PORT=str(port), **variables),
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            yield Running(process, f"http://127.0.0.1:{port}", log)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


SLOW_MACHINE = 6.0
"""What starting and ending a process may take beside the budget, in seconds."""


async def until_asked(database: Databases, statement: str) -> None:
    """Until the service has sent such a statement on a connection that is still open."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND query LIKE %s AND pid <> pg_backend_pid()"
    async with await psycopg.AsyncConnection.connect(database.app_url, autocommit=True) as conn, asyncio.timeout(30):
        while True:
            found = await (await conn.execute(query, [database.name, f"%{statement}%"])).fetchone()
            if found and found[0]:
                return
            await asyncio.sleep(0.02)


@contextmanager
def published(issuer: Issuer) -> Iterator[str]:
    """The address of the issuer's key set."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(issuer.jwks())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Tests print enough."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/jwks.json"
        server.shutdown()


def test_setting_missing__one_sentence_names_it():
    done = _run("api")
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("DATABASE_URL is not set; set it to the PostgreSQL address of the run-time role, ")


def test_misuse__is_told():
    done = _run("dance")
    assert (done.returncode, done.stderr.partition(":")[0]) == (2, "usage")


def test_migrate__without_an_owner_says_so():
    done = _run("migrate", DATABASE_URL="postgresql://app@127.0.0.1:1/x")
    assert (done.returncode, done.stderr.split(" is ")[0]) == (1, "DATABASE_OWNER_URL")


def test_openapi__needs_no_server_and_is_the_same_each_time():
    first, second = _run("openapi"), _run("openapi", PLATFORM_TIMEZONE="Europe/Berlin", PYTHONHASHSEED="7")
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    document = json.loads(first.stdout)
    assert document["openapi"] == "3.1.0"
    assert "itemSchema" not in first.stdout
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    write = document["paths"]["/v1/notes"]["post"]
    assert write["security"] == [{"bearer": []}]
    assert {"201", "400", "401", "403", "409", "413", "415", "422", "429", "503"} <= write["responses"].keys()
    assert "HTTPValidationError" not in first.stdout
    assert "/healthz" not in document["paths"]


def test_migrations__run_once_however_many_start_them(postgres):
    databases = postgres.create_database()
    try:
        command = [*PROGRAM, "migrate"]
        environment = _environment(DATABASE_URL=databases.app_url, DATABASE_OWNER_URL=databases.owner_url)
        running = [
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            for _ in range(3)
        ]
        output = b"".join(process.communicate(timeout=60)[0] for process in running)
        assert [process.returncode for process in running] == [0, 0, 0]
        assert output.count(b"Running upgrade") == 1, output
        with psycopg.connect(databases.app_url) as app:
            assert app.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
            assert app.execute("SELECT count(*) FROM idempotency").fetchone() == (0,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute("UPDATE alembic_version SET version_num = 'x'")
        with psycopg.connect(databases.app_url) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("DROP TABLE note")
        migrations.downgrade(databases.owner_url, SAMPLE, "base")
        migrations.upgrade(databases.owner_url, SAMPLE)
    finally:
        postgres.drop_database(databases)


async def test_api__serves_and_stops_within_its_grace_though_a_stream_is_open(sample_database):
    async with (
        started("api", sample_database.app_url, LOG_LEVEL="debug") as program,
        httpx2.AsyncClient(timeout=30) as client,
    ):
        await program.until_serving(client)
        async with client.stream("GET", f"{program.url}/v1/stream") as stream:
            async for line in stream.aiter_lines():
                if "number" in line:
                    break
            slow = asyncio.create_task(client.get(f"{program.url}/v1/slow", params={"seconds": 0.5}))
            await until_asked(sample_database, "pg_sleep")
            began = time.monotonic()
            code = await program.stopped()
            assert time.monotonic() - began < 15  # SHUTDOWN_GRACE_SECONDS
        assert (await slow).status_code == 200
        assert code == 0
        lines = [json.loads(line) for line in (await program.output()).splitlines()]
        assert {"started", "stopped"} <= {line["event"] for line in lines}
        assert {line["service"] for line in lines if "service" in line} == {"sample-api"}


async def test_stop__not_ready_at_once_and_requests_are_taken_until_the_drain_is_over(sample_database):
    """The listener closed at once, and a balancer that had not noticed yet got refusals."""
    async with (
        started("api", sample_database.app_url, SHUTDOWN_DRAIN_SECONDS="2") as program,
        httpx2.AsyncClient(timeout=30) as client,
    ):
        await program.until_serving(client)
        program.process.send_signal(signal.SIGTERM)
        states: list[str] = []
        with suppress(httpx2.ConnectError):
            while True:
                answer = await client.get(f"{program.url}/readyz")
                states.append(answer.json().get("process", "runs"))
                if states[-1] == "stopping":
                    assert answer.status_code == 503
                    assert answer.headers["connection"] == "close"
                    assert (await client.get(f"{program.url}/v1/context")).status_code == 200
                await asyncio.sleep(0.05)
        assert "stopping" in states
        assert await asyncio.wait_for(program.process.wait(), 60) == 0


async def test_stop__who_waits_for_a_version_gets_an_honest_answer(sample_database):
    """It was a 500."""
    issuer = Issuer(issuer="https://identity.example")
    with published(issuer) as jwks:
        variables = {"JWT_JWKS_URL": jwks, "JWT_ALLOW_HTTP": "true"}
        async with (
            started("api", sample_database.app_url, **variables) as program,
            httpx2.AsyncClient(timeout=30) as client,
        ):
            await program.until_serving(client)
            token = base64.urlsafe_b64encode(f"checkout:transaction:{uuid4()}:1".encode()).decode().rstrip("=")
            waiting = asyncio.create_task(
                client.get(
                    f"{program.url}/v1/notes/{uuid4()}",
                    params={"wait": 10},
                    headers=issuer.bearer("member") | {"Consistency-Token": token},
                    timeout=30,
                )
            )
            await until_asked(sample_database, "FROM inbox")
            assert await program.stopped() == 0
            answer = await waiting
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "retry-after" in answer.headers
    assert "is stopping" in answer.json()["detail"]


async def test_stop__what_cannot_end_in_time_gets_503_too(sample_database):
    variables = {"SHUTDOWN_GRACE_SECONDS": "3"}
    async with (
        started("api", sample_database.app_url, **variables) as program,
        httpx2.AsyncClient(timeout=30) as client,
    ):
        await program.until_serving(client)
        slow = asyncio.create_task(
            client.get(f"{program.url}/v1/slow", params={"seconds": 60}, timeout=httpx2.Timeout(30))
        )
        await until_asked(sample_database, "pg_sleep")
        began = time.monotonic()
        assert await program.stopped() == 0
        assert time.monotonic() - began < 3 + SLOW_MACHINE
        answer = await slow
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


async def test_stop__a_collector_that_does_not_answer_holds_nothing(sample_database):
    """10.4 s, and compose kills at 10."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "SHUTDOWN_GRACE_SECONDS": "4"}
        async with (
            started("all", sample_database.app_url, **variables) as program,
            httpx2.AsyncClient(timeout=30) as client,
        ):
            await program.until_serving(client)
            await client.get(f"{program.url}/v1/context")
            began = time.monotonic()
            assert await program.stopped() == 0
            assert time.monotonic() - began < 4 + SLOW_MACHINE


class Balancer:
    """As simple as can be: asks /readyz ten times a second, sends to those that said 200, tries nothing twice."""

    def __init__(self, copies: list[Running], client: httpx2.AsyncClient) -> None:
        self.copies, self._client = copies, client
        self.ready: set[str] = set()
        self.counts: Counter[str] = Counter()

    async def until_ready(self, *urls: str) -> None:
        async with asyncio.timeout(60):
            while not self.ready.issuperset(urls):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def look(self) -> None:
        while True:
            for url in {copy.url for copy in self.copies}:
                try:
                    answers = (await self._client.get(f"{url}/readyz")).status_code == 200
                except httpx2.HTTPError:
                    answers = False
                (self.ready.add if answers else self.ready.discard)(url)
            await asyncio.sleep(0.1)

    async def send(self, number: int) -> None:
        async with httpx2.AsyncClient(timeout=30) as mine:
            while True:
                url = sorted(self.ready)[number % len(self.ready)]
                number += 1
                try:
                    self.counts[str((await mine.get(f"{url}/v1/raw/a")).status_code)] += 1
                except httpx2.HTTPError as broken:
                    self.counts[type(broken).__name__] += 1
                await asyncio.sleep(0.005)


async def test_rolling_restart_of_two_copies__nobody_is_refused(sample_database, kafka):
    """10 of 592 were."""
    variables = {"SHUTDOWN_DRAIN_SECONDS": "4", "KAFKA_BOOTSTRAP": kafka.bootstrap}
    async with (
        started("api", sample_database.app_url, **variables) as one,
        started("api", sample_database.app_url, **variables) as two,
        httpx2.AsyncClient(timeout=30) as client,
        AsyncExitStack() as again,
    ):
        balancer = Balancer([one, two], client)
        tasks = [asyncio.create_task(balancer.look())]
        await balancer.until_ready(one.url, two.url)
        tasks += [asyncio.create_task(balancer.send(number)) for number in range(4)]
        for place in (0, 1):
            assert await balancer.copies[place].stopped() == 0
            balancer.copies[place] = await again.enter_async_context(
                started("api", sample_database.app_url, **variables)
            )
            await balancer.until_ready(balancer.copies[place].url)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert set(balancer.counts) == {"200"}, balancer.counts
    assert balancer.counts["200"] > 100


async def test_api__an_error_is_logged_without_its_message(sample_database):
    async with started("api", sample_database.app_url) as program, httpx2.AsyncClient(timeout=30) as client:
        await program.until_serving(client)
        assert (await client.get(f"{program.url}/v1/boom")).status_code == 500
        await client.get(f"{program.url}/calendar/feeds/s3cr3t.ics")
        await program.stopped(signal.SIGINT)
        output = await program.output()
        (logged,) = [json.loads(line) for line in output.splitlines() if "unhandled_error" in line]
        assert logged["error"] == "builtins.RuntimeError"
        assert any("boom" in place for place in logged["where"])
        for secret in ("hunter2", "canary", "s3cr3t"):
            assert secret not in output


async def test_started_before_its_database__becomes_ready_alone():
    async with (
        started("api", "postgresql://nobody@127.0.0.1:1/none") as program,
        httpx2.AsyncClient(timeout=30) as client,
    ):
        answer = await program.first_answer(client)
        assert (answer.status_code, answer.json()["database"]) == (503, "down")
        assert (await client.get(f"{program.url}/healthz")).status_code == 200
        assert await program.stopped() == 0


async def test_unsafe_database__ends_the_process_with_1(sample_database):
    async with started("api", sample_database.app_url, DATABASE_ALLOW_UNSAFE="false") as program:
        assert await asyncio.wait_for(program.process.wait(), 60) == 1
        output = await program.output()
    assert "fsync=off" in output
    assert "then start again" in output


async def test_worker__serves_health_and_no_routes(sample_database, kafka):
    prefix = kafka.prefix()
    settings = {"KAFKA_BOOTSTRAP": kafka.bootstrap, "TOPIC_PREFIX": prefix}
    async with (
        started("worker", sample_database.app_url, **settings) as program,
        httpx2.AsyncClient(timeout=30) as client,
    ):
        answer = await program.first_answer(client)
        assert (answer.status_code, answer.json()["kafka"]) == (503, f"{len(TOPICS)} topics missing")
        kafka.create_topics(prefix)
        await program.until_ready(client)
        assert (await client.get(f"{program.url}/readyz")).json()["kafka"] == "ok"
        assert (await client.get(f"{program.url}/v1/context")).status_code == 404
        assert "booking_worker_backlog" in (await client.get(f"{program.url}/metrics")).text
        assert await program.stopped() == 0


@pytest.mark.parametrize(
    ("differs", "says"),
    [
        ({"partitions": 1}, "has 1 partitions, not 6"),
        ({"config": {**SESSIONS.config, "retention.ms": "604800000"}}, "has retention.ms=604800000, not -1"),
        (
            {"config": {}},
            "has message.timestamp.after.max.ms=3600000, not 9223372036854775807",
        ),  # made by a broker of 6 partitions
    ],
)
async def test_topic_that_a_broker_made_or_that_expires__ends_a_worker_with_1(sample_database, kafka, differs, says):
    prefix = kafka.prefix()
    await create_topics(kafka.bootstrap, prefix, topics=[dataclasses.replace(SESSIONS, **differs)])
    settings = {"KAFKA_BOOTSTRAP": kafka.bootstrap, "TOPIC_PREFIX": prefix}
    async with started("worker", sample_database.app_url, **settings) as program:
        assert await asyncio.wait_for(program.process.wait(), 60) == 1
        output = await program.output()
    assert says in output
    assert "then start again" in output


@pytest.mark.parametrize("mode", ["worker", "all"])
async def test_unsafe_topics__it_is_not_ready_for_a_moment_either(sample_database, kafka, mode):
    """Who starts a release waits for the first 200, and takes the old copy away."""
    prefix = kafka.prefix()
    expiring = dataclasses.replace(SESSIONS, config={**SESSIONS.config, "retention.ms": "604800000"})
    topics = [expiring if topic is SESSIONS else topic for topic in TOPICS]
    await create_topics(kafka.bootstrap, prefix, topics=topics)
    settings = {"KAFKA_BOOTSTRAP": kafka.bootstrap, "TOPIC_PREFIX": prefix}
    async with started(mode, sample_database.app_url, **settings) as program, httpx2.AsyncClient(timeout=30) as client:
        said = [await program.first_answer(client)]
        while program.process.returncode is None:
            with suppress(httpx2.TransportError):
                said.append(await client.get(f"{program.url}/readyz"))
            await asyncio.sleep(0.01)
    assert {answer.status_code for answer in said} == {503}
    assert "not checked yet" in {answer.json()["kafka"] for answer in said}


async def test_broker_never_reached__nobody_is_ready_and_the_reason_is_told(sample_database):
    """A wrong KAFKA_BOOTSTRAP came up ready. Calls are taken all the same."""
    for mode in ("worker", "api", "all"):
        async with started(mode, sample_database.app_url) as program, httpx2.AsyncClient(timeout=30) as client:
            await program.until_serving(client)
            answer = await client.get(f"{program.url}/readyz")
            assert (answer.status_code, answer.json()["kafka"]) == (503, "never reached")
            if mode != "worker":
                assert (await client.get(f"{program.url}/v1/context")).status_code == 200
            assert await program.stopped() == 0
            (told,) = [line for line in (await program.output()).splitlines() if "kafka_never_reached" in line]
            assert "127.0.0.1:1: " in json.loads(told)["why"]


async def test_broker_down_after_it_was_there__a_worker_is_not_ready_but_an_api_is(sample_database, kafka):
    prefix = kafka.prefix()
    kafka.create_topics(prefix)
    async with proxied(f"kafka://{kafka.bootstrap}") as (proxy, url):
        address = url.removeprefix("kafka://")
        for mode, status in (("worker", 503), ("api", 200), ("all", 200)):
            await proxy.up()
            variables = {"KAFKA_BOOTSTRAP": address, "TOPIC_PREFIX": prefix}
            async with (
                started(mode, sample_database.app_url, **variables) as program,
                httpx2.AsyncClient(timeout=30) as client,
            ):
                await program.until_ready(client)
                await proxy.down()
                answer = await client.get(f"{program.url}/readyz")
                assert (mode, answer.status_code, answer.json()["kafka"]) == (mode, status, "down")
                assert await program.stopped() == 0


async def test_started_while_the_broker_is_away__is_ready_as_those_that_were_there_before(sample_database, kafka):
    """Else a restart within an outage of Kafka would take the write side out of rotation, copy by copy."""
    prefix = kafka.prefix()
    kafka.create_topics(prefix)
    async with proxied(f"kafka://{kafka.bootstrap}") as (proxy, url):
        variables = {"KAFKA_BOOTSTRAP": url.removeprefix("kafka://"), "TOPIC_PREFIX": prefix}
        async with (
            started("api", sample_database.app_url, **variables) as program,
            httpx2.AsyncClient(timeout=30) as client,
        ):
            await program.until_ready(client)
            with psycopg.connect(sample_database.owner_url, autocommit=True) as conn:
                async with asyncio.timeout(60):
                    while conn.execute("SELECT 1 FROM broker_reached").fetchone() is None:  # noqa: ASYNC110
                        await asyncio.sleep(0.02)
            assert await program.stopped() == 0
        await proxy.down()
        for mode, status in (("worker", 503), ("api", 200), ("all", 200)):
            async with (
                started(mode, sample_database.app_url, **variables) as program,
                httpx2.AsyncClient(timeout=30) as client,
            ):
                await program.until_serving(client)
                answer = await client.get(f"{program.url}/readyz")
                assert (mode, answer.status_code, answer.json()["kafka"]) == (mode, status, "down")
                assert await program.stopped() == 0


@pytest.mark.parametrize("mode", ["api", "worker", "all"])
async def test_wrong_password__ends_the_process_at_once_with_the_reason(sample_database, mode):
    """It waited for ever, and an `api` said nothing."""
    wrong = sample_database.app_url.replace("postgresql://", "").partition("@")
    url = f"postgresql://{wrong[0].partition(':')[0]}:hunter2@{wrong[2]}"
    async with started(mode, url) as program:
        assert await asyncio.wait_for(program.process.wait(), 60) == 1
        output = await program.output()
    (said,) = [json.loads(line) for line in output.splitlines() if "database_refuses" in line]
    assert said["level"] == "critical"
    assert "password authentication failed" in said["why"]
    assert "DATABASE_URL" in said["why"]
    assert "hunter2" not in output


def test_migrate_with_a_wrong_password__one_sentence(sample_database):
    owner = sample_database.owner_url.partition("@")
    user = owner[0].rpartition(":")[0]
    done = _run("migrate", DATABASE_URL=sample_database.app_url, DATABASE_OWNER_URL=f"{user}:hunter2@{owner[2]}")
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert "can't be migrated" in sentence
    assert "password authentication failed" in sentence
    assert "hunter2" not in sentence


def test_migrate_as_a_role_that_owns_nothing__one_sentence(sample_database):
    done = _run("migrate", DATABASE_URL=sample_database.app_url, DATABASE_OWNER_URL=sample_database.app_url)
    assert (done.returncode, done.stderr.partition(":")[0]) == (1, "DATABASE_OWNER_URL is wrong")
    assert len(done.stderr.splitlines()) == 1


async def test_several_hosts__the_first_that_answers_is_used(sample_database):
    """A cluster's address (RFC 3986 knows no such host, libpq does) ended in a ValueError."""
    rest, _, name = sample_database.app_url.rpartition("/")
    user, _, host = rest.rpartition("@")
    several = f"{user}@127.0.0.1:1,{host}/{name}?target_session_attrs=read-write"
    owner = f"{sample_database.owner_url.rpartition('@')[0]}@127.0.0.1:1,{host}/{name}"
    done = await asyncio.to_thread(_run, "migrate", DATABASE_URL=several, DATABASE_OWNER_URL=owner)
    assert done.returncode == 0, done.stderr
    async with started("api", several) as program, httpx2.AsyncClient(timeout=30) as client:
        await program.until_serving(client)
        assert (await client.get(f"{program.url}/v1/raw/a")).status_code == 200
        assert await program.stopped() == 0


async def test_sockets__chunked_bodies_and_broken_requests(sample_database):
    async with (
        started("api", sample_database.app_url, MAX_BODY_BYTES="2048") as program,
        httpx2.AsyncClient(timeout=30) as client,
    ):
        await program.until_serving(client)
        chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
        head = b"POST /v1/raw HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert b" 413 " in await _spoken(program, head + chunk * 3)
        assert b" 200 " in await _spoken(program, head + chunk * 2 + b"0\r\n\r\n")
        declared = b"POST /v1/raw HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n"
        assert b" 413 " in await _spoken(program, declared)
        for broken in (b"\x00\x01\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /%zz\xff HTTP/1.1\r\nHost: x\r\n\r\n"):
            assert b" 500 " not in await _spoken(program, broken)
        assert (await client.get(f"{program.url}/healthz")).status_code == 200


async def test_sockets__a_body_that_drips_is_ended(sample_database):
    """T6: slow-loris, before any token is looked at; others are served meanwhile."""
    async with (
        started("api", sample_database.app_url, BODY_TIMEOUT_SECONDS="0.5") as program,
        httpx2.AsyncClient(timeout=30) as client,
    ):
        await program.until_serving(client)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(program.url.rpartition(":")[2]))
        writer.write(b"POST /v1/raw HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        ended = asyncio.create_task(asyncio.wait_for(reader.read(), 60))
        while not ended.done():
            writer.write(b"x")
            await asyncio.wait([ended], timeout=0.05)
            assert (await client.get(f"{program.url}/healthz")).status_code == 200
        answer = ended.result()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"code":"timeout"' in answer
        writer.transport.abort()


async def _spoken(program: Running, text: bytes) -> bytes:
    """The status line that these bytes get."""
    port = int(program.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(text)
        return await asyncio.wait_for(reader.readline(), 60)
    finally:
        writer.transport.abort()
