"""What a person has accepted: losses that nothing brings back. The audit is green again, and says what is new.

A file of JSON, kept where the deployment's configuration is. An entry is one difference, word for word: when anything
of it changes it is a new one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from booking_ops.audit.section import Difference, Section
from booking_ops.failure import Failure


class _Key(NamedTuple):
    section: str
    invariant: str
    what: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """One difference that was accepted, when and why."""

    section: str
    invariant: str
    what: str
    because: str
    at: str

    @property
    def key(self) -> _Key:
        """What it is known by."""
        return _Key(self.section, self.invariant, self.what)


@dataclass(slots=True)
class Baseline:
    """All that was accepted."""

    accepted: dict[_Key, Accepted] = field(default_factory=dict[_Key, Accepted])

    @classmethod
    def read(cls, file: Path, *, must_exist: bool = True) -> Baseline:
        """Of its file. Failure for one that can't be read, or isn't there though it must be."""
        try:
            found = [Accepted(**one) for one in json.loads(file.read_text("utf-8"))["accepted"]]
        except FileNotFoundError:
            if must_exist:
                raise Failure(f"There is no baseline {file}: `audit --accept --baseline {file}` makes one.") from None
            return cls()
        except (OSError, ValueError, TypeError, KeyError) as broken:
            raise Failure(f"The baseline {file} can't be read: {type(broken).__name__}.") from None
        return cls({one.key: one for one in found})

    def apply(self, section: Section) -> None:
        """Take what was accepted out of a section's differences."""
        new: list[Difference] = []
        for one in section.differences:
            known = _Key(section.name, one.invariant, one.what) in self.accepted
            (section.accepted if known else new).append(one)
        section.differences[:] = new

    def accept(self, sections: Iterable[Section], *, because: str, at: datetime) -> int:
        """Accept all that still differs; how many that were."""
        new = [
            Accepted(section.name, one.invariant, one.what, because, at.isoformat(timespec="seconds"))
            for section in sections
            for one in section.differences
        ]
        self.accepted.update((one.key, one) for one in new)
        return len(new)

    def write(self, file: Path) -> None:
        """Whole or not at all."""
        beside = file.with_name(f"{file.name}.new")
        kept = [asdict(one) for _, one in sorted(self.accepted.items())]
        beside.write_text(json.dumps({"accepted": kept}, indent=1, ensure_ascii=False) + "\n", "utf-8")
        os.replace(beside, file)  # noqa: PTH105 - Path.replace says the same; this is the call that is atomic
