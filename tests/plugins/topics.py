"""Creating the topics of the catalogue from a synchronous fixture, also while a test's event loop is running."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from booking_contracts.admin import create_topics
from booking_contracts.topics import TOPICS, topic_named


def create_all(bootstrap: str, prefix: str, names: list[str] | None = None) -> None:
    """The topics of events.md, or those of `names`, as `prefix + logical name`, with partitions and configuration."""
    wanted = TOPICS if names is None else [topic_named(name) for name in names]
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(create_topics(bootstrap, prefix, topics=wanted))).result()
