"""faststream-outbox: rows of its outbox, claimed by the hundred, relayed to Kafka one by one, keyed, acks=all."""

from pathlib import Path

from benchmarks.harness import Run
from benchmarks.peers.program import PREAMBLE, measured
from benchmarks.system import System
from booking_contracts.topics import SESSIONS
from booking_local.packages import python_with

LOCK = Path(__file__).parent / "locks" / "faststream-outbox.txt"
NAME = "faststream-outbox 0.19"

PROGRAM = (
    PREAMBLE
    + """
import asyncio
from faststream import Context
from faststream.kafka import KafkaBroker, KafkaResponse
from faststream_outbox import OutboxBroker, make_outbox_table
from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import create_async_engine

url, bootstrap, topic, events = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
metadata = MetaData()
table = make_outbox_table(metadata, table_name="outbox")
engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"), pool_size=20)
outbox = OutboxBroker(engine, outbox_table=table, logger=None)
kafka = KafkaBroker(bootstrap, acks="all", logger=None)
FILL = '''
INSERT INTO outbox (queue, payload, headers)
SELECT 'events', convert_to('{"filler":"' || repeat('x', 480) || '"}', 'UTF8'),
       jsonb_build_object('content-type', 'application/json', 'correlation_id', gen_random_uuid(),
                          'key', lpad(to_hex(i % 1000), 32, '0'))
FROM generate_series(1, :events) i
'''

@kafka.publisher(topic)
@outbox.subscriber(
    "events", max_workers=16, fetch_batch_size=100, min_fetch_interval=0.01, terminal_flush_batch_size=100
)
async def relay(message=Context("message")):
    return KafkaResponse(message.body, key=message.headers["key"].encode())

async def main():
    async with engine.begin() as conn:
        await conn.run_sync(metadata.create_all)
        await conn.execute(text(FILL), {"events": events})
    async with engine.connect() as conn:
        conn = await conn.execution_options(isolation_level="AUTOCOMMIT")
        await conn.execute(text("VACUUM ANALYZE outbox"))
        await kafka.start()
        begin()
        started = time.perf_counter()
        await outbox.start()
        while (await conn.execute(text("SELECT 1 FROM outbox LIMIT 1"))).first() is not None:
            await asyncio.sleep(0.005)
        end(time.perf_counter() - started)
    await outbox.stop()
    await kafka.stop()

asyncio.run(main())
"""
)


class Peer:
    """A fresh database and topic per run; a fiftieth of the events."""

    def __init__(self, system: System, events: int) -> None:
        self._system, self._events = system, max(50, events // 50)

    async def run(self) -> Run:
        """The rate of one process."""
        python = await python_with(LOCK)
        topic = await self._system.topics() + SESSIONS.name
        words = [python, "-c", PROGRAM, self._system.empty_database(), self._system.kafka.bootstrap, topic]
        clocks = {"PostgreSQL": self._system.postgres_clock, "Kafka": self._system.kafka_clock}
        seconds, span = await measured("faststream-outbox", [*words, str(self._events)], clocks)
        return Run({"events/s": self._events / seconds}, {"event": span.cost(self._events)})
