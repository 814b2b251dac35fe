"""E4 for every service: what is kept of people follows the topics, and whoever is erased stays so."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg
import pytest
from tests.plugins.servers import Databases, PostgresServer

from booking_contracts.decode import Decoded, Record
from booking_contracts.directory import PersonContact, PractitionerProfile
from booking_contracts.envelope import Envelope
from booking_contracts.event import Event
from booking_contracts.topics import CONTACTS, PRACTITIONERS, Topic
from booking_people.copies import Copy, People
from booking_process.migrations import ddl

pytestmark = pytest.mark.servers
Connect = Callable[[], Any]
PEOPLE = People(
    "erased_person", copies=(Copy(PRACTITIONERS, "practitioner"), Copy(CONTACTS, "contact", ("name", "phone")))
)
TABLES = """
CREATE TABLE erased_person (person_id uuid PRIMARY KEY, erased_at timestamptz NOT NULL);
CREATE TABLE contact (person_id uuid PRIMARY KEY, name text, phone text);
CREATE TABLE practitioner (id uuid PRIMARY KEY);
GRANT SELECT, INSERT, UPDATE, DELETE ON erased_person, contact, practitioner TO {app};
"""


def migrate(databases: Databases) -> None:
    app = urlsplit(databases.app_url).username or ""
    with psycopg.connect(databases.owner_url, autocommit=True) as conn:
        for text in (
            ddl("booking_inbox", "inbox_v1"),
            ddl("booking_web", "idempotency_v1"),
            ddl("booking_web", "idempotency_v2"),
            TABLES,
            ddl("booking_people", "is_erased_v1").replace("{erased}", "erased_person"),
        ):
            conn.execute(text.replace("{app}", app).encode())


@pytest.fixture
async def connect(postgres: PostgresServer) -> AsyncIterator[Connect]:
    databases = postgres.clone("sample_people", migrate)
    async with AsyncExitStack() as stack:

        async def opened() -> psycopg.AsyncConnection[Any]:
            conn = await psycopg.AsyncConnection.connect(databases.app_url, autocommit=True)
            return await stack.enter_async_context(conn)

        yield opened


def told(topic: Topic, person: UUID, event: Event | None) -> Decoded:
    kind = topic.events[0].full_type()
    now = datetime.now(UTC)
    meta = Envelope(uuid4(), topic.source, kind, str(person), now, 1, "system", None, str(uuid4()), None)
    record = Record(topic.name, 0, 0, str(person).encode(), None, (), 0)
    return Decoded(record, meta, event, "event" if event else "tombstone")


def contact(person: UUID, name: str) -> Decoded:
    event = PersonContact(person_id=person, name=name, phone="+6281234567890", locale="id", timezone="Asia/Jakarta")
    return told(CONTACTS, person, event)


async def kept(conn: psycopg.AsyncConnection[Any], person: UUID) -> list[Any]:
    return await (await conn.execute("SELECT name, phone FROM contact WHERE person_id = %s", [person])).fetchall()


async def blocked(conn: psycopg.AsyncConnection[Any], task: "asyncio.Task[None]") -> None:
    """Wait until the task waits for a lock."""
    async with asyncio.timeout(30):
        while not await (await conn.execute("SELECT 1 FROM pg_locks WHERE NOT granted")).fetchall():
            assert not task.done()
            await asyncio.sleep(0)


async def test_a_copy__follows_its_topic(connect: Connect):
    conn, person = await connect(), uuid4()
    await PEOPLE.follow(conn, contact(person, "Sari"))
    await PEOPLE.follow(conn, contact(person, "Sari Dewi"))
    assert await kept(conn, person) == [("Sari Dewi", "+6281234567890")]
    await PEOPLE.follow(conn, told(CONTACTS, person, None))
    assert await kept(conn, person) == []


async def test_a_copy_of_the_key_alone__is_kept_once(connect: Connect):
    conn, person = await connect(), uuid4()
    profile = PractitionerProfile(id=person, name="Budi", tiers=(), timezone="Asia/Jakarta", active=True)
    for _ in range(2):
        await PEOPLE.follow(conn, told(PRACTITIONERS, person, profile))
    found = await conn.execute("SELECT count(*) FROM practitioner WHERE id = %s", [person])
    assert await found.fetchone() == (1,)


async def test_an_erasure__takes_the_copies_and_what_was_answered_and_lets_nothing_come_again(connect: Connect):
    conn, person = await connect(), uuid4()
    await PEOPLE.follow(conn, contact(person, "Sari"))
    await conn.execute(
        "INSERT INTO idempotency (sub, operation, key, sha, status, object_id, version, answer)"
        " VALUES (%s, 'put_me', 'k', '', 200, %s, 1, 'Sari')",
        [str(person), person],
    )
    for _ in range(2):
        async with conn.transaction(), PEOPLE.erasing(conn, person, datetime.now(UTC)):
            pass
    await PEOPLE.follow(conn, contact(person, "Sari"))
    assert await PEOPLE.is_erased(conn, person)
    assert await kept(conn, person) == []
    found = await conn.execute("SELECT count(*) FROM idempotency WHERE object_id = %s", [person])
    assert await found.fetchone() == (0,)


async def test_an_erasure_under_way__a_contact_waits_for_it_and_is_not_kept(connect: Connect):
    erasing, keeping, person = await connect(), await connect(), uuid4()
    async with erasing.transaction():
        async with PEOPLE.erasing(erasing, person, datetime.now(UTC)):
            pass
        late = asyncio.create_task(PEOPLE.follow(keeping, contact(person, "Sari")))
        await blocked(erasing, late)
    await asyncio.wait_for(late, 30)
    assert await kept(erasing, person) == []


async def test_a_contact_just_being_written__an_erasure_waits_for_it_and_deletes_it(connect: Connect):
    erasing, keeping, person = await connect(), await connect(), uuid4()

    async def erase() -> None:
        async with erasing.transaction(), PEOPLE.erasing(erasing, person, datetime.now(UTC)):
            pass

    async with keeping.transaction():
        # By the lock of the person, not of a row: a first contact has none.
        await PEOPLE.lock(keeping, person)
        late = asyncio.create_task(erase())
        await blocked(keeping, late)
        await PEOPLE.follow(keeping, contact(person, "Sari"))
    await asyncio.wait_for(late, 30)
    assert await kept(keeping, person) == []


async def test_words_of_a_command__wait_for_an_erasure_by_the_same_lock(connect: Connect):
    erasing, asking, person = await connect(), await connect(), uuid4()

    async def ask() -> None:
        found = await asking.execute("SELECT is_erased(ARRAY[NULL, %s])", [person])
        assert await found.fetchone() == (True,)

    async with erasing.transaction():
        async with PEOPLE.erasing(erasing, person, datetime.now(UTC)):
            pass
        late = asyncio.create_task(ask())
        await blocked(erasing, late)
    await asyncio.wait_for(late, 30)
