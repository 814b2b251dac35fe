"""librdkafka (`confluent_kafka`), fed with pages from PostgreSQL: the floor of the relay, in a process of its own."""

import asyncio
import json

from benchmarks.harness import SkippedError
from benchmarks.peers.environment import python_with

REQUIREMENTS = ("confluent-kafka==2.*", "psycopg[binary]==3.*")

PROGRAM = """
import json, sys, time
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
print(json.dumps(sent / seconds))
"""


async def there() -> bool:
    """Whether it is installed or can be."""
    try:
        await python_with(*REQUIREMENTS)
    except SkippedError:
        return False
    return True


async def publish(url: str, bootstrap: str, topic: str, page: int) -> float:
    """Events per second."""
    python = await python_with(*REQUIREMENTS)
    process = await asyncio.create_subprocess_exec(
        str(python), "-c", PROGRAM, url, bootstrap, topic, str(page),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, errors = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"librdkafka failed: {errors.decode()[-2000:]}")
    return json.loads(out)
