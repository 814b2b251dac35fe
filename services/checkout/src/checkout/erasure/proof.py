"""When an erasure has ended: every tombstone is the last record of its key (E4)."""

import asyncio
from uuid import UUID

from booking_contracts.ids import partition_of
from booking_contracts.topics import CONTACTS, PRACTITIONERS
from booking_process.database import Database
from checkout.ranking.rebuild import log_of

LOOK_EVERY = 0.1  # seconds
_WAITING = "SELECT count(*) FROM outbox WHERE topic = ANY(%s) AND key = %s"


async def all_sent(database: Database, person_id: UUID, *, within: float) -> bool:
    """Wait until the relay has sent what was marked for this person; False if it hasn't within these seconds."""
    topics = [CONTACTS.name, PRACTITIONERS.name]
    try:
        async with asyncio.timeout(within):
            while True:
                async with database.autocommit() as conn:
                    row = await (await conn.execute(_WAITING, [topics, str(person_id)])).fetchone()
                if row == (0,):
                    return True
                await asyncio.sleep(LOOK_EVERY)
    except TimeoutError:
        return False


async def last_records(bootstrap: str, prefix: str, person_id: UUID) -> dict[str, bool]:
    """Return, for each topic that has records of this person, whether the last of them is a tombstone."""
    key = str(person_id).encode()
    found: dict[str, bool] = {}
    for topic in (CONTACTS, PRACTITIONERS):
        partition = partition_of(key, topic.partitions)
        async with log_of(topic, bootstrap, prefix, only=partition) as log:
            async for batch in log.until_end():
                for item in batch:
                    if item.record.key == key:
                        found[topic.name] = item.kind == "tombstone"
    return found
