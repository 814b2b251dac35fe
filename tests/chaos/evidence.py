"""Everything a verdict rests on, gathered after the healing: plain data, so that the checker is a pure function."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.history import Attempt, Operation


@dataclass(frozen=True)
class Stored:
    """A committed event."""

    service: str
    position: int
    stream_type: str
    stream_id: str
    version: int
    id: str
    type: str
    data: dict[str, Any]
    actor: str
    causation_id: str | None
    recorded_at: float


@dataclass(frozen=True)
class Published:
    """A record of a topic. `id` is None for one that is no event of ours."""

    topic: str
    partition: int
    offset: int
    key: str | None
    id: str | None
    version: int | None
    injected: str | None = None


@dataclass(frozen=True)
class Version:
    """A consumer's version row."""

    service: str
    consumer: str
    topic: str
    key: str
    version: int


@dataclass(frozen=True)
class HeldRow:
    """A held record, settled or not."""

    service: str
    consumer: str
    topic: str
    partition: int
    offset: int
    key: str | None
    version: int | None
    reason: str
    outcome: str | None


@dataclass(frozen=True)
class Position:
    """Where a consumer stands in a partition, and where the partition ends."""

    service: str
    consumer: str
    topic: str
    partition: int
    next: int
    end: int


@dataclass(frozen=True)
class Remembered:
    """An idempotency row."""

    service: str
    sub: str
    operation: str
    key: str
    status: int
    object_id: str | None
    version: int | None


@dataclass(frozen=True)
class Notice:
    """A row of the notifier's ledger."""

    id: str
    cause_event_id: str
    recipient_id: str
    channel: str
    template: str
    state: str
    attempts: int
    due_in: float
    ambiguities: int = 0


@dataclass(frozen=True)
class Delivery:
    """A row of the log of webhooks."""

    endpoint: str
    webhook_id: str
    status: str


@dataclass(frozen=True)
class Reception:
    """A webhook as it came to its receiver; `status` is the answer's, 0 for one that did not come whole."""

    endpoint: str
    webhook_id: str
    verified: bool
    status: int


@dataclass
class Evidence:
    """All of it. Rows of read tables are dictionaries of their columns, times as epoch seconds, ids as text."""

    operations: list[Operation] = field(default_factory=list)
    events: list[Stored] = field(default_factory=list)
    records: list[Published] = field(default_factory=list)
    outbox: dict[str, int] = field(default_factory=dict)
    versions: list[Version] = field(default_factory=list)
    held: list[HeldRow] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    remembered: list[Remembered] = field(default_factory=list)
    sessions: list[dict[str, Any]] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)
    transactions: list[dict[str, Any]] = field(default_factory=list)
    schedule: list[dict[str, Any]] = field(default_factory=list)
    reviews: list[dict[str, Any]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    deliveries: dict[str, int] = field(default_factory=dict)
    """Acceptances by the providers, per notification id."""
    endpoints: list[dict[str, Any]] = field(default_factory=list)
    webhooks: list[Delivery] = field(default_factory=list)
    receptions: list[Reception] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """The events that open streams were told, by their ids, in the order of their places."""
    crashes: dict[str, int] = field(default_factory=dict)
    """Times that a process died, was stopped or paused, per name, injected ones and others alike."""
    recovery_seconds: float | None = None
    """From the end of the last fault to lag 0 and outbox 0; None: never."""
    allowed_seconds: float = 60.0

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1, default=str), "utf-8")


def load(path: Path) -> Evidence:
    """Saved evidence, to be judged again."""
    plain = json.loads(path.read_text("utf-8"))
    plain["operations"] = [
        Operation(**{**one, "attempts": [Attempt(**a) for a in one["attempts"]]}) for one in plain["operations"]
    ]
    rows = {"events": Stored, "records": Published, "versions": Version, "held": HeldRow, "positions": Position}
    rows |= {"remembered": Remembered, "notices": Notice, "webhooks": Delivery, "receptions": Reception}
    for name, kind in rows.items():
        plain[name] = [kind(**one) for one in plain[name]]
    return Evidence(**plain)
