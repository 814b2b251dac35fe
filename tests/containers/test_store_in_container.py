"""The event store on a container's PostgreSQL: what the embedded server promises holds on the official image too."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import ExecWaitStrategy

from booking_contracts.directory import PersonErased
from booking_outbox import ddl as outbox_ddl
from booking_store import AppendSql, Cause, StreamConflict, ddl, load

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
PASSWORD = "throwaway"
APPEND = AppendSql(
    "WITH guard AS (SELECT 1), ik AS ({{idempotency}}), ev AS ({{events}}), ob AS ({{outbox}}) "
    "SELECT coalesce(max(version), 0) FROM ev",
    topic="booking.directory.erasures.v1",
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    container = DockerContainer("postgres:18").with_env("POSTGRES_PASSWORD", PASSWORD).with_exposed_ports(5432)
    # By TCP: the server that the image runs while it initialises listens on a socket file alone.
    ready = ExecWaitStrategy(["pg_isready", "-h", "127.0.0.1"]).with_startup_timeout(300)
    with container.waiting_for(ready) as running:
        host, port = running.get_container_host_ip(), running.get_exposed_port(5432)
        yield f"postgresql://postgres:{PASSWORD}@{host}:{port}/postgres"


async def test_concurrent_appends__one_wins(url: str) -> None:
    """I3: the constraint is the container's PostgreSQL own."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as owner:
        await owner.execute("CREATE ROLE store_app LOGIN PASSWORD 'throwaway'")
        for text in (ddl("events_v1"), ddl("events_v2"), outbox_ddl("outbox_v1"), outbox_ddl("outbox_v2")):
            await owner.execute(text.replace("{app}", "store_app").encode())
        stream = uuid4()

        async def append() -> bool:
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
                try:
                    await APPEND.run(
                        conn,
                        stream_type="erasure",
                        stream_id=stream,
                        expected=0,
                        events=[PersonErased()],
                        cause=Cause(actor="system", correlation_id="container"),
                        occurred_at=datetime.now(UTC),
                    )
                except StreamConflict:
                    return False
                return True

        won = await asyncio.gather(*(append() for _ in range(8)))
        assert sum(won) == 1
        assert [stored.version for stored in await load(owner, stream)] == [1]
