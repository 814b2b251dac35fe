"""The stack that a game day plays on, its own and thrown away: its processes, its commands, its people who buy."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import psycopg

from booking_local.failure import Failure
from booking_local.layout import Layout
from booking_local.servers import process
from booking_local.stack import control, secrets
from booking_proof.demo.people import PRODUCT, PRODUCT_ID, Cast, Person, gather, profile

SERVICES = ("checkout", "consultation", "notifier", "calendar")
VOLUME_MEGABYTES = 640
_LOOK = 0.1


class Stage:
    """One running stack. What is kept down is killed as often as the supervisor starts it."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.frozen: set[int] = set()

    @property
    def endpoints(self) -> dict[str, Any]:
        """As they are now."""
        return control.endpoints(self.layout)

    @property
    def ports(self) -> dict[str, int]:
        """Of every process."""
        return json.loads(self.layout.ports.read_text("utf-8"))

    @property
    def admin_url(self) -> str:
        """PostgreSQL's superuser's."""
        host = self.endpoints["postgres"]["checkout"].rpartition("@")[2].partition("/")[0]
        return f"postgresql://postgres:{secrets.load(self.layout).postgres_superuser}@{host}/postgres"

    def pids(self, *names: str) -> list[int]:
        """Those of these processes that live."""
        running = {one["name"]: one["pid"] for one in self.endpoints["processes"]}
        return [running[name] for name in names if running.get(name) and process.birth(running[name]) is not None]

    def kill(self, *names: str) -> None:
        """At once; the supervisor starts them again."""
        for pid in self.pids(*names):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self.frozen.discard(pid)

    def freeze(self, *names: str) -> None:
        """They stand still, and keep their connections."""
        for pid in self.pids(*names):
            os.kill(pid, signal.SIGSTOP)
            self.frozen.add(pid)

    def thaw(self) -> None:
        """All that stand still go on."""
        for pid in self.frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.frozen.clear()

    @asynccontextmanager
    async def kept_down(self, name: str) -> AsyncIterator[None]:
        """Dead until the block ends; then the supervisor may start it."""

        async def kill_each() -> None:
            while True:
                self.kill(name)
                await asyncio.sleep(_LOOK)

        killing = asyncio.create_task(kill_each())
        try:
            await self.until(f"{name} is dead", lambda: not self.pids(name), 20)
            yield
        finally:
            killing.cancel()
            with suppress(asyncio.CancelledError):
                await killing

    async def until(self, what: str, look: Any, seconds: float) -> None:
        """Raises Failure naming what did not come."""
        deadline = time.monotonic() + seconds
        while not look():
            if time.monotonic() > deadline:
                raise Failure(f"Did not come within {seconds:.0f} s: {what}.")
            await asyncio.sleep(_LOOK)

    async def ready(self, seconds: float = 120) -> None:
        """Until `booking status` finds everything alive and ready."""
        deadline = time.monotonic() + seconds
        while True:
            code, said = await self.booking("status")
            if code == 0:
                return
            if time.monotonic() > deadline:
                raise Failure(f"The stack is not ready again within {seconds:.0f} s:\n{said}")

    async def booking(self, *words: str, seconds: float = 180) -> tuple[int, str]:
        """Exit code and words of a command of `booking` on this stack, as a person types it."""
        command = [sys.executable, "-m", "booking_local", *words, "--state", str(self.layout.folder)]
        running = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            async with asyncio.timeout(seconds):
                out, _ = await running.communicate()
        except TimeoutError:
            running.kill()
            await running.wait()
            raise Failure(f"`booking {' '.join(words)}` did not end within {seconds:.0f} s.") from None
        return running.returncode or 0, out.decode().strip()

    async def must(self, *words: str, seconds: float = 180) -> str:
        """The words of a command that has to succeed. Raises Failure with them when it doesn't."""
        code, said = await self.booking(*words, seconds=seconds)
        if code != 0:
            raise Failure(f"`booking {' '.join(words)}` exited with {code}: {said}")
        return said

    async def sql(self, *statements: str, database: str = "postgres") -> None:
        """Told to PostgreSQL by its superuser, each by itself."""
        url = self.admin_url.removesuffix("postgres") + database
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
            for statement in statements:
                await conn.execute(statement.encode())

    async def behave(self, standin: str, **how: Any) -> None:
        """A stand-in misbehaves so from now on; `mode="ok"` ends it."""
        async with httpx2.AsyncClient(timeout=5.0, trust_env=False) as http:
            (await http.put(f"{self.endpoints[standin]}/behaviour", json=how)).raise_for_status()


@asynccontextmanager
async def on_stage(folder: Path) -> AsyncIterator[Stage]:
    """A stack of api and worker processes in this folder, up until the block ends."""
    layout = Layout(folder)
    started = await asyncio.to_thread(control.start, layout, port_base=None, attached=True, flags=["--split"])
    stage = Stage(layout)
    try:
        await asyncio.to_thread(control.wait_ready, layout, started)
        yield stage
    finally:
        stage.thaw()
        await asyncio.to_thread(control.stop, layout)
        await asyncio.to_thread(started.communicate)  # closes its standard input, which would have stopped it too


@asynccontextmanager
async def small_volume(folder: Path) -> AsyncIterator[str]:
    """A volume of its own for this folder, so that it can be filled; why there is none, else an empty string."""
    why = await asyncio.to_thread(_mount, folder)
    try:
        yield why
    finally:
        if not why:
            # lazy: a server that won't end keeps it busy
            await asyncio.to_thread(subprocess.run, ["umount", "--lazy", str(folder)], check=True)


def _mount(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "only root on Linux may mount a volume of its own"
    if shutil.which("mount") is None:
        return "there is no mount program"
    command = ["mount", "-t", "tmpfs", "-o", f"size={VOLUME_MEGABYTES}m,mode=755", "booking-gameday", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    return "" if done.returncode == 0 else f"no volume can be mounted here: {done.stderr.strip()}"


class Customers:
    """People who buy, pay and ask for a session, one after the other; what they were answered is kept."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._cast: Cast = gather(secrets.load(stage.layout))
        self._http = httpx2.AsyncClient(timeout=10.0, trust_env=False)
        self._may_go_on = asyncio.Event()
        self._may_go_on.set()
        self._quiet = asyncio.Event()
        self.bought: list[str] = []
        """Transactions that were acknowledged."""
        self.refused = 0

    @property
    def admin(self) -> Person:
        """Somebody who may everything."""
        return self._cast.admin

    async def call(self, who: Person, service: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """One call. Raises httpx2.HTTPError for what is no 2xx."""
        given = {
            "Authorization": f"Bearer {who.token}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        if method == "POST":
            given["Idempotency-Key"] = str(uuid.uuid4())
        answer = await self._http.request(method, self._stage.endpoints[service] + path, json=body, headers=given)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    async def prepare(self) -> None:
        """A product, practitioners, and a member who wants no WhatsApp, which would be paced."""
        cast = self._cast
        await self.call(cast.admin, "checkout", "PUT", f"/v1/products/{PRODUCT_ID}", PRODUCT)
        for number, one in enumerate(cast.practitioners):
            await self.call(cast.admin, "checkout", "PUT", f"/v1/practitioners/{one.sub}", profile(one, 3 - number))
        for one in (cast.sari, *cast.practitioners):
            if one.role == "member":
                await self.call(one, "checkout", "GET", "/v1/me")
            await self.call(one, "notifier", "PUT", "/v1/preferences", {"channels": {"email": True, "whatsapp": False}})

    async def run(self) -> None:
        """Until it is cancelled; a failure is a failure of that one purchase."""
        while True:
            if not self._may_go_on.is_set():
                self._quiet.set()
                await self._may_go_on.wait()
                self._quiet.clear()
            try:
                await self.buy(with_session=len(self.bought) % 3 == 0)
            except (httpx2.HTTPError, OSError, Failure):
                self.refused += 1
            await asyncio.sleep(1.0)

    async def buy(self, *, with_session: bool = False, pay: bool = True) -> str:
        """One purchase; its Transaction's id, once it was acknowledged."""
        cast = self._cast
        body = {"product_id": str(PRODUCT_ID), "practitioner_id": str(cast.practitioners[0].sub)}
        sale = await self.call(cast.sari, "checkout", "POST", "/v1/transactions", body)
        self.bought.append(sale["id"])
        if not pay:
            return sale["id"]
        reference = sale["payment"]["reference"]
        async with asyncio.timeout(5):
            while not await self._paid(reference):  # noqa: ASYNC110 - the provider tells nobody
                await asyncio.sleep(_LOOK)
        if with_session:
            await self.call(cast.sari, "consultation", "POST", "/v1/sessions?wait=5", {"transaction_id": sale["id"]})
        return sale["id"]

    async def _paid(self, reference: str) -> bool:
        """Whether the provider knew what to pay."""
        answer = await self._http.post(f"{self._stage.endpoints['payments']}/pay/{reference}")
        return answer.status_code == 200

    @asynccontextmanager
    async def resting(self) -> AsyncIterator[None]:
        """Nobody buys within the block."""
        self._may_go_on.clear()
        async with asyncio.timeout(60):
            await self._quiet.wait()
        try:
            yield
        finally:
            self._may_go_on.set()

    async def lost(self) -> list[str]:
        """Acknowledged Transactions that are no longer there."""
        missing: list[str] = []
        for one in self.bought:
            try:
                await self.call(self._cast.sari, "checkout", "GET", f"/v1/transactions/{one}")
            except httpx2.HTTPStatusError as gone:
                if gone.response.status_code != 404:
                    raise
                missing.append(one)
        return missing

    async def close(self) -> None:
        """No more calls."""
        await self._http.aclose()
