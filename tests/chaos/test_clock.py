"""A service's wrong clock breaks no promise, wherever it jumps. `CHAOS_CLOCK=1 make chaos`, where libfaketime is."""

import os
from pathlib import Path

import pytest
from tests.chaos import clock
from tests.chaos.clock import ENOUGH, SHIFTS
from tests.chaos.stack import SERVICES

pytestmark = [
    pytest.mark.servers,
    pytest.mark.e2e,
    pytest.mark.timeout(0),
    pytest.mark.skipif(
        not os.environ.get("CHAOS_CLOCK"), reason="clocks are moved by CHAOS_CLOCK=1 make chaos, with libfaketime"
    ),
]


@pytest.fixture(autouse=True)
def _movable() -> None:
    if reason := clock.unavailable():
        pytest.skip(reason)


def test_clock_of_each_service_jumps__every_invariant_holds(tmp_path: Path):
    outcome = clock.run(tmp_path)
    assert outcome.still_moving == ""
    assert outcome.verdict is not None
    assert outcome.verdict.holds, [str(violation) for violation in outcome.verdict.violations[:20]]
    assert outcome.acknowledged.keys() == {(service, hours) for service in SERVICES for hours in SHIFTS}
    assert min(outcome.acknowledged.values()) >= ENOUGH
    assert outcome.negative == []
    assert outcome.appointment == "scheduled", "a timer believed its process's clock"
    assert outcome.fresh_token == {2: 401, -2: 401, 0: 200}, "the tolerated difference of clocks is 30 s"
