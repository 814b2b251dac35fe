"""The small parts of a process: traces, failures, the broker's probe, the supervisor of workers."""

import asyncio
import time

import pytest

from booking_outbox import Progress
from booking_process.broker import why_no_broker
from booking_process.logs import described
from booking_process.service import Supervisor
from booking_process.telemetry import span_context


@pytest.mark.parametrize(
    "text", [None, "", "x", "00-" + "0" * 32 + "-" + "1" * 16 + "-01", "00-" + "1" * 32 + "-" + "0" * 16 + "-01"]
)
def test_traceparent__malformed_is_no_link(text):
    assert span_context(text) is None


def test_traceparent__is_a_link():
    context = span_context("00-" + "1" * 32 + "-" + "2" * 16 + "-01")
    assert context is not None
    assert context.is_remote
    assert context.trace_flags.sampled


def test_failure__tells_where_but_not_what():
    try:
        try:
            raise KeyError("ayu@example.com")  # noqa: TRY301
        except KeyError as cause:
            raise ValueError("canary") from cause
    except ValueError as error:
        fields = described(error)
    assert fields["error"] == "builtins.ValueError"
    assert fields["caused_by"] == "builtins.KeyError"
    assert "test_failure__tells_where_but_not_what" in fields["where"][-1]
    assert "canary" not in str(fields)
    assert "ayu" not in str(fields)


async def test_broker__silent_or_absent_does_not_answer():
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(swallow, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        assert await why_no_broker(f"127.0.0.1:{port}", seconds=0.1)
    assert await why_no_broker("127.0.0.1:1")
    assert await why_no_broker("nonsense")


class _Worker:
    """Fails, ends or works, as told."""

    def __init__(self, *ends: BaseException | None) -> None:
        self.name = "w"
        self.runs = 0
        self._ends = list(ends)

    async def run(self, stop: asyncio.Event) -> None:
        self.runs += 1
        if self._ends:
            if (end := self._ends.pop(0)) is not None:
                raise end
            return
        await stop.wait()

    def progress(self) -> Progress:
        return Progress(backlog=0, moved_at=time.monotonic())


async def test_worker_that_fails_or_ends__is_started_again(monkeypatch):
    monkeypatch.setattr("booking_process.service._FIRST_PAUSE", 0.001)
    # The last is what a Kafka client that closes gives to whoever waits for it: nobody meant the worker.
    worker = _Worker(ValueError(), None, OSError(), asyncio.CancelledError())
    supervisor = Supervisor([worker])
    supervisor.start()
    async with asyncio.timeout(30):
        while worker.runs < 5:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    await supervisor.stop(1)
    assert worker.runs == 5


async def test_worker_ended_by_a_stray_cancellation__is_started_again(monkeypatch):
    """Kafka's client lets one out of its stop(); the worker would be gone for good, with nobody the wiser (K9)."""
    monkeypatch.setattr("booking_process.service._FIRST_PAUSE", 0.001)
    worker = _Worker(asyncio.CancelledError())
    supervisor = Supervisor([worker])
    supervisor.start()
    async with asyncio.timeout(30):
        while worker.runs < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    await supervisor.stop(1)
    assert worker.runs == 2


async def test_worker_that_does_not_stop__is_cancelled_in_time():
    class Deaf(_Worker):
        async def run(self, stop: asyncio.Event) -> None:
            await asyncio.sleep(60)

    supervisor = Supervisor([Deaf()])
    supervisor.start()
    await asyncio.sleep(0)
    began = time.monotonic()
    await supervisor.stop(0.1)
    assert time.monotonic() - began < 30  # it would be 60
