"""The program of a service, as a process: its commands, its complaints, its stop (F29, F30)."""

import asyncio
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
import psycopg
import pytest
from shared.chassis.tests.conftest import SAMPLE

from booking_chassis import migrations
from booking_contracts import kafka_admin
from booking_contracts.topics import SESSIONS

pytestmark = pytest.mark.servers
PROGRAM = [sys.executable, "-m", "shared.chassis.tests.sample"]


def _environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "PYTHONPATH"}}
    return {
        **kept,
        "KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "JWT_ISSUER": "https://identity.example",
        "JWT_JWKS_URL": "https://127.0.0.1:1/jwks.json",
        "DATABASE_ALLOW_UNSAFE": "true",
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

    async def stopped(self, sig: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(sig)
        return await asyncio.wait_for(self.process.wait(), 30)

    async def output(self) -> str:
        assert self.process.stdout is not None
        return (await self.process.stdout.read()).decode()


@asynccontextmanager
async def started(mode: str, url: str, **variables: str) -> AsyncIterator[Running]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *PROGRAM,
        mode,
        env=_environment(DATABASE_URL=url, HTTP_PORT=str(port), **variables),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Running(process, f"http://127.0.0.1:{port}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


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
    async with started("api", sample_database.app_url, LOG_LEVEL="debug") as program, httpx2.AsyncClient() as client:
        await program.until_ready(client)
        async with client.stream("GET", f"{program.url}/v1/stream") as stream:
            async for line in stream.aiter_lines():
                if "number" in line:
                    break
            slow = asyncio.create_task(
                client.get(f"{program.url}/v1/slow", params={"seconds": 0.5, "database_sleeps": False})
            )
            await asyncio.sleep(0.2)
            began = time.monotonic()
            code = await program.stopped()
            assert time.monotonic() - began < 5
        assert (await slow).status_code == 200
        assert code == 0
        lines = [json.loads(line) for line in (await program.output()).splitlines()]
        assert {"started", "stopped"} <= {line["event"] for line in lines}
        assert {line["service"] for line in lines if "service" in line} == {"sample-api"}


async def test_api__an_error_is_logged_without_its_message(sample_database):
    async with started("api", sample_database.app_url) as program, httpx2.AsyncClient() as client:
        await program.until_ready(client)
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
    async with started("api", "postgresql://nobody@127.0.0.1:1/none") as program, httpx2.AsyncClient() as client:
        answer = await program.first_answer(client)
        assert (answer.status_code, answer.json()["database"]) == (503, "down")
        assert (await client.get(f"{program.url}/healthz")).status_code == 200
        assert await program.stopped() == 0


async def test_unsafe_database__ends_the_process_with_1(sample_database):
    async with started("api", sample_database.app_url, DATABASE_ALLOW_UNSAFE="false") as program:
        assert await asyncio.wait_for(program.process.wait(), 30) == 1
        output = await program.output()
    assert "fsync=off" in output
    assert "then start again" in output


async def test_worker__serves_health_and_no_routes(sample_database, kafka):
    async with (
        started("worker", sample_database.app_url, KAFKA_BOOTSTRAP=kafka.bootstrap) as program,
        httpx2.AsyncClient() as client,
    ):
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
            "has message.timestamp.type=CreateTime, not LogAppendTime",
        ),  # made by a broker of 6 partitions
    ],
)
async def test_topic_that_a_broker_made_or_that_expires__ends_a_worker_with_1(sample_database, kafka, differs, says):
    prefix = kafka.prefix()
    await kafka_admin.create_topics(kafka.bootstrap, prefix, topics=[dataclasses.replace(SESSIONS, **differs)])
    settings = {"KAFKA_BOOTSTRAP": kafka.bootstrap, "TOPIC_PREFIX": prefix}
    async with started("worker", sample_database.app_url, **settings) as program:
        assert await asyncio.wait_for(program.process.wait(), 30) == 1
        output = await program.output()
    assert says in output
    assert "then start again" in output


async def test_worker_without_a_broker__is_not_ready_but_an_api_is(sample_database):
    async with started("worker", sample_database.app_url) as program, httpx2.AsyncClient() as client:
        answer = await program.first_answer(client)
        while answer.json()["database"] != "ok":
            answer = await client.get(f"{program.url}/readyz")
        assert (answer.status_code, answer.json()["kafka"]) == (503, "down")
    async with started("all", sample_database.app_url) as program, httpx2.AsyncClient() as client:
        await program.until_ready(client)


async def test_sockets__chunked_bodies_and_broken_requests(sample_database):
    async with (
        started("api", sample_database.app_url, MAX_BODY_BYTES="2048") as program,
        httpx2.AsyncClient() as client,
    ):
        await program.until_ready(client)
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
        httpx2.AsyncClient() as client,
    ):
        await program.until_ready(client)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(program.url.rpartition(":")[2]))
        writer.write(b"POST /v1/raw HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        ended = asyncio.create_task(asyncio.wait_for(reader.read(), 10))
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
        return await asyncio.wait_for(reader.readline(), 5)
    finally:
        writer.transport.abort()
