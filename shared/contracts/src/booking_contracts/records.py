"""From what a Kafka client read to a `Record`, which `decode` understands. No client is needed to import it."""

from typing import Any

from booking_contracts.decode import Record


def from_aiokafka(record: Any, prefix: str = "") -> Record:
    """A record of aiokafka's (and of kafka-python's) consumer, its bytes untouched. TypeError if they are not bytes.

    `prefix` is a deployment's, before each topic's name (its setting `TOPIC_PREFIX`).
    """
    return Record(
        topic=record.topic.removeprefix(prefix),
        partition=record.partition,
        offset=record.offset,
        key=_untouched("key", record.key),
        value=_untouched("value", record.value),
        headers=_headers(record.headers),
        timestamp_ms=max(record.timestamp or 0, 0),
    )


def from_confluent(message: Any, prefix: str = "") -> Record:
    """A message of `confluent_kafka`'s consumer, its bytes untouched.

    ValueError if it is an error and no record, or nothing came; TypeError if key, value or a header is not bytes.
    """
    if message is None:
        raise ValueError("no record: nothing came within poll's time")
    if (error := message.error()) is not None:
        raise ValueError(f"no record but an error: {error}")
    _, timestamp = message.timestamp()
    return Record(
        topic=message.topic().removeprefix(prefix),
        partition=message.partition(),
        offset=message.offset(),
        key=_untouched("key", message.key()),
        value=_untouched("value", message.value()),
        headers=_headers(message.headers()),
        timestamp_ms=max(timestamp, 0),
    )


def _headers(told: Any) -> tuple[tuple[str, bytes | None], ...]:
    headers: tuple[tuple[str, Any], ...] = () if told is None else tuple(told)
    for name, value in headers:
        _untouched(f"header {name}", value)
    return headers


def _untouched(what: str, told: Any) -> bytes | None:
    if told is None or isinstance(told, bytes):
        return told
    raise TypeError(
        f"the {what} is {type(told).__name__} and not bytes: read without a deserializer, `decode` does that"
    )
