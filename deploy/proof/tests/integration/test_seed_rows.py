"""What a seed writes in bulk is what the services' own commands leave, told one after the other."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from booking_contracts.zones import zone
from booking_local.failure import Failure
from booking_proof.seed.command import fill
from booking_proof.seed.conflict import told_otherwise
from booking_proof.seed.rows import Rows
from booking_proof.seed.story import Platform, Size
from booking_proof.seed.streams import told
from booking_proof.seed.write import Databases
from booking_store import Cause, CommandContext, handle
from checkout.ranking.listing import Months
from checkout.transactions.store import TRANSACTION
from consultation.sessions.store import SESSION

pytestmark = pytest.mark.servers
SERVICES = ("checkout", "consultation", "notifier", "calendar")
UNTIL = datetime(2026, 11, 30, 6, tzinfo=UTC)
UNGUARDED = replace(SESSION, parameters=lambda change: {**SESSION.parameters(change), "entitlement_version": None})
OWN = {
    "checkout": ("transaction", "payment_review", "refund", "free_text", "unpaid", "payment_session"),
    "consultation": ("feedback_session", "time_claim", "session_text"),
}
# When the statement was run: in bulk it is when it happened. What checkout takes of sessions has no part in a command.
BY_THE_CLOCK = {"updated_at", "recorded_at", "session_begun", "next_attempt_at"}
CREATED_BY_THE_CLOCK = {"free_text"}


async def rows_of(conn: psycopg.AsyncConnection[Any], table: str) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(f"SELECT * FROM {table} ORDER BY 1, 2".encode())
        left_out = BY_THE_CLOCK | ({"created_at"} if table in CREATED_BY_THE_CLOCK else set())
        found = [{k: v for k, v in row.items() if k not in left_out} for row in await cursor.fetchall()]
    return [row for row in found if row.get("open") != 0]  # a counter that came back to none


async def events_of(conn: psycopg.AsyncConnection[Any]) -> list[Any]:
    query = """SELECT stream_id, version, type, data::text, occurred_at, metadata ->> 'actor',
                      (SELECT count(*) FROM outbox o WHERE o.position = e.position AND o.key = e.stream_id::text)
               FROM events e ORDER BY stream_id, version"""
    return await (await conn.execute(query)).fetchall()


NOT_THEN = """SELECT count(*) FROM events e JOIN outbox o USING (position)
WHERE e.recorded_at <> e.occurred_at OR o.created_at <> e.occurred_at"""
OUT_OF_ORDER = """WITH marked AS (SELECT e.stream_id, e.version, o.id FROM events e JOIN outbox o USING (position))
SELECT count(*) FROM marked a JOIN marked b USING (stream_id) WHERE a.version < b.version AND a.id > b.id"""


async def found(conn: psycopg.AsyncConnection[Any], query: str) -> int:
    return (await (await conn.execute(query.encode())).fetchall())[0][0]


async def connected(fresh_database: Any) -> dict[str, psycopg.AsyncConnection[Any]]:
    urls = {service: fresh_database(service).owner_url for service in OWN}
    return {s: await psycopg.AsyncConnection.connect(url, autocommit=True) for s, url in urls.items()}


async def test_bulk__is_what_the_commands_leave(fresh_database):
    """Every rare story once, command by command by the services' own statements, and by COPY."""
    size = Size(20, 60, 60, 6, 3, UNTIL)
    platform = Platform(size)
    present = Platform(Size(20, 60, 8, 0, 4, UNTIL))
    stories = [*platform.stories(), *present.stories()]
    one_by_one, bulk = await connected(fresh_database), await connected(fresh_database)
    try:
        for story in stories:
            streams = [(one_by_one["checkout"], TRANSACTION, story.sale)]
            streams += [(one_by_one["consultation"], UNGUARDED, session) for session in story.sessions]
            done: list[Any] = []
            for step in story.steps:
                if step.at > UNTIL:
                    break
                done += [step, *step.then]
            for step in done:
                conn, aggregate, stream_id = streams[step.stream]
                context = CommandContext(Cause(step.actor, "c"), step.at, text=step.words)
                await handle(conn, aggregate, stream_id, step.command, context)

        months = Months(zone("Asia/Jakarta"))
        rows = Rows({}, size.seed, UNTIL, months, told=False)
        parts = [stories[::2], stories[1::2]]
        chunks = [rows.chunk(told(story, size.seed, UNTIL) for story in part) for part in parts]
        databases = Databases(bulk, None, "")  # type: ignore[arg-type]
        for chunk in (*chunks, *chunks):  # told again after a cut: nothing twice
            await databases.write(chunk, months)

        for service, tables in OWN.items():
            assert await events_of(bulk[service]) == await events_of(one_by_one[service])
            assert await found(bulk[service], NOT_THEN) == 0, "recorded and marked when it happened"
            assert await found(bulk[service], OUT_OF_ORDER) == 0, "a relay sends by the marks' order"
            for table in tables:
                expected = await rows_of(one_by_one[service], table)
                assert expected, f"{table}: the stories fill each"
                assert await rows_of(bulk[service], table) == expected, table
    finally:
        for conn in (*one_by_one.values(), *bulk.values()):
            await conn.close()


async def test_seed_told_otherwise_where_nothing_was_kept__is_refused_before_the_first_write(fresh_database, kafka):
    """People and products of another telling were written, until the first purchase was refused."""
    urls = {service: fresh_database(service).owner_url for service in SERVICES}
    size, months = Size(5, 30, 20, 6, 7, UNTIL), Months(zone("Asia/Jakarta"))
    conns = {name: await psycopg.AsyncConnection.connect(urls[name], autocommit=True) for name in SERVICES}
    try:
        rows = Rows({}, size.seed, UNTIL, months, told=False)
        chunk = rows.chunk(told(story, size.seed, UNTIL) for story in Platform(size).stories())
        await Databases(conns, None, "").write(chunk, months)  # type: ignore[arg-type]
        assert not await told_otherwise(conns["checkout"], size), "told again it goes on"

        begun: list[bool] = []
        endpoints = {"postgres": urls, "kafka_admin": {"KAFKA_BOOTSTRAP": kafka.bootstrap}}
        with pytest.raises(Failure, match="told otherwise: take another --seed"):
            await fill(endpoints, replace(size, months=5), lambda *_: None, lambda: begun.append(True))
        assert not begun
        for table in ("product", "person", "practitioner"):
            assert await found(conns["checkout"], f"SELECT count(*) FROM {table}") == 0
    finally:
        for conn in conns.values():
            await conn.close()
