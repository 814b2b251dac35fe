"""The reference gateway's pages beside a seeded platform: the time of one, from the request to its last byte.

Floor: the same process's answer to whether it is alive.
"""

import asyncio
import json
import statistics
import time
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.harness import Contestant, Goal, Report, Run, Scale, compare
from benchmarks.startup import booking
from benchmarks.system import System, folder_of_its_own
from booking_local.layout import Layout
from booking_local.stack.secrets import Secrets, load, sign
from booking_proof.seed.command import HOUSE

SESSIONS = {"tiny": 10, "default": 1_000, "full": 10_000}
UNIT = "median, ms"
_OF_PRACTITIONER = ("/waiting", "/sessions", "/calendar", "/practice")
GOAL = {UNIT: Goal(50, of="figure", least=False)}


async def timed(client: httpx2.AsyncClient, path: str, calls: int) -> Run:
    """The median of so many calls, one after the other."""
    took: list[float] = []
    for _ in range(calls):
        began = time.perf_counter()
        answer = await client.get(path)
        took.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:300]}")
    return Run({UNIT: statistics.median(took)})


async def signed_in(gateway: str, who: dict[str, Any], role: str) -> httpx2.AsyncClient:
    """A browser in which that person is signed in, by the provider's own form."""
    client = httpx2.AsyncClient(base_url=gateway, timeout=60, trust_env=False, follow_redirects=True)
    form = await client.get("/sign-in")
    said = {"sub": who["id"], "role": role, "name": who["name"], "email": who["email"], "locale": "en"}
    said |= {"phone_number": who["phone"], "zoneinfo": "Asia/Jakarta"}
    (await client.post(form.url, data=said)).raise_for_status()
    return client


async def chosen(endpoints: dict[str, Any], keys: Secrets) -> dict[str, Any]:
    """A session that is scheduled: its member and practitioner are the ones who look."""
    token = sign(keys, roles=["admin"], sub=str(HOUSE))
    address, headers = f"{endpoints['consultation']}/v1/sessions", {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as http:
        for status in ("scheduled", "completed", "pending_negotiation"):
            answer = await http.get(address, params={"status": status, "limit": 1}, headers=headers)
            if answer.json()["items"]:
                return answer.json()["items"][0]
    raise RuntimeError("nothing was seeded")


async def measure(_system: System, scale: Scale, rounds: int) -> list[Report]:
    """One table."""
    calls = 2 if scale == "tiny" else 40
    with folder_of_its_own() as folder:
        state = ["--state", str(folder)]
        await booking("up", "--detach", *state)
        try:
            told = await booking("seed", "--json", "--sessions", str(SESSIONS[scale]), *state)
            seeded = json.loads(told)["people"]
            endpoints = json.loads((Path(folder) / "endpoints.json").read_text())
            session = await chosen(endpoints, load(Layout(Path(folder))))
            people = {one["id"]: one for one in chain(seeded["members"], seeded["practitioners"])}
            admin = {"id": str(HOUSE), "name": "Admin", "email": "admin@example.com", "phone": "+6281100000000"}
            of_admin = ["/admin/orders", f"/admin/orders/{session['transaction_id']}", "/admin/practitioners"]
            lookers = {
                "member": (people[session["user_id"]], _of_member(seeded, session)),
                "practitioner": (people[session["practitioner_id"]], [*_OF_PRACTITIONER]),
                "admin": (admin, of_admin),
            }
            clients = {role: await signed_in(endpoints["gateway"], who, role) for role, (who, _) in lookers.items()}
            others = [
                Contestant(f"{role}: {_told(path)}", partial(timed, clients[role], path, calls), GOAL)
                for role, (_, paths) in lookers.items()
                for path in paths
            ]
            floor = Contestant("floor: alive", partial(timed, clients["member"], "/healthz", calls))
            title = f"Pages beside {SESSIONS[scale]:,} sessions"
            report = await compare(title, floor, others, rounds=rounds)
            await asyncio.gather(*(client.aclose() for client in clients.values()))
            return [report]
        finally:
            await booking("down", *state)


def _of_member(seeded: dict[str, Any], session: dict[str, Any]) -> list[str]:
    product = next(one["id"] for one in seeded["products"] if one["tier"] == "gold")
    order, one = f"/orders/{session['transaction_id']}", f"/sessions/{session['id']}"
    return ["/services", f"/services/{product}", "/orders", order, "/sessions", one, "/calendar", "/profile"]


def _told(path: str) -> str:
    """The address with `…` for an id."""
    return "/".join("…" if len(part) == 36 else part for part in path.split("/"))
