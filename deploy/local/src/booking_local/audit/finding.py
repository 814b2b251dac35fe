"""What an audit says: counts of what was compared, and differences."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it should be: which invariant, what, and what mends it."""

    invariant: str
    what: str
    remedy: str = ""


@dataclass(slots=True)
class Section:
    """One comparison: its name, what was counted, what differed; `hidden` counts differences beyond the listed ones.

    `notices` are no differences: what a person should know although everything is as it should be.
    """

    name: str
    counts: dict[str, int] = field(default_factory=dict[str, int])
    differences: list[Difference] = field(default_factory=list[Difference])
    hidden: int = 0
    notices: list[str] = field(default_factory=list[str])

    @property
    def proven(self) -> bool:
        """Return whether everything compared equal."""
        return not self.differences and not self.hidden
