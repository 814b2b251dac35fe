"""Receivers of webhooks during a run: one that fails in every way by chance, and one that soon wants no more (410).

What failed twice would be tried again in minutes only. So when the faults are over, the receiver starts anew and is
well, and an admin sends again what waits, as people do.
"""

from __future__ import annotations

import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx2
from services.notifier.tests.receivers import OK, Got, Misdeed, Receiver, Says, answer, receiving
from standardwebhooks import WebhookVerificationError
from tests.chaos.client import Client, Person
from tests.chaos.evidence import Reception
from tests.chaos.stack import Stack
from tests.rigs.databases import opened

from booking_contracts.topics import SESSIONS, TRANSACTIONS

_TYPES = sorted(event.full_type() for event in (*TRANSACTIONS.events, *SESSIONS.events))
_WAITING = """
SELECT d.id::text, d.status = 'pending' AND d.not_before > clock_timestamp() + interval '2 seconds'
FROM webhook_delivery d JOIN webhook_endpoint e ON e.id = d.endpoint_id
WHERE d.status IN ('pending', 'sending') AND e.status = 'enabled'
"""


@dataclass
class Receivers:
    """Both of them, and every request that they got with what they answered."""

    client: Client
    chance: random.Random
    receptions: list[Reception] = field(default_factory=list)
    _token: str = ""
    _servers: AsyncExitStack = field(default_factory=AsyncExitStack)
    _restarted: AsyncExitStack = field(default_factory=AsyncExitStack)
    _erratic: Receiver = field(default_factory=Receiver)
    _well: bool = False
    _left: int = 3
    """So many the second one takes before it is gone."""
    _sent_again: set[str] = field(default_factory=set)

    async def open(self, admin: Person) -> None:
        """Start them and register them."""
        self._token = admin.token
        await self._restarted.enter_async_context(receiving(self._erratic))
        gone = await self._servers.enter_async_context(receiving())
        for receiver, says in ((self._erratic, self._by_chance), (gone, self._until_gone)):
            body = {"url": receiver.url, "event_types": _TYPES}
            path = "/v1/webhook-endpoints"
            operation, made = await self.client.command(admin, "setup", "notifier", path, body)
            assert operation.outcome == "ok", made
            receiver.says = _Noting(self.receptions, made["id"], made["secret"], says)

    async def heal(self) -> None:
        """The erratic one starts anew, whatever hung in it is cut, and takes all from now on."""
        self._well = True
        await self._restarted.aclose()
        await self._restarted.enter_async_context(receiving(self._erratic))

    async def close(self) -> None:
        """Hang up."""
        await self._restarted.aclose()
        await self._servers.aclose()

    async def untold(self, stack: Stack) -> str:
        """What still waits for a receiver, in words; sent again at once where it would wait for long."""
        async with opened(stack.endpoints["postgres"]["notifier"]) as conn:
            rows = await (await conn.execute(_WAITING)).fetchall()
        late = [id_ for id_, waits in rows if waits and id_ not in self._sent_again]
        async with httpx2.AsyncClient(timeout=8.0, trust_env=False) as http:
            for id_ in late:
                url = f"{stack.endpoints['notifier']}/v1/webhook-deliveries/{id_}/resend"
                done = await http.post(url, headers={"Authorization": f"Bearer {self._token}"})
                self._sent_again |= {id_} if done.is_success else set()
        return f"{len(rows)} webhooks wait" if rows else ""

    def _by_chance(self, _got: Got) -> Misdeed | bytes:
        roll = 1.0 if self._well else self.chance.random()
        if roll < 0.02:
            return Misdeed(hangs=True)
        if roll < 0.06:
            return Misdeed(b"HTTP/1.1 200 ")
        if roll < 0.09:
            return answer(302, "Location: http://127.0.0.1:9/elsewhere")
        return answer(500) if roll < 0.15 else OK

    def _until_gone(self, _got: Got) -> bytes:
        self._left -= 1
        return OK if self._left >= 0 else answer(410)


@dataclass
class _Noting:
    """Notes what came, whether it is signed, and what is answered."""

    receptions: list[Reception]
    endpoint: str
    secret: str
    says: Says

    def __call__(self, got: Got) -> Misdeed | bytes:
        said = self.says(got)
        try:
            got.verified(self.secret)
            verified = True
        except WebhookVerificationError:
            verified = False
        # What does not come whole was not taken.
        status = int(said.split()[1]) if isinstance(said, bytes) else 0
        self.receptions.append(Reception(self.endpoint, got.id, verified, status))
        return said
