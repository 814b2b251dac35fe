"""`booking-ops erase`: a person's contact data and free text, everywhere (E4)."""

import json
from typing import Annotated, Any
from uuid import UUID

import typer

from booking_contracts.topics import CONTACTS, PRACTITIONERS
from booking_ops.calls import calls
from booking_ops.deployment import Deployment, deployment
from booking_ops.failure import Refused
from booking_ops.manners import Deadline, Yes, done, sure
from booking_ops.presence import present


def erase(
    person: Annotated[UUID, typer.Argument(help="Whose data.")], *, yes: Yes = False, deadline: Deadline = 120
) -> None:
    """Delete a person's contact data and free text everywhere; their events stay, as ids alone.

    Ends when each tombstone is the last record of its key. Exit code 1: erased, and that has not happened yet.
    """
    sure(f"Erase person {person} for ever?", yes=yes)
    print(json.dumps(done(_erase(deployment(), person), deadline)))


async def _erase(where: Deployment, person: UUID) -> dict[str, Any]:
    from checkout.people import erasure  # noqa: PLC0415 - the service, for this command alone

    async with calls(where) as ask:
        told: dict[str, Any] = await ask.ask("checkout", "PUT", f"/v1/erasures/{person}")
    database = where.service("checkout").database
    try:
        if not await erasure.all_sent(database, person, within=60):
            raise Refused("Erased, but the tombstones are not sent yet: is Kafka up? They follow; run it again to see.")
    finally:
        await database.close()
    await present(where, [CONTACTS, PRACTITIONERS], so_far="It is erased; what was sent could not be looked at")
    last = await erasure.last_records(where.kafka, where.prefix, person)
    if not all(last.values()):
        raise Refused(f"Erased, but a value came after the tombstone: {last}. Run it again.")
    return {**told, "tombstones": sorted(last)}
