"""From what a Kafka client read to a `Record`, which `decode` understands. No client is needed to import it."""

from typing import Any

from booking_contracts.decode import Record


def from_aiokafka(record: Any, prefix: str = "") -> Record:
    """A record of aiokafka's (and of kafka-python's) consumer, its bytes untouched.

    `prefix` is a deployment's, before each topic's name (its setting `TOPIC_PREFIX`).
    """
    return Record(
        topic=record.topic.removeprefix(prefix),
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
        timestamp_ms=record.timestamp or 0,
    )


def from_confluent(message: Any, prefix: str = "") -> Record:
    """A message of `confluent_kafka`'s consumer, its bytes untouched. ValueError if it is an error and no record."""
    if (error := message.error()) is not None:
        raise ValueError(f"no record but an error: {error}")
    _, timestamp = message.timestamp()
    return Record(
        topic=message.topic().removeprefix(prefix),
        partition=message.partition(),
        offset=message.offset(),
        key=message.key(),
        value=message.value(),
        headers=tuple(message.headers() or ()),
        timestamp_ms=max(timestamp, 0),
    )
