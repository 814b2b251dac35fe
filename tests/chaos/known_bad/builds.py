"""The known-bad builds: each breaks one rule that the design stands on, and the rig must notice within one run.

A build is the module it changes and the change, made in every process of the stack. `no_constraint` changes the
database instead (see `test_known_bad.py`).
"""

import asyncio
import os
from pathlib import Path


def _replace(owner, name, bad):
    """What a build changes must be there: a renamed function would leave a good build that nobody catches."""
    getattr(owner, name)
    setattr(owner, name, bad)


def relay_cursor(reading):
    """The relay reads what lies above the last mark it has seen, so it passes a transaction that commits late (F25)."""
    marks = reading._marks

    async def above_the_last(conn, query, topic, limit, skip):
        place = Path(os.environ["BOOKING_STACK"]) / "run" / f"cursor-{topic}"
        last = int(place.read_text()) if place.exists() else 0
        rows = [row for row in await marks(conn, query, topic, limit, ()) if int(row[0]) > last]
        if rows:
            place.write_text(str(max(int(row[0]) for row in rows)))
        return rows

    _replace(reading, "_marks", above_the_last)


def relay_deletes_a_range(reading):
    """The relay deletes every mark up to the highest acknowledged one, also those that are still to be sent."""

    async def settle(conn, topic, marks, states=None):
        highest = max(int(mark) for mark in marks)
        await asyncio.sleep(0.2)  # a database that takes its time: what commits meanwhile was never read
        await conn.execute("DELETE FROM outbox WHERE topic = %s AND id <= %s", [topic, highest])

    _replace(reading, "settle", settle)


def acknowledges_before_commit(reader):
    """The consumer commits the offset, then applies the record: a kill in between loses it."""

    async def handle(self, raw):
        batch = self._fresh((await self._with_more(raw))[0])
        for record in batch:
            self.offsets.settle(reader.TopicPartition(record.topic, record.partition), record.offset + 1)
        await self.offsets.flush()
        self.in_hand = list(batch)
        self._idle.clear()
        try:
            if batch:
                await self._take(batch)
        finally:
            self.in_hand = []
            self._idle.set()

    _replace(reader.Reader, "_handle", handle)


def sends_before_the_ledger(worker):
    """The message leaves before `sending` is committed: whoever rolls back sends it again, and nobody can see it."""

    async def claim(self):
        async with self._database.transaction() as conn:
            claimed = await worker.claim_next(conn, self._channel, self._policy, self._platform_zone)
            if isinstance(claimed, worker.Attempt):
                outcome = await self._send(claimed)
                await asyncio.sleep(0.3)
                await worker.record_outcome(conn, claimed, outcome, self._policy, pause=1.0)
        if isinstance(claimed, worker.Attempt):
            return worker.Settled(claimed.id, claimed.traceparent, claimed.template, "sent", "")
        return claimed

    _replace(worker.Sender, "_claim", claim)


def no_version_guard(inbox):
    """Every record is applied as it comes: again, and out of order."""

    async def advance(self, conn, key, version):
        names = {**self._names, "key": key, "version": version or 1}
        await conn.execute(inbox._MAKE, names)
        await conn.execute(inbox._MOVE, names)
        return True

    _replace(inbox.InboxRows, "advance", advance)


def no_idempotency(idempotency):
    """Keys are neither looked up nor remembered."""

    def forget(self, key):
        object.__setattr__(self, "key", None)

    _replace(idempotency.IdempotencyScope, "__init__", forget)


BUILDS = {
    "relay_cursor": ("booking_outbox._reading", relay_cursor),
    "relay_deletes_a_range": ("booking_outbox._reading", relay_deletes_a_range),
    "acknowledges_before_commit": ("booking_inbox.reader", acknowledges_before_commit),
    "sends_before_the_ledger": ("notifier.sending.worker", sends_before_the_ledger),
    "no_version_guard": ("booking_inbox.inbox", no_version_guard),
    "no_idempotency": ("booking_web.idempotency", no_idempotency),
    "no_constraint": ("", None),
}
