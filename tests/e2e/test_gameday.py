"""The game day in short, and that it can lose: an alarm that does not come is a failure (`make gameday-test`)."""

import json
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.observability.promql import FOLDER, ROOT

from booking_local.failure import Failure
from booking_proof.gameday.alarms import alarms
from booking_proof.gameday.incidents import INCIDENTS
from booking_proof.gameday.play import match

pytestmark = [pytest.mark.servers, pytest.mark.e2e, pytest.mark.timeout(900)]


def test_short_game__each_alarm_comes_and_goes_and_nothing_is_lost():
    """As a person types it."""
    words = ["gameday", "--short", "--hold", "0.02", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "booking_local", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert {one["incident"] for one in told} == {one.name for one in INCIDENTS if one.quick}
    assert len(told) >= 3
    for one in told:
        assert one["skipped"] == ""
        assert 0 < one["true_after"] <= one["alarm_after"]
        assert 0 < one["clear_after"] <= one["proven_after"]


async def test_incident_that_nobody_sees_or_that_never_ends__loses_the_game():
    poison = next(one for one in INCIDENTS if one.name == "poison")

    @asynccontextmanager
    async def nothing(_game):
        yield

    @asynccontextmanager
    async def without_healing(game):
        healing = poison.inflict(game)
        await healing.__aenter__()
        yield

    async with match(dict(alarms(FOLDER / "rules")), hold=0.0, full=False, say=lambda _: None) as game:
        with pytest.raises(Failure, match="the alarm RecordsHeld of poison"):
            await game.play(replace(poison, inflict=nothing, within=10.0))
        with pytest.raises(Failure, match="RecordsHeld is off again after poison"):
            await game.play(replace(poison, inflict=without_healing), clear_within=10.0)
        with pytest.raises(Failure, match="RecordsHeld is off before poison"):
            await game.play(poison, quiet_within=10.0)
