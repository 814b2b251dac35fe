"""At the start: refuse to work on topics that would lose or mix up events (retention, partitions; K20)."""
# pyright: standard
# aiokafka is untyped, hence not strict here.

import asyncio

import structlog
from aiokafka.errors import KafkaError

from booking_contracts.kafka_admin import compare_topics

log = structlog.get_logger(__name__)

_AGAIN_SECONDS = 5.0


async def wrong_topics(bootstrap: str, prefix: str) -> str | None:
    """Once the broker answers and has every topic: None, or a sentence that says what is wrong and what to do.

    Waits as long as the broker is away (commands go on without it) or topics are still to be made.
    """
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
        await asyncio.sleep(_AGAIN_SECONDS)
