"""How far the start of a stack is: written by the supervisor, read by `booking up`."""

import json
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from booking_local.stack.layout import Layout


@dataclass
class Progress:
    """`phase` is starting, ready, failed or stopping; `steps` are what is done, with the seconds it took."""

    pid: int
    phase: str = "starting"
    message: str = ""
    steps: list[tuple[str, float]] = field(default_factory=list)
    began: float = field(default_factory=time.time)

    def step(self, layout: Layout, what: str) -> None:
        """Something is done."""
        self.steps.append((what, round(time.time() - self.began, 2)))
        self.write(layout)

    def write(self, layout: Layout) -> None:
        """Replaces the file at once."""
        half = layout.progress.with_suffix(".new")
        half.write_text(json.dumps(asdict(self)), "utf-8")
        half.replace(layout.progress)


def read(layout: Layout) -> dict[str, Any]:
    """The last progress, or nothing."""
    try:
        return json.loads(layout.progress.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
