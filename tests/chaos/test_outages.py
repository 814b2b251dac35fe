"""Kafka dead and PostgreSQL killed, under load, for a short while; `python -m tests.chaos.outages` takes longer."""

import pytest
from tests.chaos.outages import kafka_dead, measure, postgres_killed

pytestmark = [pytest.mark.servers, pytest.mark.e2e, pytest.mark.timeout(0)]
RECOVERY_SECONDS = 30.0


def test_kafka_dead__no_command_fails_and_the_backlog_drains_alone():
    """F1, I12."""
    seen = measure(kafka_dead(25.0))
    assert [answer for answer in seen.answers if not answer.startswith("2")] == [], seen
    assert seen.answers.get("201", 0) > 10, "a run without load proves nothing"
    assert seen.unknown_at_last == 0, seen
    assert seen.until_rest is not None, seen.still_moving


def test_postgres_killed__nothing_but_503_with_retry_after_then_all_well_alone():
    """F7, I12. Which connection a kill cuts in mid-answer nobody sees here: the services stay up and say 503."""
    seen = measure(postgres_killed(3))
    failures = [answer for answer in seen.answers if not answer.startswith("2")]
    assert failures == ["503 database_unavailable"], seen
    assert seen.without_retry_after == 0
    assert seen.unknown_at_last == 0, seen
    assert max(seen.recoveries) < RECOVERY_SECONDS, seen
    assert seen.until_rest is not None, seen.still_moving
