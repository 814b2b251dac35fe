"""What `./booking` does once after installing: Kafka's jars, and Java's ahead-of-time cache for a fast start.

The cache is made by a training run: a broker that starts, makes a topic, stores and hands out records, and stops.
"""

import asyncio
import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from booking_contracts.brokers import client_options
from booking_contracts.deadlines import connected, within
from booking_local.failure import Failure
from booking_local.servers import jars
from booking_local.servers.jars import startup_cache
from booking_local.servers.kafka import Kafka, java

_TRAINING_SECONDS = 90.0


def main() -> int:
    """1 and a sentence when the jars can't be had; a failed training run only costs speed."""
    try:
        if not jars.are_here():
            print("Fetching Kafka 4.4.0", file=sys.stderr)
            jars.fetch()
        if not startup_cache().exists():
            print("Training Java for a fast start of Kafka", file=sys.stderr)
            _train()
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def _train() -> bool:
    """Makes the cache; False when Java couldn't. Two at once do no harm: the file appears whole."""
    with tempfile.TemporaryDirectory(prefix="booking-training-") as temporary:
        broker = Kafka(Path(temporary) / "kafka")
        broker.prepare()
        fresh = Path(temporary) / "kafka.aot"
        line = [str(java()), f"@{broker.folder / 'java.options'}", f"-XX:AOTCacheOutput={fresh}", "kafka.Kafka"]
        line.append(str(broker.folder / "server.properties"))
        with (Path(temporary) / "log").open("wb") as log:
            process = subprocess.Popen(line, stdout=log, stderr=log, cwd=temporary)
            try:
                if _until_ready(broker, process):
                    asyncio.run(asyncio.wait_for(_exercise(broker.bootstrap), _TRAINING_SECONDS))
            finally:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_TRAINING_SECONDS)
                process.kill()
                process.wait()
        if not fresh.exists():
            return False
        half = startup_cache().with_name(f"kafka.aot.{process.pid}")
        shutil.copyfile(fresh, half)
        half.replace(startup_cache())
    return True


def _until_ready(broker: Kafka, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _TRAINING_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if broker.is_ready():
            return True
        time.sleep(0.1)
    return False


async def _exercise(bootstrap: str) -> None:
    """What every start of a stack does next, so that its classes are in the cache too."""
    async with connected(AIOKafkaAdminClient(**client_options(bootstrap))) as admin:
        compacted = {"cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime"}
        await admin.create_topics([NewTopic("training", 2, 1, topic_configs=compacted)])
    async with connected(AIOKafkaProducer(**client_options(bootstrap), acks="all")) as producer:
        await producer.send_and_wait("training", b"{}", key=b"k")
    consumer = AIOKafkaConsumer("training", **client_options(bootstrap), group_id="g", auto_offset_reset="earliest")
    async with connected(consumer):
        await within(60, consumer.getone())
        await consumer.commit()


if __name__ == "__main__":
    sys.exit(main())
