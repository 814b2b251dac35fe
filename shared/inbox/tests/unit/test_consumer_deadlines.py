"""Deadlines that hold whatever Kafka's client does, and a watch whose own silence is seen (K9, F31)."""

import asyncio
import contextlib
import time

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import ApiVersionRequest

from booking_contracts.deadlines import connected, within
from booking_inbox.client import TolerantConsumer
from booking_inbox.patience import Tuning
from booking_inbox.reader import Reader


async def test_within__ends_a_wait_that_swallows_its_cancellation():
    async def stubborn() -> None:
        for _ in range(2):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(within(0.05, stubborn()), 60)
    assert time.monotonic() - began < 30


async def test_within__gives_the_outcome_or_the_failure():
    async def answer() -> int:
        return 7

    async def failure() -> int:
        raise OSError("gone")

    assert await within(5, answer()) == 7
    with pytest.raises(OSError, match="gone"):
        await within(5, failure())


async def test_progress__of_a_reader_that_ended_unasked_is_not_alive():
    async def take(_batch: object) -> bool:
        return True

    reader = Reader(name="n", group_id="n", topics=["t"], bootstrap="-", take=take, tuning=Tuning())
    reader.monitor.waiting_for = "kafka"  # what it saw last
    reader.monitor.ended(asyncio.Event())
    assert reader.progress().backlog == 1
    assert reader.progress().waiting_for is None


async def test_within__lets_no_stray_cancellation_out():
    """aiokafka's fetcher cancels what it has in hand and awaits it: its stop() then ends by a CancelledError."""
    client = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1")
    client._fetcher = fetcher = Fetcher(client._client, client._subscription)
    await asyncio.sleep(0)
    pausing = asyncio.create_task(asyncio.Event().wait())  # as a fetch is that failed and will be tried again
    fetcher._pending_tasks.add(pausing)
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError, match="inside"):
        await within(5, client.stop())


class _Hanging:
    """A client whose start never ends, or whose stop neither ends nor heeds its cancellation."""

    def __init__(self, *, starts: bool) -> None:
        self.starts, self.asked_to_stop = starts, False

    async def start(self) -> None:
        if not self.starts:
            await asyncio.Event().wait()

    async def stop(self) -> None:
        self.asked_to_stop = True
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait_for(asyncio.Event().wait(), 5)
                return


async def test_connected__leaves_a_stop_behind_that_hangs():
    async with connected(_Hanging(starts=True), stop=0.05) as client:
        began = time.monotonic()
    assert client.asked_to_stop
    assert time.monotonic() - began < 4


async def test_connected__ends_a_start_that_hangs_and_still_closes_what_was_opened():
    client = _Hanging(starts=False)
    with pytest.raises(TimeoutError):
        async with connected(client, start=0.05, stop=0.05):
            raise AssertionError("it never started")
    assert client.asked_to_stop


async def test_within__cancels_the_work_with_its_caller():
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    caller = asyncio.create_task(within(60, work()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await asyncio.wait_for(ended.wait(), 60)


async def test_progress__is_not_alive_when_the_watch_itself_hangs():
    async def take(_batch: object) -> bool:
        return True

    tuning = Tuning(stall_after=0.05)
    reader = Reader(name="n", group_id="n", topics=["t"], bootstrap="-", take=take, tuning=tuning)
    reader.monitor.waiting_for = None  # as after a look that found nothing behind, and no other look since
    assert reader.progress().alive(patience=0.05)

    async def seen() -> None:
        while reader.progress().alive(patience=0.05):  # noqa: ASYNC110 -- only time passes here
            await asyncio.sleep(0.01)

    await asyncio.wait_for(seen(), 60)
    assert reader.progress().backlog == 1


def test_connection_that_closed_just_now__is_an_error_of_kafkas_and_ends_no_task():
    """Under uvloop, as the services run: a RuntimeError would end aiokafka's metadata task for good (K3)."""
    uvloop = pytest.importorskip("uvloop")

    async def closed() -> None:
        async with await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0) as server:
            connection = AIOKafkaConnection("127.0.0.1", server.sockets[0].getsockname()[1])
            connection._reader, connection._writer = await asyncio.open_connection("127.0.0.1", connection.port)
            connection._read_task = asyncio.create_task(asyncio.sleep(60))
            connection._writer.transport.abort()
            await connection._writer.wait_closed()
            with pytest.raises(KafkaConnectionError, match="just now"):
                connection.send(ApiVersionRequest())
            assert not connection.connected()

    uvloop.run(closed())


async def test_within__ends_as_soon_as_nobody_wants_it_any_more():
    stop = asyncio.Event()
    asyncio.get_running_loop().call_soon(stop.set)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(within(60, asyncio.Event().wait(), unless=stop), 5)


async def test_a_stop__ends_a_reader_whose_broker_accepts_and_says_nothing():
    """aiokafka's start() would ask it for forty seconds, and again."""
    connected, stop = asyncio.Event(), asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()
        writer.close()

    async def take(_batch: object) -> bool:
        return True

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        bootstrap = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        reader = Reader(name="n", group_id="n", topics=["t"], bootstrap=bootstrap, take=take, tuning=Tuning())
        running = asyncio.create_task(reader.run(stop))
        await asyncio.wait_for(connected.wait(), 60)
        began = time.monotonic()
        stop.set()
        await asyncio.wait_for(running, 60)
        assert time.monotonic() - began < 30  # opening has 60


class _Client:
    """What is left of a Kafka client: whether somebody closed it."""

    def __init__(self) -> None:
        self.closed = False

    async def close(self) -> None:
        self.closed = True


class _Subscriber:
    def __init__(self, consumer: TolerantConsumer) -> None:
        self.consumer = consumer
        self.tasks: list[asyncio.Task[None]] = []


class _DeafBroker:
    """A client whose goodbye hangs (K9)."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def stop(self) -> None:
        self.asked.set()
        await asyncio.Event().wait()


def _reading(tuning: Tuning) -> tuple[Reader, _DeafBroker, _Client]:
    async def take(_batch: object) -> bool:
        return True

    reader = Reader(name="n", group_id="n", topics=["t"], bootstrap="127.0.0.1:1", take=take, tuning=tuning)
    consumer, client, broker = TolerantConsumer(bootstrap_servers="127.0.0.1:1"), _Client(), _DeafBroker()
    vars(consumer).update(_client=client, _closed=True)
    reader._broker, reader._subscriber = broker, _Subscriber(consumer)
    return reader, broker, client


async def test_stop_cancelled_while_the_client_says_goodbye__the_client_is_closed_all_the_same():
    """A process that gave its workers too little time left a client that fetched on for nobody."""
    reader, broker, client = _reading(Tuning())
    closing = asyncio.create_task(reader._close())
    async with asyncio.timeout(30):
        await broker.asked.wait()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert client.closed
    assert reader.consumer is None


async def test_stop__the_record_in_hand_and_the_goodbye_share_one_grace():
    """10 seconds, 5 for the offsets and 5 more were over what the process gave."""
    reader, _, client = _reading(Tuning(grace=0.5))
    reader._idle.clear()
    began = time.monotonic()
    await reader._close()
    assert time.monotonic() - began < 5  # the goodbye alone would have 5
    assert client.closed
