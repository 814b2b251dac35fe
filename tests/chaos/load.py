"""The load: people who buy, pay, request, schedule, move, meet and cancel, at once and in each other's way.

Few practitioners, who have a few dozen sessions ahead of them, so that times collide; now and then everything twice at
once, so that keys, the one-session rule, the overlap rule and the payment rules have something to refuse.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.chaos.client import Client, Person
from tests.chaos.history import Operation

PRICE = 250_000
PRODUCT: dict[str, Any] = {
    "name": "Konseling",
    "kind": "counseling",
    "tier": "gold",
    "price": {"amount": PRICE, "currency": "IDR"},
    "duration_minutes": 60,
    "payment_ttl_minutes": 1440,
    "request_limit_minutes": 10080,
    "auto_start": False,
    "active": True,
}
_HOURS = range(8, 20)
_DAYS = range(3, 6)
_OPEN = 40
"""So many sessions hold a time at any moment, at most: an hour's load finds free hours as a minute's does."""


@dataclass
class Cast:
    """Who takes part."""

    admin: Person
    members: list[Person]
    practitioners: list[Person]
    product: UUID


@dataclass(frozen=True)
class Held:
    """A session that has a date, and whose it is."""

    session: str
    member: Person
    practitioner: Person
    slot: dict[str, Any]


@dataclass
class Load:
    """Stories in parallel until the stop."""

    client: Client
    cast: Cast
    chance: random.Random
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    stories: int = 0
    held: list[Held] = field(default_factory=list)

    async def run(self, parallel: int) -> None:
        """`parallel` stories at a time; each ends where it is when the stop comes."""
        async with asyncio.TaskGroup() as group:
            for number in range(parallel):
                group.create_task(self._tell(random.Random(f"{self.chance.random()}-{number}")))

    async def _tell(self, chance: random.Random) -> None:
        while not self.stop.is_set():
            self.stories += 1
            await Story(self.client, self.cast, chance, self.stop, self.held).play()
            # People pause. At full speed two cores fall behind without any fault, and I12 is about recovery.
            await asyncio.sleep(chance.uniform(0.5, 2.5))


@dataclass
class Story:
    """One purchase until its session has a date; then the oldest of all sessions that have one goes on."""

    client: Client
    cast: Cast
    chance: random.Random
    stop: asyncio.Event
    held: list[Held]
    member: Person = field(init=False)
    practitioner: Person = field(init=False)

    def __post_init__(self) -> None:
        self.member = self.chance.choice(self.cast.members)
        self.practitioner = self.chance.choice(self.cast.practitioners)

    async def play(self) -> None:
        sale = await self._buy()
        if sale is None or self._over():
            return
        canceled = self.chance.random() < 0.08 and await self._cancel_purchase(sale)
        await self._pay(sale)
        if canceled:
            return  # the money goes under review, and no session ever comes of it
        session = await self._request(sale)
        if session is None or self._over():
            return
        await self._schedule(session)
        if len(self.held) > _OPEN and not self._over():
            await self._go_on(self.held.pop(0))

    async def _buy(self) -> str | None:
        body = {"product_id": str(self.cast.product), "practitioner_id": str(self.practitioner.sub)}
        operation, _ = await self.client.command(self.member, "buy", "checkout", "/v1/transactions", body)
        return operation.answer.object_id if operation.answer else None

    async def _cancel_purchase(self, sale: str) -> bool:
        path = f"/v1/transactions/{sale}/cancel"
        operation, _ = await self.client.command(self.member, "cancel_purchase", "checkout", path, {})
        return operation.outcome != "refused"

    async def _pay(self, sale: str) -> None:
        roll = self.chance.random()
        if roll < 0.15:  # the same payment told twice at once, and a second payment of the same sale
            payment = uuid4().hex
            await asyncio.gather(
                self.client.pay(sale, PRICE, payment_id=payment),
                self.client.pay(sale, PRICE, payment_id=payment),
                self.client.pay(sale, PRICE),
            )
        elif roll < 0.2:
            await self.client.pay(sale, PRICE - 1)
            await self.client.pay(sale, PRICE)
        else:
            await self.client.pay(sale, PRICE)

    async def _request(self, sale: str) -> str | None:
        """Until consultation knows the sale, for a minute or so; now and then twice at once."""
        for _ in range(200):
            if self._over():
                return None
            asked = await asyncio.gather(
                *(self._request_once(sale) for _ in range(2 if self.chance.random() < 0.2 else 1))
            )
            taken = [operation.answer.object_id for operation in asked if operation.answer]
            if taken:
                return taken[0]
            codes = {attempt.code for operation in asked for attempt in operation.attempts}
            if not codes & {"not_found", "transaction_not_paid", "not_yet_visible"} and "unknown" not in {
                operation.outcome for operation in asked
            }:
                return None
            await asyncio.sleep(0.3)
        return None

    async def _request_once(self, sale: str) -> Operation:
        body = {"transaction_id": sale}
        operation, _ = await self.client.command(self.member, "request", "consultation", "/v1/sessions", body)
        return operation

    async def _schedule(self, session: str) -> None:
        for _ in range(6):
            if self._over():
                return
            slot, path = self._wanted(), f"/v1/sessions/{session}/schedule"
            rival = self._rival() if self.chance.random() < 0.15 else None
            moved = asyncio.create_task(self._move(rival, slot)) if rival else None
            operation, _ = await self.client.command(self.practitioner, "schedule", "consultation", path, slot)
            if moved:
                await moved
            if operation.outcome != "refused":
                self.held.append(Held(session, self.member, self.practitioner, slot))
                return

    def _wanted(self) -> dict[str, Any]:
        """Some hour; now and then one that is taken, and must be refused."""
        taken = self._rival() if self.chance.random() < 0.25 else None
        return taken.slot if taken else self._slot()

    def _rival(self) -> Held | None:
        theirs = [held for held in self.held if held.practitioner is self.practitioner]
        return self.chance.choice(theirs) if theirs else None

    async def _go_on(self, held: Held) -> None:
        roll, path = self.chance.random(), f"/v1/sessions/{held.session}"
        if roll < 0.35:
            await self._move(held, self._wanted())
        if self._over():
            return
        if roll < 0.55:
            await self.client.command(held.practitioner, "start", "consultation", f"{path}/start")
        if roll < 0.6:
            body = {"result_notes": "Selesai."}
            await self.client.command(held.practitioner, "result", "consultation", f"{path}/result", body)
        elif roll < 0.85:
            reason = {"reason_code": "canceled_by_member", "reason": "Berhalangan."}
            await self.client.command(held.member, "cancel", "consultation", f"{path}/cancel", reason)
        else:
            reason = {"reason_code": "technical", "reason": "Gangguan."}
            await self.client.command(self.cast.admin, "fail", "consultation", f"{path}/fail", reason)

    async def _move(self, held: Held, slot: dict[str, Any]) -> None:
        path = f"/v1/sessions/{held.session}"
        status, found = await self.client.get(held.practitioner, "consultation", path)
        if status != 200:
            return
        version = found["version"]
        await self.client.command(
            held.practitioner, "reschedule", "consultation", f"{path}/schedule", slot, method="PUT", if_match=version
        )

    def _slot(self) -> dict[str, Any]:
        day, hour = self.chance.choice(_DAYS), self.chance.choice(_HOURS)
        half = self.chance.choice(("00", "30"))
        return {
            "scheduled_date": (datetime.now(UTC).date() + timedelta(days=day)).isoformat(),
            "time_start": f"{hour:02d}:{half}",
            "time_end": f"{hour + 1:02d}:{half}",
            "timezone": "Asia/Jakarta",
            "meeting_link": "https://meet.google.com/abc-defg-hij",
        }

    def _over(self) -> bool:
        return self.stop.is_set()


async def bring_cast(client: Client, chance: random.Random, *, members: int, practitioners: int = 6) -> Cast:
    """People and a product, before any fault."""
    mark = f"{chance.randrange(16**6):06x}"

    def person(role: str, name: str, number: int) -> Person:
        sub = uuid4()
        contact = {
            "email": f"{name}-{mark}-{number}@example.com",
            "phone_number": f"+62812{chance.randrange(10**8):08d}",
        }
        return Person(sub, role, client.stack.token(role, sub, name=f"{name} {number}", **contact))

    cast = Cast(
        person("admin", "admin", 0),
        [person("member", "sari", n) for n in range(members)],
        [person("practitioner", "budi", n) for n in range(practitioners)],
        uuid4(),
    )
    await _put(client, cast.admin, f"/v1/products/{cast.product}", PRODUCT)
    for number, one in enumerate(cast.practitioners):
        profile = {
            "name": f"Dr. Budi {number}",
            "photo_url": "https://example.com/budi.jpg",
            "bio": "Psikolog klinis",
            "profession": "Psikolog",
            "tiers": ["gold"],
            "timezone": "Asia/Jakarta",
            "active": True,
            "phone": f"+62813{chance.randrange(10**8):08d}",
            "email": f"budi-{mark}-{number}@example.com",
        }
        await _put(client, cast.admin, f"/v1/practitioners/{one.sub}", profile)
        # WhatsApp takes a message per person each 6 s: who gets many would keep a run from ending.
        await _put(client, one, "/v1/preferences", {"channels": {"email": True, "whatsapp": False}})
    for one in cast.members:
        status, _ = await client.get(one, "checkout", "/v1/me")
        assert status == 200, "the cast is brought before any fault"
    return cast


async def _put(client: Client, who: Person, path: str, body: dict[str, Any]) -> None:
    service = "notifier" if path == "/v1/preferences" else "checkout"
    operation, answer = await client.command(who, "setup", service, path, body, method="PUT")
    assert operation.outcome == "ok", (path, answer)
