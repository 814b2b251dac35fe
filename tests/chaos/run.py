"""One chaos run: a stack, a load, a plan of faults, the healing, rest, the verdict; everything kept in one folder.

python -m tests.chaos.run SECONDS SEED [FOLDER]       # the same as `make chaos SECONDS=... SEED=...`
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.chaos import flatness
from tests.chaos import stack as stacks
from tests.chaos.checker.verdict import Verdict, judge
from tests.chaos.client import Client
from tests.chaos.collect import collect
from tests.chaos.crowd import Crowd, Together, crowd_plan
from tests.chaos.evidence import Evidence
from tests.chaos.faults import Fault, plan
from tests.chaos.history import Recorder
from tests.chaos.inject import Injector
from tests.chaos.load import Load, bring_cast
from tests.chaos.network import Network, laid, network_plan
from tests.chaos.samples import Sampler
from tests.chaos.settle import all_told, caught_up
from tests.chaos.stack import Stack, own_stack
from tests.chaos.webhooks import Receivers

PATIENCE_SECONDS = 150.0
"""How long a run waits for rest; more than I12 allows, so that a slow recovery is measured and not only missed."""


@dataclass(frozen=True)
class Wishes:
    """What a run shall be."""

    seed: int
    seconds: float
    faults: Sequence[Fault]
    network: Sequence[Fault]
    """Those of the network: they go on beside the others."""
    crowd: Sequence[Together]
    """Those of several processes at once: likewise."""
    allowed_seconds: float
    parallel: int


@dataclass
class Run:
    """What came out."""

    verdict: Verdict
    evidence: Evidence
    faults: dict[str, int]
    audit: dict[str, object]
    still_moving: str
    missed: dict[str, int]
    skipped: dict[str, int]
    """Faults that this machine can't do, by kind; the reasons are in `reasons`."""
    reasons: list[str]
    samples: list[flatness.Sample]


def run(
    seed: int,
    seconds: float,
    folder: Path,
    *,
    allowed_seconds: float = 60.0,
    parallel: int = 6,
    known_bad: str = "",
    favoured: Collection[str] = (),
) -> Run:
    """A run in `folder`: seed, schedule, history, evidence, verdict and the stack's logs.

    A known-bad build gets the faults of `plan` alone: it is to fail by its own fault, under a load that gets through.
    """
    folder.mkdir(parents=True, exist_ok=True)
    network, crowd = ([], []) if known_bad else (network_plan(seed, seconds), crowd_plan(seed, seconds))
    wishes = Wishes(seed, seconds, plan(seed, seconds, favoured), network, crowd, allowed_seconds, parallel)
    _write(folder / "schedule.json", asdict(wishes))
    state = Path(tempfile.mkdtemp(prefix="booking-chaos-"))  # short: a socket's path has its limits
    state.chmod(0o755)
    try:
        with laid(state) as lines, own_stack(state, known_bad) as stack:
            outcome = asyncio.run(_play(stack, lines, wishes, folder))
            outcome.audit = stacks.audit(state)
    finally:
        shutil.copytree(state / "logs", folder / "logs", dirs_exist_ok=True, ignore_dangling_symlinks=True)
        shutil.rmtree(state, ignore_errors=True)
    outcome.evidence.save(folder / "evidence.json")
    _write(folder / "verdict.json", summary(outcome, seed, seconds))
    return outcome


def _members(wishes: Wishes) -> int:
    """So many that nobody is told more than WhatsApp's pace per person allows: a message each six seconds."""
    return min(600, 20 * wishes.parallel + round(wishes.seconds / 10))


async def _play(stack: Stack, lines: Network, wishes: Wishes, folder: Path) -> Run:
    recorder = Recorder(folder / "history.jsonl")
    client = Client(stack, recorder)
    injector = Injector(stack, recorder, lines)
    crowd, sampler = Crowd(stack, recorder), Sampler(stack, folder / "samples.jsonl")
    chance = random.Random(wishes.seed)
    receivers = Receivers(client, random.Random(wishes.seed))
    looking = asyncio.create_task(sampler.run())
    try:
        cast = await bring_cast(client, chance, members=_members(wishes))
        load = Load(client, cast, chance)
        await receivers.open(cast.admin)
        began = asyncio.get_running_loop().time()
        people = asyncio.create_task(load.run(wishes.parallel))
        together = crowd.run(wishes.crowd, began)
        one_by_one, network = injector.run(wishes.faults, began), injector.run(wishes.network, began)
        await asyncio.gather(one_by_one, network, together)
        await asyncio.sleep(max(0.0, began + wishes.seconds - asyncio.get_running_loop().time()))
        load.stop.set()
        await injector.heal()
        await receivers.heal()
        recorder.note("healed")
        healed_at = time.monotonic()
        await people
        still = await ask_again(client, recorder)
        recorder.note("asked_again", unknown=still)
        before = time.monotonic() - healed_at
        calm, moving = await caught_up(stack, PATIENCE_SECONDS, recorder.note)
        told, untold = await all_told(stack, PATIENCE_SECONDS, recorder.note, receivers.untold)
        recorder.note("rest", caught_up=calm, moving=moving, all_told=told, untold=untold)
        looking.cancel()
        await sampler.look(60.0)
        evidence = await collect(stack, recorder.operations.values(), injector.injected)
        evidence.receptions = receivers.receptions
        evidence.recovery_seconds = None if calm is None else before + calm
        evidence.allowed_seconds = wishes.allowed_seconds
        reasons = sorted({lines.skipped[kind] for kind in injector.skipped})
        faults = ({**injector.missed, **crowd.missed}, injector.skipped, reasons)
        done = {**injector.done, **crowd.done}
        return Run(judge(evidence), evidence, done, {}, moving or untold, *faults, sampler.samples)
    finally:
        looking.cancel()
        await receivers.close()
        await client.close()
        recorder.close()


async def ask_again(client: Client, recorder: Recorder) -> int:
    """Every unanswered operation once more with its key until it is answered, and some answered ones too (I14)."""
    operations = [operation for operation in recorder.operations.values() if operation.kind != "setup"]
    unknown = [operation for operation in operations if operation.outcome == "unknown"]
    deadline = time.monotonic() + PATIENCE_SECONDS
    for operation in unknown:
        while operation.attempts[-1].outcome == "unknown" and time.monotonic() < deadline:
            await client.again(operation)
            if operation.attempts[-1].outcome == "unknown":
                await asyncio.sleep(0.5)
    answered = [operation for operation in operations if operation.outcome == "ok"]
    for operation in answered[:: max(1, len(answered) // 50)]:
        await client.again(operation)
    return sum(operation.outcome == "unknown" for operation in unknown)


def audit_holds(outcome: Run) -> bool:
    """Whether the system's own audit agrees, order apart: it cannot know which copies the rig put into a partition."""
    sections: Any = outcome.audit.get("sections", [])
    differences = [one for section in sections for one in section["differences"]]
    return bool(sections) and all(one["invariant"] == "I5" for one in differences)


def not_flat(outcome: Run, seconds: float) -> list[str]:
    """What a soak left behind, in words: growth that has no end (long runs only), and queues that did not empty."""
    return [*flatness.growing(outcome.samples, seconds), *flatness.left_over(outcome.samples)]


def summary(outcome: Run, seed: int, seconds: float) -> dict[str, object]:
    """The verdict as it is written down."""
    return {
        "seed": seed,
        "seconds": seconds,
        "holds": outcome.verdict.holds,
        "figures": outcome.verdict.figures,
        "faults": outcome.faults,
        "missed": outcome.missed,
        "skipped": outcome.skipped,
        "skipped_because": outcome.reasons,
        "flat": not_flat(outcome, seconds) == [],
        "not_flat": not_flat(outcome, seconds),
        "series_old_enough_to_judge": flatness.judged(outcome.samples),
        "crashes": outcome.evidence.crashes,
        "still_moving": outcome.still_moving,
        "violations": [str(violation) for violation in outcome.verdict.violations[:50]],
        "violations_in_all": len(outcome.verdict.violations),
        "audit_proven": outcome.audit.get("proven"),
        "audit_holds": audit_holds(outcome),
        "audit": outcome.audit,
        "samples": flatness.summarise(outcome.samples),
    }


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1, default=str), "utf-8")


def main(words: Sequence[str]) -> int:
    """Run, print the verdict; 0 if everything holds."""
    seconds, seed = float(words[0]), int(words[1])
    folder = Path(words[2]) if len(words) > 2 else Path(".booking-chaos") / f"{seed}-{time.strftime('%Y%m%d-%H%M%S')}"
    outcome = run(seed, seconds, folder)
    print(json.dumps(summary(outcome, seed, seconds), indent=1, default=str))
    print(f"everything is in {folder}")
    return 0 if outcome.verdict.holds and not not_flat(outcome, seconds) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
