"""A command is one statement: AppendSql runs an aggregate's ``append.sql`` and names its conflicts.

Promise: either everything of the statement is committed (events, marks, read row, claims, idempotency record) or
nothing is, and the caller is told which conflict it met. On an autocommit connection that is one round trip.

Three parts are the same in every append.sql and written there as ``{{idempotency}}``, ``{{events}}``, ``{{outbox}}``.
They name the CTEs of the canonical shape: ``guard`` (always there; ``SELECT 1`` when there is nothing to guard),
``ik``, ``ev``.
"""

import asyncio
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any, Final, Protocol
from uuid import UUID

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus

from booking_contracts import envelope, wire
from booking_contracts.event import Event
from booking_contracts.ids import uuid7
from booking_contracts.topics import topic_named
from booking_postgres import Binary, Prepared
from booking_store.errors import Contended, GuardFailed, StoreError, TooLarge, conflict

MAX_DATA_BYTES: Final = 512 * 1024
RERUNS: Final = 5
_Parameters = list[bytes | None]
_PLACEHOLDER = re.compile(r"%\((\w+)\)s(?=::(\w+(?:\[\])?))?")

# Everything hangs on this row: were the events tried first, the twin of a success would meet the version or overlap
# constraint and be answered a conflict instead of the success (test_append__the_twin_of_a_success_is_told_so).
_WITH_KEY = """
    INSERT INTO idempotency (sub, operation, key, sha, status, object_id, version, created_at)
    SELECT %(ik_sub)s::text, %(ik_operation)s::text, %(ik_key)s::text, %(ik_sha)s::bytea, %(ik_status)s::smallint,
           %(ik_object_id)s::uuid, %(ik_version)s::int, statement_timestamp()
    FROM guard RETURNING 1"""

_WITHOUT_KEY = "SELECT 1 FROM guard"

# The join on the version before: an expected version that isn't in the stream writes nothing (no hole, I3), and
# recorded_at is never before its predecessor's, even when the server's clock was set back (as_of reads a prefix).
_EVENTS = """
    INSERT INTO events (stream_type, stream_id, version, id, type, type_version, data,
                        metadata, traceparent, occurred_at, recorded_at)
    SELECT %(stream_type)s::text, %(stream_id)s::uuid, %(expected)s::int + u.o::int,
           u.id, u.type, u.type_version, u.data, %(metadata)s::json, %(traceparent)s::text,
           %(occurred_at)s::timestamptz,
           greatest(statement_timestamp(), before.recorded_at)
    FROM ik
    CROSS JOIN unnest(%(ids)s::uuid[], %(types)s::text[], %(type_versions)s::smallint[], %(datas)s::json[])
         WITH ORDINALITY AS u (id, type, type_version, data, o)
    LEFT JOIN events before ON before.stream_id = %(stream_id)s::uuid AND before.version = %(expected)s::int
    WHERE %(expected)s::int = 0 OR before.version IS NOT NULL
    ORDER BY u.o
    RETURNING position, version, recorded_at"""

# ORDER BY version: the relay sends in the order of the marks' ids. A mark's time is its event's: it becomes the
# record's.
_OUTBOX = """
    INSERT INTO outbox (topic, key, position, record, created_at)
    SELECT %(topic)s::text, %(stream_id)s::uuid::text, position,
           (%(records)s::bytea[])[version - %(expected)s::int], recorded_at
    FROM ev ORDER BY version"""


@dataclass(frozen=True, slots=True)
class Cause:
    """The part of the envelope that comes from the caller, equal for all events of one command.

    ``actor`` is ``member:<uuid>``, ``practitioner:<uuid>``, ``admin:<uuid>``, ``service:<name>`` or ``system``.
    """

    actor: str
    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None


class IdempotencyKey(Protocol):
    """What the store needs of a request's idempotency key; ``sha`` is the digest of path and body."""

    @property
    def sub(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def sha(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Appended:
    """The stream's new version and the ids of the events, in order."""

    version: int
    ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class _Statement:
    """The statement, and what makes its parameters of values by their names."""

    prepared: Prepared
    encode: Binary

    @classmethod
    def parse(cls, text: str) -> "_Statement":
        """ValueError for a parameter without a cast beside it, or with two different ones: it is the type sent."""
        types: dict[str, str] = {}
        for name, type_ in _PLACEHOLDER.findall(text):
            if not type_ or types.setdefault(name, type_) != type_:
                raise ValueError(f"%({name})s needs one cast, the same everywhere")
        number = {name: f"${index}" for index, name in enumerate(types, 1)}
        return cls(Prepared(_PLACEHOLDER.sub(lambda found: number[found[1]], text)), Binary(types))


class AppendSql:
    """One aggregate's append statement; make one when the program starts, run it for every command.

    ``constraints`` gives the aggregate's own unique constraints the code that a `UniqueConflict` shall carry;
    ``topic`` is the logical name for the marks; KeyError for one that is not in the catalogue.
    """

    def __init__(self, text: str, *, topic: str | None = None, constraints: Mapping[str, str] | None = None) -> None:
        self._keyed = _Statement.parse(expand(text, keyed=True))
        self._keyless = _Statement.parse(expand(text, keyed=False))
        self._topic = None if topic is None else topic_named(topic)
        self._constraints = dict(constraints or {})

    @classmethod
    def load(
        cls,
        package: str,
        name: str = "append.sql",
        *,
        topic: str | None = None,
        constraints: Mapping[str, str] | None = None,
    ) -> "AppendSql":
        """The statement from a file beside the aggregate's decider."""
        return cls((files(package) / name).read_text(encoding="utf-8"), topic=topic, constraints=constraints)

    async def run(
        self,
        conn: psycopg.AsyncConnection[Any],
        *,
        stream_type: str,
        stream_id: UUID,
        expected: int,
        events: Sequence[Event],
        cause: Cause,
        occurred_at: datetime,
        idempotency: IdempotencyKey | None = None,
        status: int | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Appended:
        """Append ``events`` after version ``expected`` (0: a new stream) with all that hangs on them.

        ``status`` is what the idempotency record answers with (default: 201 for a new stream, else 200). A name in
        ``params`` wins over the standard one. Inside a transaction it runs in a savepoint, so the caller may catch
        and go on. Raises the errors of `booking_store.errors`.
        """
        ids = tuple(uuid7() for _ in events)
        version = expected + len(events)
        datas = _datas(events)
        metadata = envelope.metadata(cause.actor, cause.correlation_id, cause.causation_id)
        traceparent = envelope.sampled(cause.traceparent)
        values: dict[str, Any] = {
            "ids": ids,
            "types": [event.TYPE for event in events],
            "type_versions": [event.TYPE_VERSION for event in events],
            "datas": datas,
            "stream_type": stream_type,
            "stream_id": stream_id,
            "expected": expected,
            "topic": self._topic and self._topic.name,
            "metadata": metadata,
            "traceparent": traceparent,
            "occurred_at": occurred_at,
            **_key_parameters(idempotency, status or (200 if expected else 201), stream_id, version),
            **(params or {}),
        }
        if self._topic is not None:
            key, time = str(stream_id).encode(), envelope.rfc3339(occurred_at).encode()
            values["records"] = [
                wire.record(
                    self._topic.source,
                    event.TYPE,
                    event.TYPE_VERSION,
                    key=key,
                    value=data.encode(),
                    event_id=str(ids[index]).encode(),
                    time=time,
                    sequence=str(expected + 1 + index).encode(),
                    metadata=metadata.encode(),
                    traceparent=None if traceparent is None else traceparent.encode(),
                )
                for index, (event, data) in enumerate(zip(events, datas, strict=True))
            ]
        statement = self._keyless if idempotency is None else self._keyed
        written = await self._run(conn, statement.prepared, statement.encode(values))
        if written != version:
            raise GuardFailed(f"{stream_type} {stream_id}: nothing was written after version {expected}")
        return Appended(version, ids)

    async def _run(self, conn: psycopg.AsyncConnection[Any], prepared: Prepared, parameters: _Parameters) -> int:
        for attempt in range(1, RERUNS + 1):
            try:
                return await _execute(conn, prepared, parameters)
            except (errors.DeadlockDetected, errors.SerializationFailure) as error:
                # Inserters under an exclusion constraint can deadlock (K33): the victim wrote nothing and may simply
                # run again.
                if attempt == RERUNS:
                    raise Contended(str(error)) from error
                await asyncio.sleep(random.uniform(0.01, 0.05) * 2**attempt)  # noqa: S311 - jitter
            except errors.IntegrityError as error:
                raise self._named(error) from error
        raise AssertionError("unreachable")

    def _named(self, error: errors.IntegrityError) -> Exception:
        named: StoreError | None = conflict(error, self._constraints)
        return named if named is not None else error


async def _execute(conn: psycopg.AsyncConnection[Any], prepared: Prepared, parameters: _Parameters) -> int:
    if conn.autocommit and conn.info.transaction_status == TransactionStatus.IDLE:
        return await _one(conn, prepared, parameters)
    if conn.info.transaction_status == TransactionStatus.IDLE:
        # psycopg begins at the first statement; conn.transaction() would take the block for its own and commit at its
        # end.
        await conn.execute("SELECT 1")
    async with conn.transaction():
        return await _one(conn, prepared, parameters)


async def _one(conn: psycopg.AsyncConnection[Any], prepared: Prepared, parameters: _Parameters) -> int:
    version = (await prepared.run_binary(conn, parameters)).get_value(0, 0)
    return 0 if version is None else int(version)


def _datas(events: Sequence[Event]) -> list[str]:
    datas = [event.to_json() for event in events]
    for event, data in zip(events, datas, strict=True):
        # A character is at most four bytes: the length alone clears nearly every event.
        if len(data) * 4 > MAX_DATA_BYTES and len(data.encode()) > MAX_DATA_BYTES:
            raise TooLarge(f"{event.TYPE}: the data of an event may be {MAX_DATA_BYTES} bytes")
    return datas


def _key_parameters(key: IdempotencyKey | None, status: int, object_id: UUID, version: int) -> dict[str, Any]:
    return {
        "ik_sub": key and key.sub,
        "ik_operation": key and key.operation,
        "ik_key": key and key.key,
        "ik_sha": key and key.sha,
        "ik_status": status,
        "ik_object_id": object_id,
        "ik_version": version,
    }


def expand(text: str, *, keyed: bool) -> str:
    """The text with its fragments in place, for a request with or without an idempotency key."""
    for name, fragment in (
        ("idempotency", _WITH_KEY if keyed else _WITHOUT_KEY),
        ("events", _EVENTS),
        ("outbox", _OUTBOX),
    ):
        text = text.replace("{{" + name + "}}", fragment.strip())
    return text
