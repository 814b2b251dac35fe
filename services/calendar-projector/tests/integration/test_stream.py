"""The stream of changes, over sockets: who sees what (E1), what is told again, tickets, and how it ends."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import jsonschema
import psycopg
import pytest
import uvicorn
from tests.rigs.plans import OFTEN, kept_plans
from tests.rigs.waiting import until

from booking_contracts import transactions as told
from booking_contracts.decode import Record, decode
from booking_contracts.directory import PersonErased
from booking_contracts.event import Event
from booking_contracts.ids import uuid7
from booking_contracts.money import Money
from booking_contracts.topics import ERASURES, TRANSACTIONS
from booking_local.packages import UnavailableError, node_alone
from booking_web.consistency import ConsistencyToken
from booking_web.problems import Problem
from calendar_projector.feeds.store import Tokens
from calendar_projector.stream import log
from calendar_projector.stream.hub import OpenStream
from calendar_projector.stream.items import StreamItem
from calendar_projector.stream.log import Reader
from calendar_projector.stream.tickets import Ticket, Tickets

pytestmark = pytest.mark.servers
NOW = datetime.now(UTC) - timedelta(hours=1)
PAID, REQUESTED = "com.booking.checkout.TransactionPaid.v2", "com.booking.consultation.ScheduleRequested.v1"
SCHEDULED, CHANGED = (f"com.booking.consultation.{name}.v1" for name in ("SessionScheduled", "PractitionerChanged"))
STARTED, COMPLETED = (f"com.booking.consultation.{name}.v1" for name in ("SessionStarted", "ResultUploaded"))
CREATED, ASSIGNED = (f"com.booking.checkout.{name}.v1" for name in ("TransactionCreated", "PractitionerAssigned"))


@dataclass
class Sale:
    """A Transaction that tells its events."""

    make_record: Any
    member: UUID = field(default_factory=uuid4)
    practitioner: UUID = field(default_factory=uuid4)
    id: UUID = field(default_factory=uuid7)
    records: list[Record] = field(default_factory=list[Record])

    def bought(self) -> "Sale":
        product = told.ProductSnapshot(
            id=uuid7(), name="Konseling", kind="counseling", tier="gold", duration_minutes=60
        )
        self._tell(
            told.TransactionCreated(
                transaction_id=self.id,
                user_id=self.member,
                product=product,
                price=Money(250_000, "IDR"),
                provider="midtrans",
                reference=str(self.id),
                expires_at=NOW,
                request_limit_minutes=60,
                auto_start=False,
            )
        )
        return self._tell(
            told.PractitionerAssigned(**self._pair(), product_id=product.id, kind="counseling", tier="gold")
        )

    def paid(self) -> "Sale":
        return self._tell(
            told.TransactionPaid(
                **self._pair(),
                amount=Money(250_000, "IDR"),
                provider="midtrans",
                provider_payment_id="A1",
                paid_at=NOW,
                settled_at=NOW,
                kind="counseling",
                request_limit_minutes=60,
                auto_start=False,
            )
        )

    def _pair(self) -> dict[str, UUID]:
        return {"transaction_id": self.id, "user_id": self.member, "practitioner_id": self.practitioner}

    def _tell(self, event: Event) -> "Sale":
        self.records.append(self.make_record(TRANSACTIONS, self.id, event, len(self.records) + 1, at=NOW))
        return self


@asynccontextmanager
async def socketed(running) -> AsyncIterator[str]:
    """The api on a real socket: an event stream cannot be read through the in-process transport."""
    server = uvicorn.Server(uvicorn.Config(running.app, port=0, lifespan="off", log_config=None, ws="none"))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 uvicorn tells nobody
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.app.state.health.stopping.set()
        server.should_exit = True
        async with asyncio.timeout(60):  # an open stream must not hold the stop
            await task


class Stream:
    """The items of one open stream, each of which is as the document says."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.id = ""
        self._lines = response.aiter_lines()

    async def next(self) -> dict[str, Any]:
        """The next item."""
        data = ""
        async with asyncio.timeout(30):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name == "id":
                    self.id = value
                if name == "data":
                    data = value
                if not line and data:
                    item = json.loads(data)
                    jsonschema.validate(item, _SCHEMA)
                    return item
        raise AssertionError("the stream ended")

    async def types(self, number: int) -> list[str]:
        """The types of the next items."""
        return [(await self.next())["type"] for _ in range(number)]

    async def rest(self) -> list[str]:
        """All lines until it ends."""
        async with asyncio.timeout(30):
            return [line async for line in self._lines]


_SCHEMA = StreamItem.model_json_schema(mode="serialization")


@asynccontextmanager
async def opened(base: str, headers: dict[str, str] | None = None, **query: str) -> AsyncGenerator[Stream]:
    """An open stream."""
    async with (
        httpx2.AsyncClient(base_url=base, timeout=60) as client,
        client.stream("GET", "/v1/stream", headers=headers, params=query) as response,
    ):
        if response.status_code != 200:
            await response.aread()
        yield Stream(response)


@asynccontextmanager
async def ready(base: str, headers: dict[str, str] | None = None, **query: str) -> AsyncGenerator[Stream]:
    """An open stream that has begun."""
    async with opened(base, headers, **query) as stream:
        assert stream.response.status_code == 200, stream.response.text
        assert await stream.next() == {"type": "ready", "resumed": False}
        yield stream


async def test_streams__tell_purchases_payments_and_sessions_to_those_who_may_see_them(world, story, make_record):
    """E1: a member their own, a practitioner their sessions and nothing of money, an admin all; across processes."""
    sale = Sale(make_record)
    one = story(member=sale.member, practitioner=sale.practitioner, transaction=sale.id, at=NOW)
    async with world.running("api") as api, world.running("worker"), socketed(api) as base:
        callers = [("member", sale.member), ("practitioner", sale.practitioner), ("admin", uuid4())]
        async with contextlib.AsyncExitStack() as stack:
            member, practitioner, admin = [
                await stack.enter_async_context(ready(base, api.issuer.bearer(role, sub=sub))) for role, sub in callers
            ]
            strangers = [
                await stack.enter_async_context(ready(base, api.issuer.bearer("member", "practitioner")))
                for _ in range(2)
            ]
            await world.tell(*sale.bought().paid().records)
            for stream in (member, admin):
                assert await stream.types(3) == [CREATED, ASSIGNED, PAID]
            await world.tell(*one.requested().scheduled().records)
            for stream in (member, practitioner, admin):
                assert (await stream.next())["type"] == REQUESTED, "no payment before it"
                item = await stream.next()
                assert item["type"] == SCHEDULED
                assert item["data"] == json.loads(one.records[1].value)
                assert item["id"] == str(decode(one.records[1]).meta.id)
                token = ConsistencyToken.decode(item["consistency_token"])
                assert token == ConsistencyToken("consultation", "session", str(one.id), 2)
            for stream in strangers:
                waiting = asyncio.create_task(stream.next())
                done, _ = await asyncio.wait([waiting], timeout=0.3)
                assert not done
                waiting.cancel()


async def test_a_session_that_goes_to_another__leaves_and_says_no_more(world, story):
    """E1: who lost it learns that; the member and the new practitioner see the change."""
    one, other = story(at=NOW).requested(), uuid4()
    before = one.practitioner
    async with world.running("all") as running, socketed(running) as base, contextlib.AsyncExitStack() as stack:
        lost, won, member = [
            await stack.enter_async_context(ready(base, running.issuer.bearer("practitioner", "member", sub=person)))
            for person in (before, other, one.member)
        ]
        await world.tell(*one.changed(other).scheduled().records)
        assert await lost.types(1) == [REQUESTED]
        left = await lost.next()
        assert (left["type"], left["data"], left["version"]) == ("session_left", {"session_id": str(one.id)}, 2)
        assert set(left) == {"type", "id", "timestamp", "version", "data"}
        assert await won.types(2) == [CHANGED, SCHEDULED]
        assert await member.types(3) == [REQUESTED, CHANGED, SCHEDULED]


async def test_who_was_away__is_told_what_they_missed_once_and_in_order(world, story):
    """By `Last-Event-ID` or `?after=`, at another process; the header goes before the address."""
    one = story(at=NOW)
    async with world.running("all") as running, socketed(running) as base:
        bearer = running.issuer.bearer("member", sub=one.member)
        async with ready(base, bearer) as stream:
            begin = stream.id
            await world.tell(*one.requested().records)
            assert await stream.types(1) == [REQUESTED]
            seen = stream.id
        await world.tell(*one.scheduled().started().records[1:])
        await _stored(world, 3)
        await world.tell(*story(at=NOW).requested().records)
        await _stored(world, 4)
        async with world.running("api") as other, socketed(other) as there:
            for headers, query in (({"Last-Event-ID": seen}, {}), ({}, {"after": seen})):
                async with opened(there, _of(other, one) | headers, **query) as stream:
                    assert await stream.next() == {"type": "ready", "resumed": True}
                    assert await stream.types(2) == [SCHEDULED, STARTED]
                    last = stream.id
            async with opened(there, _of(other, one) | {"Last-Event-ID": last}, after=begin) as stream:
                assert await stream.next() == {"type": "ready", "resumed": True}
                await world.tell(*one.completed().records[3:])
                assert await stream.types(1) == [COMPLETED]
            async with opened(there, other.issuer.bearer("admin"), after=begin) as stream:
                assert await stream.types(6) == ["ready", REQUESTED, SCHEDULED, STARTED, REQUESTED, COMPLETED]


def _of(running, one) -> dict[str, str]:
    return running.issuer.bearer("member", sub=one.member)


async def _stored(world, items: int) -> None:
    async def there() -> bool:
        return await world.rows("SELECT count(*) FROM stream_item") == [(items,)]

    await until(there)


async def test_who_was_away_too_long__is_told_to_read_again(world, story):
    """More than a day, more than a thousand items, or a place that never was; and then goes on."""
    one = story(at=NOW).requested()
    async with world.running("all") as running, socketed(running) as base:
        bearer = running.issuer.bearer("member", sub=one.member)
        async with ready(base, bearer) as stream:
            begin = int(stream.id)
        await world.tell(*one.records)
        await _stored(world, 1)
        old = begin - int(timedelta(hours=25) / timedelta(microseconds=1))
        async with opened(base, bearer, after=str(begin)) as stream:
            assert await stream.types(2) == ["ready", REQUESTED], "this place is a good one yet"
        many = "FROM stream_head, generate_series(1, 1000) n"
        await world.rows(
            f"INSERT INTO stream_item SELECT place + n, gen_random_uuid(), %s, NULL, false, '{{}}' {many}", one.member
        )
        await world.rows("UPDATE stream_head SET place = place + 1000")
        for place in (old, begin, 10**17):
            async with ready(base, bearer, after=str(place)) as stream:
                now = stream.id
        assert [(int(now),)] == await world.rows("SELECT place FROM stream_head")
        async with opened(base, bearer, after=now) as stream:
            assert await stream.next() == {"type": "ready", "resumed": True}
            await world.tell(*one.scheduled().records[1:])
            assert await stream.types(1) == [SCHEDULED]
        refused = await running.get("/v1/stream?after=yesterday", "member")
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "?after")


async def test_a_connection_that_is_cut__loses_nothing(world, story):
    """The one that hears of changes: what was committed meanwhile is told when it is there again."""
    one = story(at=NOW).requested()
    async with (
        world.running("all") as running,
        socketed(running) as base,
        ready(base, running.issuer.bearer("member", sub=one.member)) as stream,
    ):
        await _cut_hub(world)
        await world.tell(*one.records)
        await _stored(world, 1)
        assert await stream.types(1) == [REQUESTED]


async def _cut_hub(world) -> None:
    cut = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'calendar-stream'"
    )
    async with await psycopg.AsyncConnection.connect(world.settings.database_url, autocommit=True) as conn:
        assert await (await conn.execute(cut)).fetchall() == [(True,)]


async def test_old_events_copies_and_what_cannot_be_read__are_nobodys_news(world, story, caplog):
    """A reader that begins has all there ever was before it; a copy is known; poison holds nothing up."""
    old, one, sick = story().requested(), story(at=NOW).requested().scheduled(), story(at=NOW).requested()
    broken = replace(sick.records[0], value=b"{")
    async with world.running("all") as running, socketed(running) as base:
        async with ready(base, running.issuer.bearer("admin")) as stream:
            await world.tell(*old.records, broken, *one.records, *one.records)
            await world.tell(*sick.scheduled().records[1:], *one.started().records[2:])
            told_types = sorted(await stream.types(4))
        assert told_types == sorted([REQUESTED, SCHEDULED, SCHEDULED, STARTED])
    assert await world.rows("SELECT count(*) FROM stream_item") == [(4,)]
    assert "not told" not in caplog.text


async def test_places__appear_in_their_order_however_many_append(ground, story):
    """A later place is never there before an earlier one: a reader who has the later would never see it."""
    database = ground.running.service.database
    first, second = ([decode(r) for r in story(at=NOW).requested().records] for _ in range(2))
    async with database.transaction() as early:
        await log.append(early, first)
        late = asyncio.create_task(_append(database, second))
        done, _ = await asyncio.wait([late], timeout=0.3)
        assert not done, "it waits for the one before"
    await late
    found = await ground.world.rows("SELECT item FROM stream_item ORDER BY place DESC LIMIT 2")
    told_last = [json.loads(item)["data"]["session_id"] for (item,) in found]
    assert told_last == [one[0].meta.subject for one in (second, first)]


async def _append(database, records) -> None:
    async with database.transaction() as conn:
        await log.append(conn, records)


async def test_a_reader_who_is_too_slow__reads_on_from_the_log(ground, story):
    """Nothing is lost, nothing told twice, and what waits for them is bounded."""
    database, person = ground.running.service.database, uuid4()
    async with database.autocommit() as conn:
        begin, _ = await log.head(conn)
    stream = OpenStream(Reader(person, admin=False), begin)
    stories = [story(member=person, at=NOW).requested() for _ in range(450)]
    await _append(database, [decode(record) for one in stories for record in one.records])
    async with database.autocommit() as conn:
        for item in [item for item in await log.page(conn, begin) if item.member_id == person]:
            stream.put(item)
    assert len(stream.waiting) <= 200
    found = await stream.take(database)
    assert [json.loads(item)["data"]["session_id"] for _, item in found] == [str(one.id) for one in stories]
    assert (await stream.take(database), stream.refresh) == ([], False)


async def test_what_is_older_than_a_day__is_forgotten(ground, story):
    database = ground.running.service.database
    await _append(database, [decode(record) for record in story(at=NOW).requested().records])
    kept = await ground.world.rows("SELECT count(*) FROM stream_item")
    day = int(timedelta(hours=25, minutes=1) / timedelta(microseconds=1))
    await ground.world.rows(
        "INSERT INTO stream_item SELECT place - %s, gen_random_uuid(), NULL, NULL, true, '{}' FROM stream_head", day
    )
    old = "INSERT INTO stream_ticket VALUES (%s, %s, '{member}', now(), now() - interval '1 second')"
    await ground.world.rows(old, uuid4(), uuid4())
    async with database.autocommit() as conn:
        await log.forget(conn)
    assert await ground.world.rows("SELECT count(*) FROM stream_item") == kept
    assert await ground.world.rows("SELECT FROM stream_ticket WHERE expires_at < now()") == []


async def test_what_is_asked_often__is_found_by_an_index(ground):
    """Also as it was planned on empty tables."""
    database = ground.running.service.database
    async with database.autocommit() as conn:
        for _ in range(3 * OFTEN):
            for admin in (False, True):
                await log.missed(conn, Reader(uuid4(), admin), (await log.head(conn))[0])
            await log.page(conn, 0)
            with contextlib.suppress(Problem):
                await Tickets("secret").use(conn, Tickets("secret").text(Ticket(uuid7())))
        plans = {text: tables for text, tables in (await kept_plans(conn)).items() if "FROM stream_head" not in text}
        own = await _plan_of(conn, "practitioner_id = $")
    assert len(plans) == 5
    assert {table for tables in plans.values() for table in tables} == set()
    assert "stream_item_member" in own, "not everybody's items of the time between"
    assert "stream_item_practitioner" in own


async def _plan_of(conn, part: str) -> str:
    named = "SELECT name FROM pg_prepared_statements WHERE position(%s IN statement) > 0"
    ((name,),) = await (await conn.execute(named, (part,), prepare=False)).fetchall()
    await conn.execute("SET plan_cache_mode = force_generic_plan")
    lines = await (await conn.execute(f'EXPLAIN EXECUTE "{name}"(NULL, NULL, NULL)'.encode())).fetchall()
    return "\n".join(line for (line,) in lines)


async def test_a_browsers_event_source__opens_it_with_nothing_but_a_ticket_of_another_process(world, story):
    """And learns that a ticket is for one use when its connection ends."""
    try:
        node = await node_alone()
    except UnavailableError as reason:
        pytest.skip(str(reason))
    one = story(at=NOW)
    async with world.running("all") as running, world.running("api") as other, socketed(other) as base:
        ticket = await _ticket(running, "member", sub=one.member)
        program = await asyncio.create_subprocess_exec(
            node,
            "--experimental-eventsource",
            "--no-warnings",
            str(Path(__file__).with_name("event_source.mjs")),
            f"{base}/v1/stream?ticket={ticket}",
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert program.stdout is not None
            begun = await _line(program.stdout)
            assert begun["item"] == {"type": "ready", "resumed": False}
            await world.tell(*one.requested().scheduled().records)
            assert [(await _line(program.stdout))["item"]["type"] for _ in range(2)] == [REQUESTED, SCHEDULED]
            other.app.state.health.stopping.set()
            assert await _line(program.stdout) == {"closed": True}
        finally:
            with contextlib.suppress(ProcessLookupError):
                program.kill()
            await program.wait()


async def _line(output: asyncio.StreamReader) -> dict[str, Any]:
    return json.loads(await asyncio.wait_for(output.readline(), 30))


async def _ticket(running, *roles: str, sub: UUID | None = None, **headers: str) -> str:
    answer = await running.call("POST", "/v1/stream-tickets", *roles, sub=sub, **headers)
    assert (answer.status_code, answer.headers["location"]) == (201, "/v1/stream"), answer.text
    return answer.json()["ticket"]


async def test_a_ticket__is_good_once_and_for_its_persons_rights(ground, story):
    """E1: an admin's for all, a member's for their own; never where a token is wanted."""
    person = uuid4()
    async with socketed_again(ground) as base:
        running = ground.running
        ticket = await _ticket(running, "member", sub=person)
        async with ready(base, ticket=ticket):
            pass
        assert await _refused(base, ticket=ticket) == (401, "ticket_used")
        async with (
            ready(base, ticket=await _ticket(running, "admin")) as admin,
            ready(base, ticket=await _ticket(running, "member", sub=person)) as member,
        ):
            own = story(member=person, at=NOW).requested()
            records = [*story(at=NOW).requested().records, *own.records]
            await _append(running.service.database, [decode(record) for record in records])
            assert await admin.types(2) == [REQUESTED, REQUESTED]
            assert (await member.next())["data"]["session_id"] == str(own.id)
        fresh = await _ticket(running, "member", sub=person)
        for headers in ({"Authorization": f"Bearer {fresh}"}, {}):
            answer = await running.http.get(
                f"/v1/calendar/feeds?{'' if headers else f'ticket={fresh}'}", headers=headers
            )
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        async with ready(base, running.issuer.bearer("member", sub=person), ticket=fresh):
            pass  # the token counts, so the ticket is good yet
        async with ready(base, ticket=fresh):
            pass
        assert (await running.call("POST", "/v1/stream-tickets", "service")).status_code == 403


@asynccontextmanager
async def socketed_again(ground) -> AsyncIterator[str]:
    """The file's api on a socket, which does not end with it."""
    stopping = ground.running.app.state.health.stopping
    async with socketed(ground.running) as base:
        yield base
    stopping.clear()


async def _refused(base: str, **query: str) -> tuple[int, str]:
    async with opened(base, None, **query) as stream:
        return stream.response.status_code, stream.response.json()["code"]


async def test_a_ticket_that_is_none__is_refused_and_says_why(ground):
    """Forged, of another use, a token; and one that has expired, also when it was forgotten."""
    running, secret = ground.running, ground.world.settings.feed_secret.get_secret_value()
    tickets, feeds = Tickets(secret), Tokens(secret, "https://calendar.test")
    ticket = await _ticket(running, "member")
    bearer = running.issuer.bearer("member")["Authorization"].removeprefix("Bearer ")
    forged = Tickets("another secret, long enough").text(Ticket(uuid7()))
    feed = feeds.address(uuid7()).rpartition("/")[2].removesuffix(".ics")
    async with socketed_again(ground) as base:
        for bad in (ticket[:-2] + "AA", forged, feed, bearer, "", "st_", "%00", "é"):
            assert await _refused(base, ticket=bad) == (401, "invalid_ticket"), bad
        assert await _refused(base) == (401, "unauthorized")
        await ground.world.rows("UPDATE stream_ticket SET expires_at = now()")
        assert await _refused(base, ticket=ticket) == (401, "ticket_expired")
        assert await _refused(base, ticket=tickets.text(Ticket(uuid7()))) == (401, "ticket_expired")
        twice = await running.http.get("/v1/stream", params=[("ticket", ticket), ("ticket", ticket)])
        assert (twice.status_code, ticket in twice.text) == (401, False)


async def test_a_ticket__is_the_same_again_for_the_same_key_and_ends_within_a_minute(ground):
    running, person = ground.running, uuid4()
    first, again = [
        await running.call("POST", "/v1/stream-tickets", "member", sub=person, Idempotency_Key="one") for _ in range(2)
    ]
    assert (first.status_code, again.status_code, again.headers["idempotency-replayed"]) == (201, 201, "true")
    assert first.json() == again.json()
    left = datetime.fromisoformat(first.json()["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=50) < left <= timedelta(seconds=60)
    assert await ground.world.rows("SELECT count(*) FROM stream_ticket WHERE person_id = %s", person) == [(1,)]


async def test_an_open_stream__is_kept_alive_and_ends_with_the_token_that_its_ticket_was_made_with(world):
    """T3: a comment every 15 seconds, so that no proxy takes it for dead; nothing after the token's end."""
    async with world.running("api") as api, socketed(api) as base:
        # Valid for 20 seconds with the leeway: longer than the comment takes.
        exp = int(time.time()) - 10
        made = await api.caller("member", exp=exp).post("/v1/stream-tickets")
        async with (
            ready(base, api.issuer.bearer("member", exp=exp)) as by_token,
            ready(base, ticket=made.json()["ticket"]) as by_ticket,
        ):
            lines = await asyncio.gather(by_token.rest(), by_ticket.rest())
        assert all(": ping" in found for found in lines)
        assert (await api.caller("member", exp=exp).post("/v1/stream-tickets")).status_code == 401


async def test_a_person_who_is_erased__sees_no_more(world, make_record):
    """E4: the token would be good yet."""
    person = uuid4()
    async with world.running("all") as running, socketed(running) as base:
        async with ready(base, running.issuer.bearer("member", sub=person)) as stream:
            ticket = await _ticket(running, "member", sub=person)
            await world.tell(make_record(ERASURES, person, PersonErased(), 1))
            await stream.rest()
        assert await _refused(base, ticket=ticket) == (401, "ticket_expired")


async def test_another_generation_of_the_calendar__is_told_to_all(world, story):
    """C2: rows may differ, so whoever shows some reads them again."""
    one = story().requested().scheduled()
    await world.tell(*one.records)
    async with world.running("all") as running, socketed(running) as base:
        await world.shows([one])
        async with ready(base, running.issuer.bearer("member")) as stream:
            begun = await running.call("POST", "/v1/projections/user_schedule/rebuild", "admin")
            assert begun.status_code == 202
            assert await stream.next() == {"type": "refresh"}
