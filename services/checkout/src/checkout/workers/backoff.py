"""When a provider is asked again: doubling, bounded; the database's clock, so that no process's clock matters."""

from dataclasses import dataclass

WAIT = "least(%(base)s::float8 * power(2, least({attempts}, 20)), %(most)s::float8) * interval '1 second'"


@dataclass(frozen=True, slots=True)
class Backoff:
    """The first and the longest wait, in seconds."""

    base: float
    most: float

    @property
    def parameters(self) -> dict[str, float]:
        """For statements that use `WAIT`."""
        return {"base": self.base, "most": self.most}
