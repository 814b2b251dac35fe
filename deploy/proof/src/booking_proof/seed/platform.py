"""The whole seeding: people and catalogue by HTTP, then the purchases, several at a time, with progress."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeVar
from uuid import UUID, uuid5

import httpx2
import psycopg

from booking_local.failure import Failure
from booking_local.stack.secrets import Secrets, sign
from booking_proof.seed.story import People, Somebody, purchases
from booking_proof.seed.streams import Product, snapshot, tell

AT_ONCE = 8
HOUSE = UUID("6a1c5e0e-7d53-4f0a-8f0e-3f9d6b1e2c40")
TIERS = ("silver", "gold", "platinum")
MONTHS = 6
T = TypeVar("T")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Size:
    """How much to make."""

    practitioners: int
    members: int
    sessions: int
    seed: int
    months: int = MONTHS


class Platform:
    """The services and who may fill them."""

    def __init__(self, endpoints: Mapping[str, Any], secrets: Secrets, progress: Progress) -> None:
        self._endpoints, self._secrets, self._progress = endpoints, secrets, progress

    async def fill(self, size: Size) -> dict[str, int]:
        """Make everything; return what was made. The same seed again adds purchases to the same people."""
        people = People(size.seed)
        practitioners = [people.one() for _ in range(size.practitioners)]
        members = [people.one() for _ in range(size.members)]
        tiers = {one.id: [TIERS[n % len(TIERS)]] for n, one in enumerate(practitioners)}
        async with httpx2.AsyncClient(base_url=self._endpoints["checkout"], timeout=30, trust_env=False) as http:
            products = {tier: await self._product(http, tier) for tier in TIERS}
            await self._each("practitioners", practitioners, lambda one: self._practitioner(http, one, people, tiers))
            await self._each("members", members, lambda one: self._member(http, one))
        random = Random(size.seed)  # noqa: S311 - a story, no key
        stories = purchases(
            [one.id for one in members],
            len(practitioners),
            size.sessions,
            months=size.months,
            random=random,
            today=datetime.now(UTC).date(),
        )
        taken = 0
        async with AsyncExitStack() as stack:
            pairs: asyncio.Queue[tuple[Any, Any]] = asyncio.Queue()
            for _ in range(AT_ONCE):
                pairs.put_nowait((await self._connect(stack, "checkout"), await self._connect(stack, "consultation")))

            async def one(story: Any) -> None:
                nonlocal taken
                who = practitioners[story.practitioner].id
                pair = await pairs.get()
                try:
                    taken += not await tell(*pair, story, who, products[tiers[who][0]])
                finally:
                    pairs.put_nowait(pair)

            await self._each("sessions", stories, one, total=size.sessions)
        return {
            "practitioners": len(practitioners),
            "members": len(members),
            "purchases": size.sessions,
            "unscheduled": taken,
        }

    async def _connect(self, stack: AsyncExitStack, name: str) -> Any:
        conn = await psycopg.AsyncConnection.connect(self._endpoints["postgres"][name], autocommit=True)
        return await stack.enter_async_context(conn)

    async def _each(self, what: str, items: Iterable[T], work: Callable[[T], Awaitable[None]], total: int = 0) -> None:
        """Work on all items, AT_ONCE at a time, and stop at the first failure."""
        listed = items if total else list(items)
        total = total or len(listed)  # pyright: ignore[reportArgumentType]
        source, done = iter(listed), 0

        async def worker() -> None:
            nonlocal done
            for item in source:
                await work(item)
                done += 1
                self._progress(what, done, total)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(worker())

    async def _product(self, http: httpx2.AsyncClient, tier: str) -> Product:
        body = {
            "name": f"Konseling {tier}",
            "kind": "counseling",
            "tier": tier,
            "duration_minutes": 60,
            "price": {"amount": 150_000 + 100_000 * TIERS.index(tier), "currency": "IDR"},
            "payment_ttl_minutes": 1440,
            "request_limit_minutes": 10080,
            "auto_start": False,
            "active": True,
        }
        product_id = uuid5(HOUSE, tier)
        await self._put(http, f"/v1/products/{product_id}", body)
        return snapshot(product_id, body)

    async def _practitioner(
        self, http: httpx2.AsyncClient, one: Somebody, people: People, tiers: Mapping[UUID, list[str]]
    ) -> None:
        await self._put(http, f"/v1/practitioners/{one.id}", people.profile(one, tiers[one.id]))

    async def _member(self, http: httpx2.AsyncClient, one: Somebody) -> None:
        token = sign(
            self._secrets,
            roles=["member"],
            sub=str(one.id),
            name=one.name,
            email=one.email,
            phone_number=one.phone,
            zoneinfo=one.timezone,
            locale="id",
        )
        self._check(await http.get("/v1/me", headers={"Authorization": f"Bearer {token}"}))

    async def _put(self, http: httpx2.AsyncClient, path: str, body: Mapping[str, Any]) -> None:
        token = sign(self._secrets, roles=["admin"], sub=str(HOUSE))
        self._check(await http.put(path, json=body, headers={"Authorization": f"Bearer {token}"}))

    @staticmethod
    def _check(answer: httpx2.Response) -> None:
        if answer.is_error:
            raise Failure(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}")
