"""Whether Kafka has the topics that a command needs, asked before it is written or read: clients wait."""

from collections.abc import Iterable

from booking_contracts.admin import missing_topics
from booking_contracts.topics import Topic, topic_named
from booking_ops.deployment import Deployment
from booking_ops.failure import Failure

_PATIENCE = 2.0  # seconds: whoever asks sits before it


async def present(where: Deployment, topics: Iterable[Topic | str], *, so_far: str = "Nothing was done") -> None:
    """Failure that names those that are missing, by themselves or their logical names, and what makes them."""
    wanted = [topic_named(one) if isinstance(one, str) else one for one in topics]
    missing = await missing_topics(where.kafka, where.prefix, wanted, patience=_PATIENCE)
    if missing:
        raise Failure(
            f"Kafka lacks {', '.join(missing)}, or does not show it to this user. {so_far}: `booking-ops topics "
            "create` makes what is missing; what else is to do then stands in docs/operations.md, A topic was lost."
        )
