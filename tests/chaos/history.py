"""What the load did, as it happened: every attempt of every operation, invoked and answered, one JSON line each.

An operation is one intention with one idempotency key; an attempt is one HTTP request with its own X-Request-Id, which
the services keep as the events' causation. So each event leads back to the very attempt that caused it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

Outcome = Literal["ok", "refused", "unknown"]


@dataclass
class Attempt:
    """One request. `unknown`: no answer, or a 5xx, so it may have happened or not."""

    request_id: str
    invoked_at: float
    outcome: Outcome = "unknown"
    answered_at: float | None = None
    status: int | None = None
    code: str | None = None
    object_id: str | None = None
    version: int | None = None
    retry_after: bool = False


@dataclass
class Operation:
    """One intention. `kind` names the command, `key` its Idempotency-Key (payments: the notification's id)."""

    id: str
    kind: str
    sub: str
    service: str
    key: str | None
    target: str | None = None
    amount: int | None = None
    payment_id: str | None = None
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def outcome(self) -> Outcome:
        """ok if any attempt was; refused only if every one was, since an unknown one may have happened."""
        outcomes = {attempt.outcome for attempt in self.attempts}
        return "ok" if "ok" in outcomes else "refused" if outcomes == {"refused"} else "unknown"

    @property
    def answer(self) -> Attempt | None:
        """The first success."""
        return next((attempt for attempt in self.attempts if attempt.outcome == "ok"), None)


class Recorder:
    """Writes a JSONL file, a line before and after each attempt, so that a crash of the rig loses no knowledge."""

    def __init__(self, path: Path) -> None:
        self.operations: dict[str, Operation] = {}
        self._file: IO[str] = path.open("w", encoding="utf-8")

    def begin(self, operation: Operation, attempt: Attempt) -> None:
        self.operations[operation.id] = operation
        operation.attempts.append(attempt)
        self._write("invoked", operation, attempt)

    def end(self, operation: Operation, attempt: Attempt) -> None:
        attempt.answered_at = time.time()
        self._write(attempt.outcome, operation, attempt)

    def note(self, what: str, **details: Any) -> None:
        """Something that is no operation: a fault, the healing."""
        self._line({"at": time.time(), "event": what, **details})

    def close(self) -> None:
        self._file.close()

    def _write(self, event: str, operation: Operation, attempt: Attempt) -> None:
        plain = {k: v for k, v in asdict(operation).items() if k != "attempts"}
        self._line({"at": time.time(), "event": event, "operation": plain, "attempt": asdict(attempt)})

    def _line(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
        self._file.flush()


def read_history(path: Path) -> list[Operation]:
    """The operations of a recorded file, as far as it goes."""
    found: dict[str, Operation] = {}
    for line in _lines(path):
        if "operation" not in line:
            continue
        operation = found.setdefault(line["operation"]["id"], Operation(**line["operation"]))
        attempt = Attempt(**line["attempt"])
        operation.attempts = [a for a in operation.attempts if a.request_id != attempt.request_id] + [attempt]
    return list(found.values())


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for text in path.read_text("utf-8").splitlines():
        try:
            yield json.loads(text)
        except ValueError:
            continue  # the last line of a killed rig
