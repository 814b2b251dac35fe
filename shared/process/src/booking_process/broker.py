"""Kafka as a process asks for it: whether a broker answers and has our topics, and whether those are as they must be.

The probe is Kafka's ApiVersions and Metadata requests on a connection of its own. A TCP connect would not do: a stopped
broker's kernel still accepts. aiokafka's client would: it costs a second. And a broker without the topics (a new
cluster, a wrong address or prefix) takes nothing from us, however well it answers. One that wants a password is asked
through aiokafka's connection, which knows SCRAM: not to be let in is to be without a broker."""
# pyright: reportMissingTypeStubs=false

import asyncio
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import structlog
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest, MetadataResponse_v5

from booking_contracts.admin import compare_topics
from booking_contracts.brokers import connection_options, security_of

log = structlog.get_logger(__name__)

_CLIENT = b"probe"
_API_VERSIONS, _METADATA, _METADATA_VERSION = 18, 3, 5
_MOST_BYTES = 10_000_000
_AGAIN_SECONDS, _SAY_SECONDS = 5.0, 60.0


@dataclass(frozen=True)
class BrokerState:
    """What a probe found: ``why`` no broker answered (None: one did), and which of the topics asked for don't exist."""

    why: str | None
    missing: Sequence[str] = ()

    def __str__(self) -> str:
        """As /readyz shows it: `ok`, `down`, or `3 topics missing`."""
        if self.why is not None:
            return "down"
        return f"{len(self.missing)} topics missing" if self.missing else "ok"


async def why_no_broker(bootstrap: str, seconds: float = 2.0) -> str | None:
    """None when any of the `host:port` answers within so many seconds, else what each did instead."""
    return (await broker_state(bootstrap, (), seconds)).why


async def broker_state(bootstrap: str, topics: Sequence[str], seconds: float = 2.0) -> BrokerState:
    """The best of what the `host:port` in `bootstrap` answer within `seconds`. Creates no topic by asking for it."""
    addresses = [address.strip() for address in bootstrap.split(",")]
    state = _let_in if security_of(bootstrap).sasl else _state
    found = await asyncio.gather(*(state(address, bootstrap, topics, seconds) for address in addresses))
    if answering := [state for state in found if state.why is None]:
        return min(answering, key=lambda state: len(state.missing))
    return BrokerState("; ".join(f"{address}: {state.why}" for address, state in zip(addresses, found, strict=True)))


async def _state(address: str, bootstrap: str, topics: Sequence[str], seconds: float) -> BrokerState:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(
                host.strip("[]"), int(port), ssl=security_of(bootstrap).context()
            )
            try:
                await _ask(reader, writer, _API_VERSIONS, 0, b"")
                return BrokerState(None, await _missing(reader, writer, topics) if topics else ())
            finally:
                writer.transport.abort()
    except TimeoutError:
        return BrokerState("no answer")
    except asyncio.IncompleteReadError:
        return BrokerState("the connection ended without an answer")
    except socket.gaierror:
        return BrokerState("no such host")
    except (OSError, ValueError) as error:
        return BrokerState(_words(error))


async def _let_in(address: str, bootstrap: str, topics: Sequence[str], seconds: float) -> BrokerState:
    host, _, port = address.rpartition(":")
    connection: Any = AIOKafkaConnection(
        host.strip("[]"), int(port), client_id="probe", **connection_options(bootstrap)
    )
    try:
        async with asyncio.timeout(seconds):
            await connection.connect()
            answer: Any = await connection.send(MetadataRequest(list(topics), allow_auto_topic_creation=False))
    except TimeoutError:
        return BrokerState("no answer")
    except socket.gaierror:
        return BrokerState("no such host")
    except (KafkaError, OSError) as error:
        return BrokerState(_words(error))
    finally:
        connection.close()
    there = {
        found["topic"] for found in answer.to_object()["topics"] if not found["error_code"] and found["partitions"]
    }
    return BrokerState(None, tuple(topic for topic in topics if topic not in there))


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__


async def _missing(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, topics: Sequence[str]
) -> tuple[str, ...]:
    names = b"".join(struct.pack(">h", len(name)) + name for name in (topic.encode() for topic in topics))
    create = b"\x00"
    body = struct.pack(">i", len(topics)) + names + create
    reply: Any = BytesIO(await _ask(reader, writer, _METADATA, _METADATA_VERSION, body))
    answer: Any = MetadataResponse_v5.decode(reply)
    there = {topic for error, topic, _, partitions in answer.topics if not error and partitions}
    return tuple(topic for topic in topics if topic not in there)


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, api: int, version: int, body: bytes
) -> bytes:
    """The answer's body; ValueError when it is no answer of Kafka's."""
    request = struct.pack(">hhih", api, version, api, len(_CLIENT)) + _CLIENT + body
    writer.write(struct.pack(">i", len(request)) + request)
    await writer.drain()
    size, correlation = struct.unpack(">ii", await reader.readexactly(8))
    if correlation != api or not 4 <= size <= _MOST_BYTES:
        raise ValueError("something else than a broker answers")
    return await reader.readexactly(size - 4)


async def wrong_topics(bootstrap: str, prefix: str) -> str | None:
    """Once the broker answers and has every topic: None, or a sentence that says what is wrong and what to do.

    Waits as long as the broker is away (commands go on without it) or topics are still to be made; names those in the
    log once a minute.
    """
    said_at = float("-inf")
    while True:
        try:
            missing, wrong = await compare_topics(bootstrap, prefix)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("topics_not_checked", why=type(error).__name__)
            missing, wrong = ["?"], []
        if wrong:
            return (
                f"Kafka's topics are not as the catalogue says: {'; '.join(wrong)}. "
                "A topic that a broker made by itself, or that expires, loses events: set it right with Kafka's "
                "own tools, then start again."
            )
        if not missing:
            return None
        if missing != ["?"] and time.monotonic() - said_at > _SAY_SECONDS:
            said_at = time.monotonic()
            log.warning("topics_missing", topics=missing, then="make them: booking_contracts.admin.create_topics")
        await asyncio.sleep(_AGAIN_SECONDS)
