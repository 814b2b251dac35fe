"""How each seed was told on a stack before: told again it goes on where it ended, and told otherwise it is refused.

The ids of a seed are made of its number and of the rest of its size: half of what another size would tell is there
already, as something else.
"""

import json
from dataclasses import asdict, replace
from datetime import datetime

from booking_local.failure import Failure
from booking_local.layout import Layout
from booking_local.layout import replace as write
from booking_proof.seed.story import Size


def alike(layout: Layout, wanted: Size, *, whenever: bool) -> Size:
    """The size to tell: as wanted; or, where that seed was told here before, as it was told then. `whenever`: nobody
    said until when. Failure if it was told otherwise, with the options that it was told by."""
    before = _told(layout).get(wanted.seed)
    if before is None:
        return wanted
    if wanted in {before, replace(before, until=wanted.until) if whenever else before}:
        return before
    raise Failure(
        f"Seed {before.seed} was told here otherwise: add to it by another --seed, or go on where it ended with"
        f" {options(before)}."
    )


def keep(layout: Layout, size: Size) -> None:
    """Remember, before the first of it is written, how this seed is told here."""
    told = _told(layout) | {size.seed: size}
    write(layout.seeds, json.dumps([_row(one) for one in told.values()], indent=1))


def kept(layout: Layout, size: Size) -> bool:
    """Whether this was begun here before, just so."""
    return _told(layout).get(size.seed) == size


def forget(layout: Layout, size: Size) -> None:
    """What was kept is not how it was told here."""
    told = {seed: one for seed, one in _told(layout).items() if seed != size.seed}
    write(layout.seeds, json.dumps([_row(one) for one in told.values()], indent=1))


def options(size: Size) -> str:
    """What to say to `booking seed` to have it tell this."""
    return (
        f"--seed {size.seed} --practitioners {size.practitioners} --members {size.members}"
        f" --sessions {size.purchases} --months {size.months} --until {size.until:%Y-%m-%dT%H:%M:%S}"
    )


def _told(layout: Layout) -> dict[int, Size]:
    if not layout.seeds.exists():
        return {}
    rows = json.loads(layout.seeds.read_text("utf-8"))
    return {row["seed"]: Size(**{**row, "until": datetime.fromisoformat(row["until"])}) for row in rows}


def _row(size: Size) -> dict[str, object]:
    return {**asdict(size), "until": size.until.isoformat()}
