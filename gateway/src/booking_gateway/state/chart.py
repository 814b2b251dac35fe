"""A small chart of an hour, as points of SVG; and the same as rows of a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WIDTH, HEIGHT = 360, 60
_GAP = 2.5
"""How many usual steps apart two points must lie for a line between them to tell what nobody knew."""
_ROWS = timedelta(minutes=5)
Points = Sequence[tuple[datetime, float | None]]


@dataclass(frozen=True, slots=True)
class Chart:
    """`lines` are `points` of polylines, one for each stretch without a gap; `last` and `most` of what they show."""

    lines: list[str]
    last: float | None
    most: float | None


def chart(points: Points, now: datetime, step: float) -> Chart:
    """Of the hour before `now`; its highest value is the height. `step`: seconds that usually lie between points."""
    known = [value for _, value in points if value is not None]
    most = max(known, default=None)
    stretches: list[list[str]] = [[]]
    before: datetime | None = None
    for at, value in points:
        apart = before is not None and (at - before).total_seconds() > step * _GAP
        if (value is None or apart) and stretches[-1]:
            stretches.append([])
        if value is not None:
            across = WIDTH * (1 - (now - at).total_seconds() / 3600)
            down = (HEIGHT - 2) * (1 - value / most) + 1 if most else HEIGHT - 1
            stretches[-1].append(f"{max(across, 0):.1f},{down:.1f}")
        before = at
    return Chart([_line(one) for one in stretches if one], points[-1][1] if points else None, most)


def _line(stretch: list[str]) -> str:
    """A single point is a line of its own, which a round end shows as a dot."""
    return " ".join(stretch if len(stretch) > 1 else stretch * 2)


def rows(points: Points, now: datetime) -> list[tuple[datetime, float | None]]:
    """The highest value of each five minutes, the newest first; None where nobody knew any."""
    made: list[tuple[datetime, float | None]] = []
    for back in range(12):
        end = now - back * _ROWS
        known = [value for at, value in points if end - _ROWS < at <= end and value is not None]
        made.append((end - _ROWS, max(known, default=None)))
    return made
