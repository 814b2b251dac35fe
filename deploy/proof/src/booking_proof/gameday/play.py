"""Playing: one incident after the other, each with the state before, its detection, its healing and the audit."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from booking_local.failure import Failure
from booking_local.layout import Layout
from booking_proof.gameday.alarms import Alarm, Watch, stack_targets
from booking_proof.gameday.incidents import Game, Incident
from booking_proof.gameday.mailwall import mail_wall
from booking_proof.gameday.stage import SERVICES, Customers, on_stage, small_volume

_BEFORE_SECONDS = 60.0
_CLEAR_SECONDS = 240.0
_AUDIT_SECONDS = 240.0
HOLD_MOST_SECONDS = 60.0
"""The share of a rule's `for` is no longer than this."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Told:
    """What came of one incident; seconds. `skipped` is why it was not played, and then all others are 0."""

    incident: str
    what: str
    alarm: str
    healed: str
    skipped: str = ""
    true_after: float = 0.0
    alarm_after: float = 0.0
    """With the rule's whole `for`."""
    clear_after: float = 0.0
    """From the beginning of the healing until the expression was no longer true."""
    proven_after: float = 0.0
    """Likewise until everything was ready and the audit proved that nothing is lost."""


class Match:
    """One game day. `hold` is the share of a rule's `for` during which its expression must stay true."""

    def __init__(self, game: Game, watch: Watch, known: dict[str, Alarm], *, hold: float, full: bool, say: Say) -> None:
        self.game, self.watch, self._known = game, watch, known
        self._hold, self._full, self._say = hold, full, say

    async def play(
        self, incident: Incident, *, quiet_within: float = _BEFORE_SECONDS, clear_within: float = _CLEAR_SECONDS
    ) -> Told:
        """Raises Failure when the alarm was on before, did not come, did not go, or when something is lost."""
        words = (incident.name, incident.what, incident.alarm, incident.healed)
        if why := incident.impossible(self.game):
            self._say(f"{incident.name}: not played: {why}")
            return Told(*words, skipped=why)
        alarm = self._known[incident.alarm]

        def true() -> bool:
            return bool(self.watch.true(alarm, incident.labels))

        await self.watch.until(f"{alarm.name} is off before {incident.name}", lambda: not true(), quiet_within)
        self._say(f"{incident.name}: {incident.what}")
        began = time.monotonic()
        async with incident.inflict(self.game):
            await self.watch.until(f"the alarm {alarm.name} of {incident.name}", true, incident.within)
            seen = time.monotonic() - began
            self._say(f"  {alarm.name} true after {seen:.1f} s")
            await self._held(alarm, true, began, incident.least if self._full else 0.0)
            healing = time.monotonic()
        await self.watch.until(f"{alarm.name} is off again after {incident.name}", lambda: not true(), clear_within)
        clear = time.monotonic() - healing
        self._say(f"  off {clear:.1f} s after the healing began")
        await self.game.stage.ready()
        await self._proven()
        proven = time.monotonic() - healing
        self._say(f"  ready and proven after {proven:.1f} s")
        return Told(*words, "", round(seen, 1), round(seen + alarm.hold, 1), round(clear, 1), round(proven, 1))

    async def _held(self, alarm: Alarm, true: Callable[[], bool], began: float, least: float) -> None:
        """The expression stays true for its share of `for`, and the incident lasts as long as it should."""
        hold = min(alarm.hold * self._hold, HOLD_MOST_SECONDS)
        ends = max(time.monotonic() + hold, began + least)
        while time.monotonic() < ends:
            await self.watch.until("a round of scraping", lambda: True, 30)
            if not true():
                raise Failure(f"{alarm.name} went off by itself, within {hold:.0f} s.")

    async def _proven(self) -> None:
        """Until the audit is green: right after an incident some of it may still be on its way."""
        deadline = time.monotonic() + _AUDIT_SECONDS
        async with self.game.customers.resting():
            while True:
                code, said = await self.game.stage.booking("audit")
                if code == 0:
                    break
                if time.monotonic() > deadline:
                    differences = [line for line in said.splitlines() if not line.startswith("✓")]
                    raise Failure("The audit is not green: " + "\n".join(differences))
                await asyncio.sleep(1)
            if lost := await self.game.customers.lost():
                raise Failure(f"Acknowledged and gone: {lost}")


@asynccontextmanager
async def match(known: dict[str, Alarm], *, hold: float, full: bool, say: Say) -> AsyncIterator[Match]:
    """A stack with people who buy, and a watch; all of it gone at the end. Raises Failure when it does not start."""
    folder = await asyncio.to_thread(_folder)
    layout = Layout(folder)
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        no_volume = await stack.enter_async_context(small_volume(folder / "postgres"))

        def mailbox() -> tuple[str, int]:
            host, _, port = playing.endpoints["smtp"].partition(":")
            return host, int(port)

        mail = await stack.enter_async_context(mail_wall(folder / "mail", mailbox))
        settings = layout.settings_of("notifier")
        settings.parent.mkdir(parents=True, exist_ok=True)
        lines = {"SMTP_TLS": "tls", "SMTP_PORT": str(mail.port), "SSL_CERT_FILE": str(mail.authority)}
        settings.write_text("".join(f"{name}={value}\n" for name, value in lines.items()), "utf-8")
        say("starting a stack of its own")
        playing = await stack.enter_async_context(on_stage(folder))
        customers = Customers(playing)
        stack.push_async_callback(customers.close)
        await customers.prepare()
        game = Game(playing, customers, mail, no_volume)
        expressions = [alarm.expression for alarm in known.values()]
        watch = Watch(stack_targets(playing.ports, SERVICES), expressions, lambda: _volume(game))
        for work in (watch.run(), customers.run()):
            stack.push_async_callback(_cancel, asyncio.create_task(work))
        yield Match(game, watch, known, hold=hold, full=full, say=say)


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="bkg-"))  # short: a socket's path has its limits
    folder.chmod(0o755)  # PostgreSQL's user must reach its own below
    return folder


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _volume(game: Game) -> dict[str, tuple[dict[str, str], float]]:
    """PostgreSQL's volume as the kubelet measures one."""
    if game.no_volume:
        return {}
    disk = shutil.disk_usage(game.volume)
    labels = {"job": "kubelet", "namespace": "local", "persistentvolumeclaim": "postgres"}
    return {
        "kubelet_volume_stats_available_bytes": (labels, float(disk.free)),
        "kubelet_volume_stats_capacity_bytes": (labels, float(disk.total)),
    }


async def play(
    known: dict[str, Alarm], incidents: Sequence[Incident], *, hold: float, full: bool, say: Say
) -> list[Told]:
    """All of them, on one stack. Raises Failure at the first that does not go as it should."""
    async with match(known, hold=hold, full=full, say=say) as one:
        return [await one.play(incident) for incident in incidents]
