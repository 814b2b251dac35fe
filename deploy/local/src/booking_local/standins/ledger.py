"""What a stand-in was given, newest last, kept in a file so that a restart forgets nothing."""

import json
from pathlib import Path
from typing import Any


class Ledger:
    """A list of JSON objects: appended line by line, emptied as a whole. A line cut by a crash is left out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.items: list[dict[str, Any]] = []
        if path.exists():
            for line in path.read_text("utf-8").splitlines():
                try:
                    self.items.append(json.loads(line))
                except ValueError:
                    continue
        self._file = path.open("a", encoding="utf-8")

    def append(self, item: dict[str, Any]) -> None:
        """Kept once this returns."""
        self.write(item)
        self.items.append(item)

    def write(self, item: dict[str, Any]) -> None:
        """Into the file alone, for who keeps the list in a form of their own."""
        self._file.write(json.dumps(item) + "\n")
        self._file.flush()

    def clear(self) -> None:
        """Forgets everything."""
        self.items.clear()
        self._file.truncate(0)
