"""`booking seed`: people and catalogue by HTTP, then the purchases, several at a time, with progress."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from random import Random
from typing import Annotated, Any, TypeVar
from uuid import UUID, uuid5

import httpx2
import psycopg
import typer
from rich import progress

from booking_local.commands import AsJson, State, layout_of
from booking_local.failure import Failure
from booking_local.stack import control, secrets
from booking_local.stack.people import offer
from booking_local.stack.secrets import Secrets, sign
from booking_proof.seed.story import People, Somebody, purchases
from booking_proof.seed.streams import Product, snapshot, write_purchase

AT_ONCE = 8
_OFFERED = 5
HOUSE = UUID("6a1c5e0e-7d53-4f0a-8f0e-3f9d6b1e2c40")
TIERS = ("silver", "gold", "platinum")
T = TypeVar("T")
Progress = Callable[[str, int, int], None]


class Platform:
    """The services and who may fill them."""

    def __init__(self, endpoints: Mapping[str, Any], keys: Secrets, http: httpx2.AsyncClient, show: Progress) -> None:
        self._endpoints, self._secrets, self._http, self._progress = endpoints, keys, http, show

    async def fill(
        self, practitioners: int, members: int, sessions: int, months: int, seed: int
    ) -> tuple[dict[str, int], dict[str, list[dict[str, Any]]]]:
        """Make everything; return how many, and who. The same seed again adds purchases to the same people."""
        people = People(seed)
        offering = [people.one() for _ in range(practitioners)]
        buying = [people.one() for _ in range(members)]
        tiers = {one.id: [TIERS[n % len(TIERS)]] for n, one in enumerate(offering)}
        products = {tier: await self._product(tier) for tier in TIERS}

        async def practitioner(one: Somebody) -> None:
            await self._put(f"/v1/practitioners/{one.id}", people.profile(one, tiers[one.id]))

        await self._each("practitioners", offering, practitioner, practitioners)
        await self._each("members", buying, self._member, members)
        random, today = Random(seed), datetime.now(UTC).date()  # noqa: S311 - a story, no key
        ids = [one.id for one in buying]
        stories = purchases(ids, practitioners, sessions, months=months, random=random, today=today)
        taken = 0
        async with AsyncExitStack() as stack:
            pairs: asyncio.Queue[tuple[Any, Any]] = asyncio.Queue()
            for _ in range(AT_ONCE):
                pairs.put_nowait((await self._connect(stack, "checkout"), await self._connect(stack, "consultation")))

            async def one(story: Any) -> None:
                nonlocal taken
                who = offering[story.practitioner].id
                pair = await pairs.get()
                try:
                    taken += not await write_purchase(*pair, story, who, products[tiers[who][0]])
                finally:
                    pairs.put_nowait(pair)

            await self._each("sessions", stories, one, sessions)
        counts = {"practitioners": practitioners, "members": members, "purchases": sessions, "unscheduled": taken}
        return counts, {
            "products": [{"id": str(one.snapshot.id), "tier": tier} for tier, one in products.items()],
            "practitioners": [_named(one) | {"tiers": tiers[one.id]} for one in offering],
            "members": [_named(one) for one in buying],
        }

    async def _connect(self, stack: AsyncExitStack, name: str) -> Any:
        conn = await psycopg.AsyncConnection.connect(self._endpoints["postgres"][name], autocommit=True)
        return await stack.enter_async_context(conn)

    async def _each(self, what: str, items: Iterable[T], work: Callable[[T], Awaitable[None]], total: int) -> None:
        """Work on all items, AT_ONCE at a time, and stop at the first failure."""
        source, done = iter(items), 0

        async def worker() -> None:
            nonlocal done
            for item in source:
                await work(item)
                done += 1
                self._progress(what, done, total)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(worker())

    async def _product(self, tier: str) -> Product:
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
        await self._put(f"/v1/products/{product_id}", body)
        return snapshot(product_id, body)

    async def _member(self, one: Somebody) -> None:
        claims: dict[str, Any] = {
            "email": one.email,
            "phone_number": one.phone,
            "zoneinfo": one.timezone,
            "locale": "id",
        }
        token = sign(self._secrets, roles=["member"], sub=str(one.id), name=one.name, **claims)
        self._check(await self._http.get("/v1/me", headers={"Authorization": f"Bearer {token}"}))

    async def _put(self, path: str, body: Mapping[str, Any]) -> None:
        token = sign(self._secrets, roles=["admin"], sub=str(HOUSE))
        self._check(await self._http.put(path, json=body, headers={"Authorization": f"Bearer {token}"}))

    @staticmethod
    def _check(answer: httpx2.Response) -> None:
        if answer.is_error:
            raise Failure(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}")


def _named(one: Somebody) -> dict[str, Any]:
    return {"id": str(one.id), "name": one.name, "email": one.email, "phone": one.phone}


def _offered(people: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Some of each role, for the local identity provider's page."""
    chosen = [("practitioner", one) for one in people["practitioners"][:_OFFERED]]
    chosen += [("member", one) for one in people["members"][:_OFFERED]]
    admin = {"sub": str(HOUSE), "roles": ["admin"], "name": "Admin", "email": "admin@example.com"}
    return [admin] + [
        {"sub": one["id"], "roles": [role], "name": one["name"], "email": one["email"], "phone_number": one["phone"]}
        for role, one in chosen
    ]


def seed(
    *,
    practitioners: Annotated[int, typer.Option(min=1, help="How many practitioners.")] = 20,
    members: Annotated[int, typer.Option(min=1, help="How many members.")] = 100,
    sessions: Annotated[int, typer.Option(min=0, help="How many purchases, most with a session.")] = 200,
    months: Annotated[int, typer.Option(min=0, max=60, help="How far back they reach; 0: all go on now.")] = 6,
    number: Annotated[int, typer.Option("--seed", help="The same number gives the same people.")] = 1,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Fill the running stack with a believable platform: six months of purchases and sessions, and what goes on now."""
    layout = layout_of(state)
    endpoints, began = control.endpoints(layout), time.monotonic()
    bars = progress.Progress(
        progress.TextColumn("{task.description:<14}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        disable=as_json,
    )
    tasks: dict[str, progress.TaskID] = {}

    def show(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total)
        bars.update(tasks[what], completed=done)

    async def fill() -> tuple[dict[str, int], dict[str, list[dict[str, Any]]]]:
        async with httpx2.AsyncClient(base_url=endpoints["checkout"], timeout=30, trust_env=False) as http:
            platform = Platform(endpoints, secrets.load(layout), http, show)
            return await platform.fill(practitioners, members, sessions, months, number)

    with bars:
        made, people = asyncio.run(fill())
    offer(layout, _offered(people))
    seconds = time.monotonic() - began
    if as_json:
        print(json.dumps({**made, "seconds": round(seconds, 1), "people": people}))
    else:
        print(f"Made {', '.join(f'{count:,} {what}' for what, count in made.items())} in {seconds:.1f} s.")
