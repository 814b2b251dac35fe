"""A relay as a process of its own, for tests that kill or freeze it."""

import asyncio
import os
import signal

from shared.outbox.tests.conftest import LOCK, TOPICS

from booking_outbox import Relay


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    relay = Relay(
        database_url=os.environ["DATABASE_URL"],
        bootstrap=os.environ["KAFKA_BOOTSTRAP"],
        topic_prefix=os.environ["TOPIC_PREFIX"],
        topics=TOPICS,
        lock_name=LOCK,
    )
    await relay.run(stop)


if __name__ == "__main__":
    asyncio.run(main())
