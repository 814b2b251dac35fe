"""At the start: refuse to work on topics that would lose or mix up events (retention, partitions; K20)."""
# pyright: standard
# aiokafka is untyped, hence not strict here.

import asyncio
import time

import structlog
from aiokafka.errors import KafkaError

from booking_contracts.topics import compare_topics

log = structlog.get_logger(__name__)

_AGAIN_SECONDS, _SAY_SECONDS = 5.0, 60.0


async def wrong_topics(bootstrap: str, prefix: str) -> str | None:
    """Once the broker answers and has every topic: None, or a sentence that says what is wrong and what to do.

    Waits as long as the broker is away (commands go on without it) or topics are still to be made; names those in the
    log once a minute.
    """
    said_at = float("-inf")
    while True:
        try:
            missing, wrong = await compare_topics(bootstrap, prefix)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("topics_not_checked", why=type(error).__name__)
            missing, wrong = ["?"], []
        if wrong:
            return (
                f"Kafka's topics are not as the catalogue says: {'; '.join(wrong)}. "
                "A topic that a broker made by itself, or that expires, loses events: set it right with Kafka's "
                "own tools, then start again."
            )
        if not missing:
            return None
        if missing != ["?"] and time.monotonic() - said_at > _SAY_SECONDS:
            said_at = time.monotonic()
            log.warning("topics_missing", topics=missing, then="make them: booking_contracts.topics.create_topics")
        await asyncio.sleep(_AGAIN_SECONDS)
