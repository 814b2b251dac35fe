"""What a connection plans while every table is empty serves as well when they are full."""

import pytest
from services.notifier.tests.given import Case
from tests.rigs.plans import OFTEN, kept_plans

pytestmark = pytest.mark.servers
SMALL = {"installation", "webhook_endpoint"}
"""One row, and the twenty endpoints that there may be: read whole at every size."""


async def test_plans_made_on_empty_tables__read_by_index(notifier) -> None:
    running = await notifier()
    for _ in range(3 * OFTEN):
        case = Case()
        await running.tell(*case.contacts(), case.profile(), case.requested(), case.scheduled(), case.rescheduled())
        await running.settled(recipient_id=case.practitioner, template="session_requested")
    kept: dict[str, list[str]] = {}
    for conn in [conn for conn, _ in running.database.pool._idle]:  # each worker's own
        kept |= await kept_plans(conn)
    mine = {text: found for text, found in kept.items() if "provider_message_id\n" not in text}  # the test's own look
    assert len(mine) >= 3
    assert {text: found for text, found in mine.items() if set(found) - SMALL} == {}
