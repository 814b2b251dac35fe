"""`make pictures`: the pages' pictures, taken of the running thing on a stack of its own, with seeded people."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.e2e.conftest import system_of
from tests.e2e.system import ROOT, Person, System, booking, cast, local_stack, until
from tests.e2e.test_gateway_in_a_browser import LIBRARIES

from booking_local.packages import node_with
from booking_proof.seed.command import HOUSE

PROGRAM = Path(__file__).parent / "browser"
PICTURES = ROOT / "docs" / "pictures"
SCREEN, PHONE, TALL = (1280, 800), (360, 740), (1280, 1500)


@dataclass(frozen=True)
class Picture:
    """One, as the program in the browser wants to know it; `wait` is a selector that must be there first.

    Nobody signs in where `sub` is None: `path` is a whole address then.
    """

    name: str
    sub: str | None
    path: str
    wait: str
    size: tuple[int, int] = SCREEN
    scheme: str = "light"
    whole: bool = False


def shown(system: System, seeded: dict[str, Any]) -> list[Picture]:
    """What people see: each of the three kinds, on a screen and on a phone."""
    members = {one["id"] for one in seeded["members"][:5]}
    practitioners = {one["id"] for one in seeded["practitioners"][:5]}
    admin = system.person("admin", name="Admin")

    def found(status: str, party: str, of: set[str]) -> dict[str, Any]:
        sessions = system.get(admin, "consultation", "/v1/sessions", params={"status": status, "limit": 100})["items"]
        return next(one for one in sessions if one[party] in of)

    done = until("a session", lambda: found("completed", "user_id", members))
    waiting = until("a request", lambda: found("pending_negotiation", "practitioner_id", practitioners))
    gold = next(one["id"] for one in seeded["products"] if one["tier"] == "gold")
    member, practitioner = done["user_id"], waiting["practitioner_id"]
    for role, sub in (("member", member), ("practitioner", practitioner), ("admin", str(HOUSE))):
        someone = system.make_token(role=role, sub=sub)
        told = {"Authorization": f"Bearer {someone}"}
        system.http.put(f"{system.endpoints['checkout']}/v1/me", json={"locale": "en"}, headers=told).raise_for_status()
    busy = f"/calendar?month={_busiest(system, admin, practitioner)}"
    until("the ranking to count the seeded sessions", lambda: _ranked(system, admin, gold))
    return [
        Picture("member-practitioners", member, f"/services/{gold}", "main form"),
        Picture("member-session", member, f"/sessions/{done['id']}", "main ol", PHONE),
        Picture("practitioner-waiting", practitioner, "/waiting", "main a", PHONE, "dark"),
        Picture("practitioner-calendar", practitioner, busy, ".ec-event"),
        Picture("admin-orders", str(HOUSE), "/admin/orders", "main table"),
        Picture("admin-platform", str(HOUSE), "/admin/operations", "main svg", scheme="dark"),
    ]


def report(state: Path, lake: Path) -> Picture:
    """The report of the analytics example, with some more months behind the platform."""
    more = booking("seed", "--sessions", "1500", "--seed", "2", state=state)
    assert more.returncode == 0, more.stdout + more.stderr
    environment = {**os.environ, "BOOKING_STATE": str(state), "LAKE": str(lake)}
    subprocess.run([ROOT / "examples" / "analytics" / "run"], env=environment, check=True, timeout=1_800)
    return Picture("analytics-report", None, (lake / "report.html").as_uri(), "h2", (1180, 800), whole=True)


def observed(system: System, state: Path) -> Picture:
    """What who runs it sees: people use it, and mail does not go out."""
    for _ in range(3):
        assert booking("demo", state=state).returncode == 0
    system.http.put(f"{system.endpoints['mailbox']}/behaviour", json={"mode": "down"}).raise_for_status()
    story = cast(system)
    story.request(story.paid())
    address = system.endpoints["observe"]
    until("the alarm on the page", lambda: "ProviderDown</a></td><td><b>" in system.http.get(address).text)
    return Picture("observed-stack", None, address, ".panels svg", TALL)


def _busiest(system: System, who: Person, practitioner: str) -> str:
    """The month in which that practitioner has most sessions."""
    asked = {"practitioner_id": practitioner, "limit": 100}
    listed = system.get(who, "consultation", "/v1/sessions", params=asked)["items"]
    return Counter(one["starts_at"][:7] for one in listed if one["starts_at"]).most_common(1)[0][0]


def _ranked(system: System, who: Person, product: str) -> bool:
    listed = system.get(who, "checkout", "/v1/practitioners", params={"product_id": product})["items"]
    return any(one["productivity"] for one in listed)


async def main() -> int:
    """Take them all; the exit code of the program that did."""
    PICTURES.mkdir(exist_ok=True)
    node, modules = await node_with(PROGRAM)
    with tempfile.TemporaryDirectory(prefix="pictures-", ignore_cleanup_errors=True) as folder:
        state = Path(folder) / "state"
        with local_stack(state, "--observe"), system_of(state) as system:
            seeded = booking("seed", "--json", state=state)
            assert seeded.returncode == 0, seeded.stdout + seeded.stderr
            people = json.loads(seeded.stdout)["people"]
            environment = {**os.environ, **LIBRARIES, "TMPDIR": folder}
            # The gateway's first: the report's further months would change what they show.
            for pictures in (
                lambda: shown(system, people),
                lambda: [report(state, Path(folder) / "lake")],
                lambda: [observed(system, state)],
            ):
                wanted = [asdict(one) for one in await asyncio.to_thread(pictures)]
                told = json.dumps({"gateway": system.endpoints["gateway"], "folder": str(PICTURES), "pictures": wanted})
                words = [str(node), str(modules / "picture.mjs"), told]
                if code := await asyncio.to_thread(subprocess.call, words, env=environment, timeout=600):
                    return code
            return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
