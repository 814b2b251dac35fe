"""The system as the demo sees it: its HTTP interface, and windows onto stores, topics, messages and calendar rows."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import httpx2
import psycopg
from psycopg.rows import AsyncRowFactory, dict_row

from booking_local.demo.people import Person
from booking_local.demo.records import Records, Seen
from booking_local.failure import Failure

T = TypeVar("T")
PATIENCE = 20.0
_PACED = 60.0
_LOOK_EVERY = 0.03


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call was answered, and how long that took in milliseconds."""

    method: str
    path: str
    status: int
    body: Any
    headers: httpx2.Headers
    milliseconds: float


class Stage:
    """Opened once per run. Every wait has a deadline and says in its failure what didn't arrive."""

    def __init__(self, endpoints: dict[str, Any], http: httpx2.AsyncClient, records: Records) -> None:
        self.endpoints = endpoints
        self._http = http
        self._records = records
        self._stores: dict[str, psycopg.AsyncConnection[dict[str, Any]]] = {}

    async def open(self) -> None:
        """Connects to the databases."""
        for name, url in self.endpoints["postgres"].items():
            self._stores[name] = await psycopg.AsyncConnection[dict[str, Any]].connect(
                url, autocommit=True, row_factory=cast("AsyncRowFactory[dict[str, Any]]", dict_row)
            )

    async def close(self) -> None:
        """Ends the connections."""
        for connection in self._stores.values():
            await connection.close()

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
                "SELECT id::text AS id, version, type, actor FROM events"
                " WHERE stream_id = %s AND version > %s ORDER BY version",
                stream,
                after,
            )
            return rows if set(types) <= {row["type"] for row in rows} else None

        return await self.until(f"{' and '.join(types)} in the store of {database}", look)

    async def published(self, ids: list[str], what: str) -> list[Seen]:
        """The Kafka records of these events."""
        try:
            return await self._records.find(ids, seconds=PATIENCE)
        except TimeoutError:
            raise Failure(f"Not in Kafka within {PATIENCE:.0f} s: {what}. See `booking logs`.") from None

    async def state_record(self, topic: str, key: str) -> Seen:
        """The newest record of a state topic for this key."""

        async def look() -> Seen | None:
            found = [one for one in self._records.by_id.values() if one.topic == topic and one.key == key]
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
                and item["state"] in ("sending", "sent", "delivered")
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
