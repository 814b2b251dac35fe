"""The system as the demo sees it: its HTTP interface, and windows onto stores, topics, messages and calendar rows."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import httpx2
import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord
from psycopg.rows import AsyncRowFactory, dict_row

from booking_contracts.brokers import client_options
from booking_contracts.deadlines import connected
from booking_contracts.topics import ERASURES, SESSIONS, TOPICS, TRANSACTIONS, Topic
from booking_local.failure import Failure
from booking_local.stack.control import brokers
from booking_ops.audit.topics import read_topic
from booking_proof.demo.people import Person

T = TypeVar("T")
PATIENCE = 20.0
_PACED = 60.0
_LOOK_EVERY = 0.03
STORES: dict[str, tuple[Topic, ...]] = {"checkout": (TRANSACTIONS, ERASURES), "consultation": (SESSIONS,)}
EVER_DATED = "SELECT count(DISTINCT stream_id) AS n FROM events WHERE type = 'SessionScheduled'"


@dataclass(frozen=True, slots=True)
class Seen:
    """One record's place and identity."""

    topic: str
    partition: int
    offset: int
    key: str
    id: str
    type: str


def see(record: ConsumerRecord) -> Seen | None:
    """A record's place and identity; None for one without an id."""
    headers = {name: value.decode("utf-8", "replace") for name, value in record.headers if value is not None}
    if "ce_id" not in headers:
        return None
    key = (record.key or b"").decode("utf-8", "replace")
    kind = headers.get("ce_type", "").rpartition(".v")[0].rpartition(".")[2]
    return Seen(record.topic, record.partition, record.offset, key, headers["ce_id"], kind)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call was answered, and how long that took in milliseconds."""

    method: str
    path: str
    status: int
    body: Any
    headers: httpx2.Headers
    milliseconds: float


@asynccontextmanager
async def opened(endpoints: dict[str, Any]) -> AsyncGenerator["System"]:
    """The system for one run: clients, connections to the stores, and all topics read from their present ends on."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx2.AsyncClient(timeout=20.0, trust_env=False))
        stores: dict[str, psycopg.AsyncConnection[dict[str, Any]]] = {}
        for name, url in endpoints["postgres"].items():
            connecting = psycopg.AsyncConnection[dict[str, Any]].connect(
                url, autocommit=True, row_factory=cast("AsyncRowFactory[dict[str, Any]]", dict_row)
            )
            stores[name] = await stack.enter_async_context(await connecting)
        consumer = AIOKafkaConsumer(
            **client_options(brokers(endpoints)), enable_auto_commit=False, fetch_max_wait_ms=100
        )
        await stack.enter_async_context(connected(consumer))
        partitions = [TopicPartition(topic.name, number) for topic in TOPICS for number in range(topic.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_end(*partitions)
        for partition in partitions:
            await consumer.position(partition)  # fixes "the end" now, not at the first fetch
        system = System(endpoints, http, stores)
        reading = asyncio.create_task(system.read(consumer))
        try:
            yield system
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading


class System:
    """Every wait has a deadline and says in its failure what didn't arrive."""

    def __init__(
        self,
        endpoints: dict[str, Any],
        http: httpx2.AsyncClient,
        stores: dict[str, psycopg.AsyncConnection[dict[str, Any]]],
    ) -> None:
        self.endpoints = endpoints
        self._http = http
        self._stores = stores
        self._published: dict[str, Seen] = {}
        self._arrived = asyncio.Event()

    async def read(self, consumer: AIOKafkaConsumer) -> None:
        """Takes down what arrives in the topics, for ever."""
        async for record in consumer:
            if (seen := see(record)) is not None:
                self._published.setdefault(seen.id, seen)
                self._arrived.set()

    async def call(
        self,
        who: Person | None,
        service: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        expect: int | tuple[int, ...] = (200, 201, 204),
    ) -> Answer:
        """One HTTP call as that person. Raises Failure when the status is another than expected."""
        given = {**({"Authorization": f"Bearer {who.token}"} if who else {}), **(headers or {})}
        began = time.perf_counter()
        try:
            answer = await self._http.request(method, self.endpoints[service] + path, json=body, headers=given)
        except httpx2.HTTPError as broken:
            raise Failure(
                f"{service} doesn't answer {method} {path}: {broken!r}. See `booking logs {service}`."
            ) from None
        taken = (time.perf_counter() - began) * 1000
        wanted = (expect,) if isinstance(expect, int) else expect
        if answer.status_code not in wanted:
            raise Failure(
                f"{method} {path} of {service} was answered {answer.status_code}, not {wanted[0]}: {answer.text}"
            )
        content = answer.json() if answer.content else None
        return Answer(method, path, answer.status_code, content, answer.headers, taken)

    async def query(self, database: str, text: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of a service's database; only the demo looks there, the flow itself is HTTP."""
        cursor = await self._stores[database].execute(text.encode(), values)
        return await cursor.fetchall()

    async def stored(self, database: str, stream: str, after: int, types: tuple[str, ...]) -> list[dict[str, Any]]:
        """The stream's events after that version, once the expected types are among them."""

        async def look() -> list[dict[str, Any]] | None:
            rows = await self.query(
                database,
                "SELECT id::text AS id, version, type, metadata ->> 'actor' AS actor FROM events"
                " WHERE stream_id = %s AND version > %s ORDER BY version",
                stream,
                after,
            )
            return rows if set(types) <= {row["type"] for row in rows} else None

        return await self.until(f"{' and '.join(types)} in the store of {database}", look)

    async def published(self, ids: list[str], what: str) -> list[Seen]:
        """The Kafka records of these events, in the order asked, as soon as all are there."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not all(one in self._published for one in ids):
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise Failure(f"Not in Kafka within {PATIENCE:.0f} s: {what}. See `booking logs`.") from None
        return [self._published[one] for one in ids]

    async def state_record(self, topic: str, key: str) -> Seen:
        """The newest record of a state topic for this key."""

        async def look() -> Seen | None:
            found = [one for one in self._published.values() if one.topic == topic and one.key == key]
            return max(found, key=lambda one: one.offset, default=None)

        return await self.until(f"a record of {key} in {topic}", look)

    async def message(self, to: Person, channel: str, event_id: str, admin: Person) -> dict[str, Any]:
        """What this person got by this channel because of this event: the ledger names the message, the box has it."""

        async def noted() -> str | None:
            listed = await self.call(admin, "notifier", "GET", "/v1/notifications?limit=200")
            mine = (str(to.sub), channel, event_id)
            found = [
                item["id"]
                for item in listed.body["items"]
                if (item["recipient_id"], item["channel"], item["cause_event_id"]) == mine
                and item["status"] in ("sending", "sent", "delivered")
            ]
            return found[0] if found else None

        what = f"the {channel} message to {to.name}"
        notification = await self.until(f"{what} in the notifier's ledger", noted, seconds=_PACED)
        box, name = ("mailbox", "message_id") if channel == "email" else ("whatsapp", "biz_opaque_callback_data")

        async def arrived() -> dict[str, Any] | None:
            return next((one for one in await self._messages(box) if notification in str(one.get(name))), None)

        return await self.until(what, arrived, seconds=_PACED)

    async def until(self, what: str, look: Callable[[], Awaitable[T | None]], *, seconds: float = PATIENCE) -> T:
        """The first answer of `look` that isn't None. Raises Failure naming `what`."""
        deadline = time.monotonic() + seconds
        while True:
            found = await look()
            if found is not None:
                return found
            if time.monotonic() > deadline:
                raise Failure(f"Didn't arrive within {seconds:.0f} s: {what}. See `booking logs`.")
            await asyncio.sleep(_LOOK_EVERY)

    async def _messages(self, box: str) -> list[dict[str, Any]]:
        answer = await self._http.get(self.endpoints[box] + "/messages")
        return answer.json()["items"]


async def count_ids(bootstrap: str, topics: tuple[Topic, ...]) -> tuple[int, int]:
    """How many distinct event ids, and how many records, these topics hold."""
    seen = [see(record) for topic in topics async for record in read_topic(bootstrap, topic.name)]
    return len({one.id for one in seen if one is not None}), len(seen)
