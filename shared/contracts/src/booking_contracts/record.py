"""A Kafka record as this project speaks of it, whatever client read it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """One record; `topic` is the logical name, without a deployment's prefix."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int
