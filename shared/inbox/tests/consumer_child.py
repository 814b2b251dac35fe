"""A consumer as a process of its own, for tests that kill, stop or pause it.

Environment: DATABASE_URL, KAFKA_BOOTSTRAP, TOPIC_PREFIX, SLOW (seconds an apply takes), GRACE (seconds), CRASH_AT.
"""

import asyncio
import os
import signal
from dataclasses import replace

import psycopg
from shared.inbox.tests.consumer_rig import NAME, QUICK, record_applied

from booking_contracts.decode import Decoded
from booking_contracts.topics import SESSIONS
from booking_inbox import Consumer, InboxRouter
from booking_process.database import Database


async def main() -> None:
    """Consume until SIGTERM."""
    environment = os.environ
    slow, by = float(environment.get("SLOW", "0")), str(os.getpid())

    router = InboxRouter()

    @router.subscriber(SESSIONS)
    async def apply(conn: psycopg.AsyncConnection, item: Decoded) -> None:
        await record_applied(conn, item, by)
        await conn.execute("SELECT pg_sleep(%s)", [slow])

    database = Database(environment["DATABASE_URL"])
    prefix = environment["TOPIC_PREFIX"]
    consumer = Consumer(
        NAME,
        router,
        database=database,
        bootstrap=environment["KAFKA_BOOTSTRAP"],
        topic_prefix=prefix,
        group_id=prefix + NAME,
        tuning=replace(QUICK, grace=float(environment.get("GRACE", "3"))),
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await consumer.run(stop)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main())
