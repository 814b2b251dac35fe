"""Java's ahead-of-time cache for the broker.

Made once per checkout by a training run: a broker that starts, makes a topic, stores and hands out records, and stops.
Java ignores a cache that doesn't fit (another Java, moved jars) and starts slowly. So it can't do harm, only help.
"""

import asyncio
import contextlib
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from booking_local.servers import jars

if TYPE_CHECKING:
    from booking_local.servers.kafka import Kafka

_TRAINING_SECONDS = 90.0


def cache() -> Path:
    """Where the cache lies."""
    return jars.kafka_folder() / "kafka.aot"


def is_here() -> bool:
    """Whether there is one."""
    return cache().exists()


def use() -> list[str]:
    """The option that uses the cache, or nothing while there is none."""
    return [f"-XX:AOTCache={cache()}", "-Xlog:aot=off", "-Xlog:cds=off"] if is_here() else []


def train() -> bool:
    """Makes the cache; False when Java couldn't. Two at once do no harm: the file appears whole."""
    from booking_local.servers.kafka import Kafka, java  # noqa: PLC0415  (that module uses this one)

    with tempfile.TemporaryDirectory(prefix="booking-training-") as temporary:
        broker = Kafka(Path(temporary) / "kafka")
        broker.prepare()
        fresh = Path(temporary) / "kafka.aot"
        line = [str(java()), f"@{broker.folder / 'java.options'}", f"-XX:AOTCacheOutput={fresh}", "kafka.Kafka"]
        line.append(str(broker.folder / "server.properties"))
        with (Path(temporary) / "log").open("wb") as log:
            process = subprocess.Popen(line, stdout=log, stderr=log, cwd=temporary)  # noqa: S603
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
        half = cache().with_name(f"kafka.aot.{process.pid}")
        shutil.copyfile(fresh, half)
        half.replace(cache())
    return True


def _until_ready(broker: "Kafka", process: "subprocess.Popen[bytes]") -> bool:
    deadline = time.monotonic() + _TRAINING_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if broker.is_ready():
            return True
        time.sleep(0.1)
    return False


async def _exercise(bootstrap: str) -> None:
    """What every start of a stack does next, so that its classes are in the cache too."""
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer  # noqa: PLC0415
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # noqa: PLC0415

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    compacted = {"cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime"}
    await admin.create_topics([NewTopic("training", 2, 1, topic_configs=compacted)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait("training", b"{}", key=b"k")
    consumer = AIOKafkaConsumer("training", bootstrap_servers=bootstrap, group_id="g", auto_offset_reset="earliest")
    await consumer.start()
    await consumer.getone()
    await consumer.commit()
    await consumer.stop()
