"""Machines lost one after the other, under load, judged by the checker (docs/promises.md, F2 and F15)."""

import os
from pathlib import Path

import pytest
from tests.machines.failover import run

pytestmark = [pytest.mark.servers, pytest.mark.e2e, pytest.mark.timeout(0)]
MOST_SECONDS = 75.0
"""For each recovery on a machine that others use too; what it takes on one's own stands in docs/promises.md."""
USUAL = {"503 database_unavailable", "ReadTimeout", "ReadError", "RemoteProtocolError"}
"""While there is no primary: refused, or no answer in time."""


def test_two_brokers_and_the_primary_lost__every_acknowledged_command_is_there(tmp_path: Path):
    outcome = run(Path(os.environ.get("MACHINES_FOLDER") or tmp_path))
    said = outcome.summary()

    for loss in (outcome.broker, outcome.second_broker):
        assert loss.failures == {}, "commands need PostgreSQL alone"
        assert loss.commands >= 10, "a run without load proves nothing"
    assert outcome.broker.until_published is not None
    assert outcome.broker.until_published < MOST_SECONDS, said
    assert outcome.brokers_back < MOST_SECONDS, said
    assert set(outcome.primary.failures) <= USUAL, said
    for seconds in (outcome.primary.until_commands, outcome.primary.until_ready, outcome.primary.until_published):
        assert seconds is not None
        assert seconds < MOST_SECONDS, said
    assert outcome.verdict.holds, said
    assert outcome.still_moving == "", said
    assert outcome.audit["proven"], outcome.audit
