"""The golden records: one of every version of every event ever published, as a consumer would be handed them."""

import json
from pathlib import Path
from typing import Any

from booking_contracts.decode import Record

CORPUS = Path(__file__).parent / "corpus"
NAMES = sorted(path.stem for path in CORPUS.glob("*.json"))


def golden(name: str) -> Record:
    """The record of a file such as `SessionScheduled.v1`."""
    told = json.loads((CORPUS / f"{name}.json").read_text("utf-8"))
    return record(told["topic"], told["key"], told["headers"], told["value"])


def record(topic: str, key: str, headers: dict[str, str], value: Any) -> Record:
    """A record whose value is this JSON, compact as producers write it."""
    pairs = tuple((name, text.encode()) for name, text in headers.items())
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    return Record(topic, 0, 0, key.encode(), body, pairs, 0)
