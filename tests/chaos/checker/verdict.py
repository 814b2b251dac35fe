"""The verdict: every invariant of the promise (I1-I15) over the evidence, each by a function of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tests.chaos.checker import commands, consumers, domain, streams, webhooks
from tests.chaos.evidence import Evidence

Check = Callable[[Evidence], Iterable[str]]

CHECKS: dict[str, Check] = {
    "I1": commands.acknowledged_is_durable,
    "I2": commands.no_phantom,
    "I3": streams.gapless,
    "I4": streams.published,
    "I5": streams.ordered,
    "I6": streams.folded,
    "I7": domain.one_session,
    "I8": domain.no_overlap,
    "I9": domain.legal,
    "I10": domain.money,
    "I11": consumers.notified,
    "I12": consumers.recovered,
    "I13": consumers.nothing_skipped,
    "I14": commands.idempotent,
    "I15": webhooks.posted,
}


@dataclass(frozen=True)
class Violation:
    """A broken invariant, and where."""

    invariant: str
    what: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.what}"


@dataclass
class Verdict:
    """What the evidence says."""

    violations: list[Violation] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether nothing was broken."""
        return not self.violations


def judge(evidence: Evidence) -> Verdict:
    """Check every invariant. Pure: the same evidence gives the same verdict."""
    return Verdict(list(_violations(evidence)), figures(evidence))


def _violations(evidence: Evidence) -> Iterator[Violation]:
    for invariant, check in CHECKS.items():
        for what in check(evidence):
            yield Violation(invariant, what)


def figures(evidence: Evidence) -> dict[str, float]:
    """The numbers we publish."""
    outcomes = [operation.outcome for operation in evidence.operations]
    ours = [record for record in evidence.records if record.id is not None and record.injected is None]
    return {
        "operations": len(outcomes),
        "attempts": sum(len(operation.attempts) for operation in evidence.operations),
        "acknowledged": outcomes.count("ok"),
        "refused": outcomes.count("refused"),
        "unknown": outcomes.count("unknown"),
        "events": len(evidence.events),
        "records": len(evidence.records),
        "extra_copies": len(ours) - len({record.id for record in ours}),
        "held": sum(row.outcome is None for row in evidence.held),
        "notices": len(evidence.notices),
        "deliveries": sum(evidence.deliveries.values()),
        "webhooks": sum(row.status == "delivered" for row in evidence.webhooks),
        "webhooks_received": len(evidence.receptions),
        "recovery_seconds": -1.0 if evidence.recovery_seconds is None else evidence.recovery_seconds,
    }
