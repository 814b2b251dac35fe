"""The release before and this one side by side, under load: forwards, back, and forwards again (docs/releasing.md)."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.upgrade.release import ROOT, UPGRADE_FROM, NoHistory, unpack
from tests.upgrade.rolling import ORDER, run

pytestmark = [pytest.mark.servers, pytest.mark.e2e, pytest.mark.timeout(0)]
USUAL = {"200", "201", "404", "409"}
"""409: what the product's rules refuse; 404: a sale that consultation hasn't heard of yet."""


@pytest.fixture(autouse=True)
def _history() -> None:
    found = ["git", "-C", str(ROOT), "cat-file", "-e", f"{UPGRADE_FROM}^{{commit}}"]
    if not (ROOT / ".git").exists() or subprocess.run(found, capture_output=True, check=False).returncode:
        pytest.skip(f"the release before is taken from git's history, which isn't here as far as {UPGRADE_FROM[:8]}")


def test_rolling_upgrade__forwards_back_and_forwards__no_error_and_nothing_lost(tmp_path: Path):
    outcome = run(Path(os.environ.get("UPGRADE_FOLDER") or tmp_path))
    said = outcome.summary()

    assert outcome.unanswered == 0, said
    unusual = {answer: count for answer, count in outcome.answers.items() if answer.split()[1] not in USUAL and count}
    assert unusual == {}, said
    assert outcome.ends == [0] * 4 * len(ORDER), "a copy that is asked to end, ends well"
    assert outcome.verdict.holds, said
    assert outcome.verdict.figures["acknowledged"] > 100, "a run without load proves nothing"
    assert outcome.still_moving == "", said
    # What the old release told meanwhile is not on topics that it doesn't know, until they are published again.
    assert {one["invariant"] for one in outcome.behind} <= {"I4"}, outcome.behind[:20]
    assert outcome.audit["proven"], said


def test_release_before__is_in_the_history_of_this_one(tmp_path: Path):
    assert unpack(UPGRADE_FROM, tmp_path) != []
    with pytest.raises(NoHistory, match="Fetch the whole history"):
        unpack("0" * 40, tmp_path)
