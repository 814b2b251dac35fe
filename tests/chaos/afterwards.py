"""What every run ends with: all that is unanswered asked again, rest waited for, evidence gathered, the verdict."""

from __future__ import annotations

import time
from pathlib import Path

from tests.chaos.checker.verdict import Verdict, judge
from tests.chaos.client import Client
from tests.chaos.collect import collect
from tests.chaos.run import PATIENCE_SECONDS, ask_again
from tests.chaos.settle import all_told, caught_up


async def rest_and_verdict(client: Client, folder: Path, *, healed_at: float, allowed: float) -> tuple[Verdict, str]:
    """The verdict, and in words what never came to rest. `healed_at` is monotonic; `allowed` are I12's seconds."""
    stack, recorder = client.stack, client.recorder
    recorder.note("asked_again", unknown=await ask_again(client, recorder))
    before = time.monotonic() - healed_at
    calm, moving = await caught_up(stack, PATIENCE_SECONDS, recorder.note)
    _, untold = await all_told(stack, PATIENCE_SECONDS, recorder.note)
    evidence = await collect(stack, recorder.operations.values(), {})
    evidence.recovery_seconds = None if calm is None else before + calm
    evidence.allowed_seconds = allowed
    evidence.save(folder / "evidence.json")
    return judge(evidence), moving or untold
