"""What one operation costs, measured: what `python -m benchmarks.capacity --measure` writes and the model reads."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("costs.json")

# Operations by name. Of whose time there is in `Operation.processor`, "service" is the process that it is all about.
COMMAND, IN_PROCESS = "command over HTTP", "command without HTTP"
READS = ("read one session", "read page of sessions", "read calendar")
RELAYED, PROJECTED, LIVE, MESSAGE = "event relayed", "event projected", "event by itself", "message"


@dataclass(frozen=True)
class Operation:
    """One of its kind: processor time in microseconds by whose it is, bytes of write-ahead log, statements.

    ``wal`` is of the records, ``pages`` of the pages that the log holds in full, because they were changed for the
    first time since a checkpoint: measured right after one, so at their most.
    """

    processor: Mapping[str, float]
    wal: float = 0.0
    pages: float = 0.0
    statements: float = 0.0

    def of(self, whose: str) -> float:
        """Its processor time in seconds; 0 of whom it does not touch."""
        return self.processor.get(whose, 0.0) / 1e6


@dataclass(frozen=True)
class Point:
    """A throughput that was measured with so many clients, and on how many cores (what others left of them)."""

    operation: str
    clients: int
    cores: float
    rate: float
    p50: float
    """In seconds."""


@dataclass(frozen=True)
class Costs:
    """Everything measured. ``bytes`` by what is so large; ``copies``: the processor time of an operation with two
    copies of the process, the servers' too, as a multiple of that with one; ``flush``: of the log, in seconds."""

    machine: Mapping[str, str]
    operations: Mapping[str, Operation]
    bytes: Mapping[str, float]
    copies: Mapping[str, float]
    flush: float
    points: tuple[Point, ...] = ()

    def __getitem__(self, operation: str) -> Operation:
        return self.operations[operation]


def load(path: Path = FILE) -> Costs:
    """Read the file. Raises OSError, ValueError, KeyError or TypeError for what is not one."""
    found: dict[str, Any] = json.loads(path.read_text())
    operations = {name: Operation(**one) for name, one in found.pop("operations").items()}
    points = tuple(Point(**one) for one in found.pop("points"))
    return Costs(operations=operations, points=points, **found)


def save(costs: Costs, path: Path = FILE) -> None:
    """Write the file, figures with four digits."""
    path.write_text(json.dumps(_rounded(asdict(costs)), indent=2, ensure_ascii=False) + "\n")


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.4g}")
        case dict():
            return {name: _rounded(one) for name, one in value.items()}
        case list() | tuple():
            return [_rounded(one) for one in value]
        case _:
            return value
