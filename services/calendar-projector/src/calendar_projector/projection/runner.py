"""One generation's consumer: batches of records into its slot, rows and positions in one transaction (C2).

Live and rebuild are this same code; a generation that is not active publishes and pushes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg

from booking_contracts.topics import SESSIONS
from booking_inbox import Engine, Failure, Result, Tuning
from booking_inbox.reading import Poison
from booking_process.database import Database
from calendar_projector.projection.batch import Batch, decoded, fold_in_turns
from calendar_projector.projection.merge import Merged, Slot, merge
from calendar_projector.projection.positions import Positions
from calendar_projector.projection.slot_inbox import inbox_of

_APPLIED = Result("applied")


class Listener(Protocol):
    """Whom a generation's consumer tells what it has committed."""

    def committed(self, merged: Merged) -> None:
        """These rows changed and are published; called after the commit, must not wait."""
        ...


@dataclass(frozen=True, slots=True)
class Kafka:
    """Where the topics are."""

    bootstrap: str
    prefix: str


def engine_of(
    generation: int, slot: Slot, *, database: Database, kafka: Kafka, tuning: Tuning, listener: Listener
) -> Engine[Batch]:
    """One member of the generation's group."""
    return Engine(
        slot.consumer,  # a name for each generation would be a label of metrics for each, for ever
        [SESSIONS.name],
        _Merging(slot, kafka.prefix, listener),
        together=True,
        database=database,
        bootstrap=kafka.bootstrap,
        topic_prefix=kafka.prefix,
        group_id=f"calendar-projector.g{generation}",
        positions=Positions(generation, SESSIONS.name),
        tuning=tuning,
    )


class _Merging:
    """What the engine does with a generation's records."""

    def __init__(self, slot: Slot, prefix: str, listener: Listener) -> None:
        self._slot, self._prefix, self._listener = slot, prefix, listener

    async def read(self, raws: Sequence[Any], *, alone: bool) -> Batch:
        return await fold_in_turns(raws, self._prefix, at_a_glance=not alone)

    async def handle(
        self, conn: psycopg.AsyncConnection[Any], work: Batch, failure: Failure | None
    ) -> Sequence[Result]:
        """Merge all that folds; what does not fit its row goes through the inbox's rules, record by record."""
        merged = await merge(conn, self._slot, list(work.patches.values())) if work.patches else Merged()
        inbox = inbox_of(self._slot, merged.add)
        closely: dict[int, Result] = {}
        for key in work.raws.keys() - merged.people.keys():
            for raw in work.raws[key]:
                item = decoded(raw, self._prefix)
                if failure is None or isinstance(item, Poison):
                    closely[id(raw)] = await inbox.receive(conn, item)
                else:
                    closely[id(raw)] = await inbox.give_up(conn, item, failure)
        work.merged = merged
        return [closely.get(id(raw), _APPLIED) for raw in work.all]

    def committed(self, work: Batch, results: Sequence[Result]) -> None:
        del results
        if work.merged.published:
            self._listener.committed(work.merged)
