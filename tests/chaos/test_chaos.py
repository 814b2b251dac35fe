"""A short run with a fixed seed; `make chaos SECONDS=600 SEED=3` for a longer one of another."""

import os
from pathlib import Path

import pytest
from tests.chaos.run import audit_holds, not_flat, run, summary

pytestmark = [pytest.mark.servers, pytest.mark.e2e, pytest.mark.timeout(0)]


def test_chaos__every_invariant_holds(tmp_path: Path):
    seed, seconds = int(os.environ.get("CHAOS_SEED") or 1), float(os.environ.get("CHAOS_SECONDS") or 60)
    folder = Path(os.environ.get("CHAOS_FOLDER") or tmp_path) / f"seed-{seed}"
    allowed = float(os.environ.get("CHAOS_ALLOWED_SECONDS") or 60)  # a machine that others use too may need more
    outcome = run(seed, seconds, folder, allowed_seconds=allowed)
    assert outcome.verdict.holds, summary(outcome, seed, seconds)
    assert audit_holds(outcome), outcome.audit
    assert not_flat(outcome, seconds) == []
    assert outcome.verdict.figures["acknowledged"] > 20, "a run without load proves nothing"
    assert sum(outcome.faults.values()) > 3, "a run without faults proves nothing"
