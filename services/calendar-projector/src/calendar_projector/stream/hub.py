"""Hands items to the open streams of this process.

A worker's commit wakes every process that serves streams (NOTIFY); each reads what is new once, however many look, and
nothing while nobody does. Who was woken late, or is too slow, reads on from the log: no connection that ends loses one.
"""

import asyncio
import contextlib
import json
import logging
from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from prometheus_client import Gauge

from booking_postgres import Connection
from booking_process.database import Database, DatabaseDownError
from booking_web.problems import unavailable
from calendar_projector.stream.log import CHANNEL, Reader, Stored, head, missed, page

log = logging.getLogger("booking.stream")

_MOST_WAITING = 200
_PATIENCE, _PAUSE = 2.0, 1.0
_OPEN = Gauge("booking_streams_open", "Streams of changes that are open in this process.")


@dataclass(eq=False)
class OpenStream:
    """One reader's. `place` is up to where they were told; `news` is set whenever `take` has something to do."""

    reader: Reader
    place: int
    news: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False
    """The reader's right has ended."""
    refresh: bool = False
    """They shall read again."""
    behind: bool = False
    """Not all that is theirs waits: the log has it."""
    waiting: deque[Stored] = field(default_factory=deque[Stored])

    def put(self, one: Stored) -> None:
        """Hand it over, never wait: who is slow reads on from the log."""
        if len(self.waiting) >= _MOST_WAITING:
            self.waiting.clear()
            self.behind = True
        self.waiting.append(one)
        self.news.set()

    async def take(self, database: Database) -> list[tuple[int, str]]:
        """What is new, as `(place, item)`; sets `refresh` where it is more than is told."""
        found: list[tuple[int, str]] = []
        if self.behind:
            try:
                async with database.autocommit() as conn:
                    rest = await missed(conn, self.reader, self.place)
            except DatabaseDownError:
                asyncio.get_running_loop().call_later(_PAUSE, self.news.set)
                return []
            self.behind, self.refresh = False, self.refresh or not rest.whole
            self.place = rest.place
            found += rest.items
        while self.waiting:
            one = self.waiting.popleft()
            if one.place > self.place:
                self.place = one.place
                found.append((one.place, one.item))
        return found


class Hub:
    """The open streams of a process, and the one connection that hears what was committed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._of_person: dict[UUID, set[OpenStream]] = {}
        self._of_admins: set[OpenStream] = set()
        self._place = 0
        self._hearing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def open(self, reader: Reader, after: int | None) -> Generator[OpenStream]:
        """A stream of what comes from now on, and of what came since `after`."""
        stream = OpenStream(reader, self._place if after is None else after, behind=after is not None)
        streams = self._of_admins if reader.admin else self._of_person.setdefault(reader.person, set())
        streams.add(stream)
        _OPEN.inc()
        try:
            yield stream
        finally:
            _OPEN.dec()
            streams.discard(stream)
            if not streams:
                self._of_person.pop(reader.person, None)

    async def hears(self) -> None:
        """Return once the process hears of changes; Problem 503 if it doesn't within two seconds."""
        try:
            await asyncio.wait_for(self._hearing.wait(), _PATIENCE)
        except TimeoutError:
            raise unavailable() from None

    async def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._run(), name="stream-hub")

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def _all(self) -> Iterable[OpenStream]:
        yield from self._of_admins
        for streams in self._of_person.values():
            yield from streams

    async def _run(self) -> None:
        while True:
            try:
                async with await _connect(self._database.direct_url) as conn:
                    await conn.execute(f"LISTEN {CHANNEL}".encode())
                    await self._begin(conn)
                    async for notification in conn.notifies():
                        await self._heard(notification.payload)
            except (psycopg.Error, OSError, DatabaseDownError) as error:
                log.info("changes are not heard: %s", type(error).__name__)
            self._hearing.clear()
            await asyncio.sleep(_PAUSE)

    async def _begin(self, conn: Connection) -> None:
        last, horizon = await head(conn)
        if self._place < horizon:  # the first time, or a day later
            self._place = last
            for stream in self._all():
                stream.behind = True
                stream.news.set()
        await self._read_on(last)
        self._hearing.set()

    async def _heard(self, payload: str) -> None:
        told = json.loads(payload)
        if "place" in told:
            await self._read_on(told["place"])
        for stream in list(self._of_person.get(UUID(told["ended"]), ())) if "ended" in told else ():
            stream.ended = True
            stream.news.set()
        for stream in list(self._all()) if "refresh" in told else ():
            stream.refresh = True
            stream.news.set()

    async def _read_on(self, last: int) -> None:
        """Hand out what was appended up to `last`; what comes while nobody looks is not even read."""
        while self._place < last:
            if not self._of_person and not self._of_admins:
                self._place = last
                return
            async with self._database.autocommit() as conn:
                found = await page(conn, self._place)
            for one in found:
                self._hand_out(one)
                self._place = one.place
            if not found:
                self._place = last  # forgotten already

    def _hand_out(self, one: Stored) -> None:
        for stream in self._of_admins if one.admins else ():
            stream.put(one)
        for person in {one.member_id, one.practitioner_id}:
            for stream in self._of_person.get(person, ()) if person else ():
                stream.put(one)


async def _connect(url: str) -> Connection:
    return await Connection.connect(
        url,
        autocommit=True,
        application_name="calendar-stream",
        connect_timeout=3,
        keepalives_idle=15,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=15_000,
    )
