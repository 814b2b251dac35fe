"""Calendar months in the platform's zone (L2)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from booking_contracts.zones import Zone


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Months:
    """A month is named by its first day. `now` is the clock; tests bring their own."""

    zone: Zone
    now: Callable[[], datetime] = _now

    def of(self, instant: datetime) -> date:
        """Return the month that an instant falls into."""
        return instant.astimezone(self.zone).date().replace(day=1)

    @property
    def last(self) -> date:
        """The previous calendar month, by which the list is ordered."""
        return before(self.of(self.now()))

    @property
    def listed(self) -> tuple[date, ...]:
        """The months that the list keeps rows for: the one shown, the one being counted, and the next, so that at a
        month's turn all rows are there already."""
        current = self.of(self.now())
        return before(current), current, after(current)


def before(month: date) -> date:
    """Return the month before."""
    return date(month.year - (month.month == 1), 12 if month.month == 1 else month.month - 1, 1)


def after(month: date) -> date:
    """Return the month after."""
    return date(month.year + (month.month == 12), 1 if month.month == 12 else month.month + 1, 1)
