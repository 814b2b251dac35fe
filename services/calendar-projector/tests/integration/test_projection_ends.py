"""Where the topic ends, as the calendar's lag is counted from."""

import time

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from booking_contracts.deadlines import connected
from booking_contracts.topics import SESSIONS
from booking_process.database import Database
from calendar_projector.projection.projector import Ends

pytestmark = pytest.mark.servers

_ENDS = "SELECT sum(end_offset) FROM projection_end"


async def test_topic_lost_and_made_again__its_new_end_is_known_soon(world, story, kafka):
    """The old end stood for five minutes, and with it a lag and its alarm."""
    await world.tell(*story().requested().scheduled().records)
    database = Database(world.owner_url)
    ends = Ends(bootstrap=kafka.bootstrap, prefix=world.prefix, database=database)
    try:
        await ends.measure()
        assert await world.rows(_ENDS) == [(2,)]
        await _delete(kafka.bootstrap, world.prefix + SESSIONS.name)
        for _ in range(3):  # each is ended by its own deadline, whatever the client believes
            await ends.measure()
        kafka.create_topics(world.prefix, [SESSIONS.name])
        deadline = time.monotonic() + 90
        while await world.rows(_ENDS) != [(0,)]:
            assert time.monotonic() < deadline, "the old end still stands"
            await ends.measure()
    finally:
        await ends.close()
        await database.close()


async def _delete(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    async with connected(admin):
        await admin.delete_topics([topic])
