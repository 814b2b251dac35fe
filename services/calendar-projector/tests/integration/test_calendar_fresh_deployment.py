"""What a connection plans while every table is empty serves as well when they are full."""

import pytest
from tests.rigs.plans import OFTEN, kept_plans

from calendar_projector.projection.consumer import fold
from calendar_projector.projection.slot import Slot, merge

pytestmark = pytest.mark.servers
RANGE = "start=2026-12-01T00:00:00Z&end=2026-12-02T00:00:00Z"


async def test_plans_made_on_empty_tables__read_by_index(ground, story) -> None:
    for _ in range(OFTEN):
        one = story().requested().scheduled()
        await ground.put(one)
        for path in (f"/v1/calendar/events?{RANGE}", f"/v1/calendar/busy?{RANGE}"):
            answer = await ground.running.get(
                f"{path}&practitioner_id={one.practitioner}", "practitioner", sub=one.practitioner
            )
            assert answer.status_code == 200, answer.text
    async with ground.running.service.database.autocommit() as conn:
        for _ in range(OFTEN):
            one = story().requested().scheduled()
            await merge(conn, Slot("a"), list(fold(one.records).patches.values()))
        kept = await kept_plans(conn)
    assert any("WITH reached AS" in text for text in kept), "the merge"
    assert {text: found for text, found in kept.items() if found} == {}
