"""Doing the faults of a plan to a running stack."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from tests.chaos.faults import SERVICES, Fault
from tests.chaos.history import Recorder
from tests.chaos.network import KINDS, Network
from tests.chaos.stack import Stack
from tests.rigs.databases import opened

from booking_contracts.deadlines import connected

EVENT_TOPICS = ("booking.checkout.transactions.v1", "booking.consultation.sessions.v1")
_LOOK_BACK = 400
_SLOW_COMMITS = """
    CREATE OR REPLACE FUNCTION rig_slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF hashtext(NEW.key) % 2 = 0 THEN PERFORM pg_sleep(0.5); END IF; RETURN NULL;
    END $$;
    DROP TRIGGER IF EXISTS rig_slow ON outbox;
    CREATE CONSTRAINT TRIGGER rig_slow AFTER INSERT ON outbox DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION rig_slow()
"""
"""At the commit, after everything else: a lock would hold a statement up before it takes its marks' ids."""
_NO_SLOW_COMMITS = "DROP TRIGGER IF EXISTS rig_slow ON outbox"
_TAKEN = {"checkout": "inbox", "consultation": "inbox", "notifier": "inbox", "calendar": "projection_position"}
"""The table that a consumer writes with each record, by its service."""
_HELD_COMMITS = """
    CREATE OR REPLACE FUNCTION rig_held() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_sleep(3); RETURN NULL;
    END $$;
    DROP TRIGGER IF EXISTS rig_held ON {table};
    CREATE CONSTRAINT TRIGGER rig_held AFTER INSERT OR UPDATE ON {table} DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION rig_held()
"""
_NO_HELD_COMMITS = "DROP TRIGGER IF EXISTS rig_held ON {table}"
_COMMITTING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
_COMMITS_WITHIN = 8.0


@dataclass(frozen=True)
class Raw:
    """A record to be sent as it is."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class Injector:
    """Does each fault at its time. What cannot be done just then (the broker is away) is noted, not retried."""

    def __init__(self, stack: Stack, recorder: Recorder, network: Network) -> None:
        self._stack, self._recorder, self._network = stack, recorder, network
        self.injected: dict[tuple[str, int, int], str] = {}
        self.done: dict[str, int] = {}
        self.missed: dict[str, int] = {}
        self.skipped: dict[str, int] = {}
        self._ways: dict[str, Callable[[Fault], Awaitable[bool]]] = {
            "kill": self._kill,
            "restart": self._restart,
            "pause": self._pause,
            "cut": self._cut,
            "duplicate": self._copy,
            "reorder": self._copy,
            "poison": self._poison,
            "mail_down": self._mail_down,
            "slow_writer": self._slow_writer,
            "mid_commit": self._mid_commit,
            **dict.fromkeys(KINDS, self._hurt_network),
        }

    async def run(self, faults: Sequence[Fault], began: float) -> None:
        """Every fault of the plan; `began` is the loop time of the load's start."""
        loop = asyncio.get_running_loop()
        for fault in faults:
            await asyncio.sleep(max(0.0, began + fault.at - loop.time()))
            if reason := self._network.skipped.get(fault.kind):
                self.skipped[fault.kind] = self.skipped.get(fault.kind, 0) + 1
                self._recorder.note("fault_skipped", kind=fault.kind, reason=reason)
                continue
            try:
                done = await self._ways[fault.kind](fault)
            except (psycopg.Error, KafkaError, httpx2.HTTPError, OSError, TimeoutError) as error:
                self.missed[fault.kind] = self.missed.get(fault.kind, 0) + 1
                self._recorder.note("fault_missed", kind=fault.kind, target=fault.target, error=type(error).__name__)
                continue
            self.done[fault.kind] = self.done.get(fault.kind, 0) + done
            self._recorder.note("fault", kind=fault.kind, target=fault.target, seconds=fault.seconds, done=done)

    async def heal(self) -> None:
        """Undo what lasts."""
        self._stack.wake()
        await self._network.heal()
        await self._quicken()
        async with httpx2.AsyncClient(timeout=5.0, trust_env=False) as http:
            await http.put(f"{self._stack.endpoints['mailbox']}/behaviour", json={"mode": "ok"})

    async def _quicken(self) -> None:
        """No slow or held commits, also where a fault could not end; the database may be on its way back."""
        undone = [("consultation", _NO_SLOW_COMMITS)]
        undone += [(service, _NO_HELD_COMMITS.format(table=table)) for service, table in _TAKEN.items()]
        for service, undo in undone:
            async with asyncio.timeout(60):
                await self._undo(service, undo)

    async def _undo(self, service: str, undo: str) -> None:
        while True:
            with suppress(psycopg.Error, OSError):
                async with self._admin(service) as conn:
                    await conn.execute(undo.encode())
                    return
            await asyncio.sleep(0.5)

    def _admin(self, service: str) -> AbstractAsyncContextManager[psycopg.AsyncConnection]:
        """The superuser in a service's database: it sees other roles' waits and may end their sessions."""
        return opened(self._stack.admin_url, dbname=service, options="-c lock_timeout=5000")

    async def _kill(self, fault: Fault) -> bool:
        return self._stack.kill(self._name(fault.target))

    async def _restart(self, fault: Fault) -> bool:
        # PostgreSQL's SIGTERM waits for its clients to leave, for ever with a pool; SIGINT is its ordinary restart.
        number = signal.SIGINT if fault.target == "postgres" else signal.SIGTERM
        return self._stack.kill(self._name(fault.target), number)

    async def _pause(self, fault: Fault) -> bool:
        if self._stack.pause(self._name(fault.target)) is None:
            return False
        await asyncio.sleep(fault.seconds)
        self._stack.wake()
        return True

    async def _cut(self, fault: Fault) -> bool:
        database = random.Random(fault.seed).choice(SERVICES)
        sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s"
        async with opened(self._stack.admin_url) as conn:
            row = await (await conn.execute(sql, [database])).fetchone()
        return bool(row and row[0])

    async def _slow_writer(self, fault: Fault) -> bool:
        """Half of the streams commit slowly: with their marks' ids taken, while others overtake them (F25)."""
        async with self._admin("consultation") as conn:
            await conn.execute(_SLOW_COMMITS)
            await asyncio.sleep(fault.seconds)
            await conn.execute(_NO_SLOW_COMMITS)
        return True

    async def _mid_commit(self, fault: Fault) -> bool:
        """A consumer dies, and its transaction with it, while it commits what it took: not by luck within the few
        milliseconds that this lasts, but because the commit is held until it was seen. False: nothing was taken."""
        table = _TAKEN[fault.target]
        async with self._admin(fault.target) as conn:
            await conn.execute(_HELD_COMMITS.format(table=table).encode())
            try:
                committing = await self._committing(conn)
                killed = bool(committing) and self._stack.kill(self._name(fault.target))
                for pid in committing:
                    await conn.execute("SELECT pg_terminate_backend(%s)", [pid])
            finally:
                await conn.execute(_NO_HELD_COMMITS.format(table=table).encode())
        return killed

    async def _committing(self, conn: psycopg.AsyncConnection) -> list[int]:
        """The backends whose commit is held, once there is one; none after a while without."""
        deadline = asyncio.get_running_loop().time() + _COMMITS_WITHIN
        while asyncio.get_running_loop().time() < deadline:
            found = [int(row[0]) for row in await (await conn.execute(_COMMITTING)).fetchall()]
            if found:
                return found
            await asyncio.sleep(0.02)
        return []

    async def _mail_down(self, fault: Fault) -> bool:
        address = f"{self._stack.endpoints['mailbox']}/behaviour"
        async with httpx2.AsyncClient(timeout=5.0, trust_env=False) as http:
            await http.put(address, json={"mode": "down"})
            await asyncio.sleep(fault.seconds)
            await http.put(address, json={"mode": "ok"})
        return True

    async def _hurt_network(self, fault: Fault) -> bool:
        if fault.target == "postgres":
            # As dangerous as its crash (N3): it may fall between a provider's acceptance and our record of it.
            self._stack.crashes["postgres-line"] = self._stack.crashes.get("postgres-line", 0) + 1
        self._recorder.note("fault_begins", kind=fault.kind, target=fault.target, seconds=fault.seconds)
        return await self._network.hurt(fault)

    async def _copy(self, fault: Fault) -> bool:
        """The same bytes again: adjacent ones of one partition in reverse (reorder), or any (duplicate)."""
        chance = random.Random(fault.seed)
        records = await self._recent(chance.choice(EVENT_TOPICS))
        if not records:
            return False
        if fault.kind == "reorder":
            start = chance.randrange(len(records))
            chosen = records[start : start + 6][::-1]
        else:
            chosen = [chance.choice(records) for _ in range(4)]
        for record in chosen:
            elsewhere = fault.kind == "duplicate" and chance.random() < 0.5
            partition = chance.randrange(6) if elsewhere else record.partition
            copy = Raw(record.topic, partition, record.key, record.value, list(record.headers))
            await self._send(copy, fault.kind)
        return True

    async def _poison(self, fault: Fault) -> bool:
        """Keys of their own: a poisoned key waits for an operator, and here there is none."""
        chance = random.Random(fault.seed)
        topic = chance.choice(EVENT_TOPICS)
        noise = chance.randbytes(chance.choice((0, 1, 200, 900_000)))
        key = chance.choice((None, b"\xff\xfe", str(uuid4()).encode()))
        kinds: list[list[tuple[str, bytes | None]]] = [
            [],
            [("ce_id", None)],
            [("ce_id", b"\xff\xfe"), ("ce_type", b"\x00")],
            [("ce_specversion", b"1.0"), ("ce_sequence", b"-1")],
        ]
        # No two alike: the same bytes again are one held record and a duplicate, which I13 could not tell from a loss.
        headers = [*chance.choice(kinds), ("rig", str(uuid4()).encode())]
        await self._send(Raw(topic, chance.randrange(6), key, noise, headers), "poison")
        return True

    async def _send(self, raw: Raw, kind: str) -> None:
        async with asyncio.timeout(10):
            made = AIOKafkaProducer(
                bootstrap_servers=self._stack.endpoints["kafka"], acks="all", max_request_size=2_000_000
            )
            async with connected(made) as producer:
                sent = await producer.send_and_wait(
                    raw.topic, raw.value, key=raw.key, partition=raw.partition, headers=raw.headers
                )
        self.injected[raw.topic, raw.partition, sent.offset] = kind
        self._recorder.note("injected", kind=kind, topic=raw.topic, partition=raw.partition, offset=sent.offset)

    async def _recent(self, topic: str) -> list[Any]:
        """The last records of a topic, of one partition after the other, without those injected before."""
        found: list[Any] = []
        async with asyncio.timeout(10):
            made = AIOKafkaConsumer(bootstrap_servers=self._stack.endpoints["kafka"], enable_auto_commit=False)
            async with connected(made) as consumer:
                partitions = [TopicPartition(topic, n) for n in range(6)]
                ends = await consumer.end_offsets(partitions)
                consumer.assign([p for p in partitions if ends[p]])
                for partition in consumer.assignment():
                    consumer.seek(partition, max(0, ends[partition] - _LOOK_BACK // 6))
                while consumer.assignment():
                    batch = await consumer.getmany(timeout_ms=300)
                    if not batch:
                        break
                    found += [record for records in batch.values() for record in records]
        return [r for r in found if (r.topic, r.partition, r.offset) not in self.injected]

    def _name(self, target: str) -> str:
        """A service may run as one process or as two; take either."""
        running = self._stack.processes()
        names = [name for name in running if name == target or name.startswith(f"{target}-")]
        return random.choice(names) if names else target
