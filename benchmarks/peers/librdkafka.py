"""librdkafka (`confluent_kafka`), fed with pages from PostgreSQL: the floor of the relay, in a process of its own."""

from pathlib import Path

from benchmarks.peers.program import PREAMBLE, measured
from benchmarks.processor import Cost
from benchmarks.system import System
from booking_local.packages import UnavailableError, python_with

LOCK = Path(__file__).parent / "locks" / "librdkafka.txt"
PROGRAM = (
    PREAMBLE
    + """
import psycopg
from confluent_kafka import Producer

url, bootstrap, topic, page = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
producer = Producer({
    "bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 5, "batch.size": 900_000,
    "queue.buffering.max.messages": 1_000_000, "partitioner": "murmur2_random",
})
producer.list_topics(topic)
with psycopg.connect(url, autocommit=True, client_encoding="SQL_ASCII") as conn:
    cursor, position, sent = psycopg.RawCursor(conn), 0, 0
    begin()
    started = time.perf_counter()
    while True:
        cursor.execute(
            "SELECT position, stream_id::text, data::text FROM events WHERE position > $1 ORDER BY position LIMIT $2",
            [position, page], prepare=True)
        rows = cursor.fetchall()
        if not rows:
            break
        position, sent = rows[-1][0], sent + len(rows)
        for _, key, value in rows:
            producer.produce(topic, value, key)
        producer.poll(0)
    left = producer.flush()
    seconds = time.perf_counter() - started
    assert left == 0, left
    end([sent, seconds])
"""
)


async def there() -> bool:
    """Whether it is installed or can be."""
    try:
        await python_with(LOCK)
    except UnavailableError:
        return False
    return True


async def publish(system: System, url: str, topic: str, page: int) -> tuple[float, Cost]:
    """The seconds that it took, and what an event cost."""
    python = await python_with(LOCK)
    words = [python, "-c", PROGRAM, url, system.kafka.bootstrap, topic, str(page)]
    clocks = {"PostgreSQL": system.postgres_clock, "Kafka": system.kafka_clock}
    (sent, seconds), span = await measured("librdkafka", words, clocks)
    return seconds, span.cost(sent)
