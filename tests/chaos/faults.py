"""Which faults come when: a pure function of the seed, so that a run can be told and told again."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "kill", "pause", "restart", "cut", "duplicate", "reorder", "poison", "mail_down", "slow_writer", "mid_commit"
]

SERVICES = ("checkout", "consultation", "notifier", "calendar")
SERVERS = ("postgres", "kafka")
STAND_INS = ("mailbox", "whatsapp", "payments", "identity")

_WEIGHTS: dict[Kind, int] = {
    "kill": 6,
    "pause": 3,
    "restart": 3,
    "cut": 3,
    "duplicate": 2,
    "reorder": 2,
    "poison": 2,
    "mail_down": 1,
    "slow_writer": 3,
    "mid_commit": 2,
}


SOAK_SECONDS = 1200.0
_CYCLE_SECONDS, _KILLING_SECONDS = 1200.0, 420.0


def spared(at: float, seconds: float) -> bool:
    """Whether processes live on at this moment of a run: in a soak each must grow old enough to show a leak.

    Of every twenty minutes seven are for killing; in the others all else goes on being broken.
    """
    return seconds >= SOAK_SECONDS and at % _CYCLE_SECONDS >= _KILLING_SECONDS


@dataclass(frozen=True)
class Fault:
    """What is done, when (seconds after the load began), to whom, for how long (a pause, an outage)."""

    at: float
    kind: str
    target: str = ""
    seconds: float = 0.0
    seed: int = 0


def plan(seed: int, seconds: float, favoured: Collection[str] = ()) -> list[Fault]:
    """The faults of a run. The first comes after two seconds; every process gets its turn in a long run.

    `favoured` kinds come more often than all others together.
    """
    chance = random.Random(seed)
    weights = [weight * (10 if kind in favoured else 1) for kind, weight in _WEIGHTS.items()]
    faults: list[Fault] = []
    victims = [*SERVICES, *SERVERS]
    chance.shuffle(victims)
    at = 2.0
    while at < seconds:
        kind = chance.choices(list(_WEIGHTS), weights)[0]
        if not faults:
            kind = "kill"
        if kind in {"kill", "restart", "mid_commit"} and spared(at, seconds):
            kind = "pause"
        target = _target(chance, kind, victims)
        pause = chance.uniform(2.0, 6.0) if kind in {"pause", "mail_down", "slow_writer"} else 0.0
        faults.append(Fault(round(at, 2), kind, target, round(pause, 2), chance.randrange(2**31)))
        at += chance.uniform(5.0, 15.0) if seconds >= SOAK_SECONDS else chance.uniform(2.0, 6.0)
    return faults


def _target(chance: random.Random, kind: Kind, victims: list[str]) -> str:
    if kind == "mid_commit":
        return chance.choice(SERVICES)
    if kind not in {"kill", "pause", "restart"}:
        return ""
    if chance.random() < 0.12:
        return chance.choice(STAND_INS)
    # In turn rather than at random: a short run shall not spare anybody by luck.
    victims.append(victims.pop(0))
    return victims[-1]
