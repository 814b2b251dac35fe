"""What other services have told a service before the tests: real records, through its own consumers' inbox.

A record goes the way of one from the broker (decode, version row, apply, one transaction), only its bytes come from
here; what cannot be decoded is held, as it would be.
"""

import asyncio
import importlib
from collections.abc import Iterable

from services.notifier.tests.given import Case
from tests.api.service_under_test import MODULES, PEOPLE, ServiceUnderTest, settings_of

from booking_contracts.decode import Record
from booking_contracts.topics import topic_named
from booking_inbox import Consumer, Inbox
from booking_inbox.reading import read
from booking_process.service import Service


def tell(service: ServiceUnderTest, records: Iterable[Record]) -> None:
    """Have the service take these records, in order."""
    asyncio.run(_take_all(service, list(records)))


def case_of_the_people() -> Case:
    """A sale and a session between the member and the practitioner that the tests sign in as."""
    return Case(member=PEOPLE["member"], practitioner=PEOPLE["practitioner"])


def poisoned(case: Case, topic: str, count: int = 1) -> list[Record]:
    """Records that nothing can decode, each of a key of its own."""
    made = [Case(member=case.member, practitioner=case.practitioner) for _ in range(count)]
    return [Record(topic, 0, n, str(one.session).encode(), b"{", (), 0) for n, one in enumerate(made)]


async def _take_all(service: ServiceUnderTest, records: list[Record]) -> None:
    # A second instance of the service beside the running one, as a worker is in another process.
    module = MODULES[service.name]
    worker: Service = importlib.import_module(f"{module}.app").build(settings_of(service.name, service.database_url))
    try:
        for record in records:
            async with worker.database.transaction() as conn:
                await _inbox(service.name, worker).receive(
                    conn, read(record, sequenced=topic_named(record.topic).sequenced)
                )
    finally:
        await worker.database.close()


def _inbox(name: str, worker: Service) -> Inbox:
    if name == "calendar":  # its sessions come to a generation's slot, not to a Consumer
        from calendar_projector.projection.slot import Slot, inbox_of

        return inbox_of(Slot("a"), lambda _: None)
    (consumer,) = [one for one in worker.workers if isinstance(one, Consumer)]
    return consumer.inbox
