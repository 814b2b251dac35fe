"""Waits that grow from try to try: one rule for what is tried again, in Python and in SQL."""

from typing import LiteralString

_MOST_DOUBLINGS = 30
"""No wait of ours is still below its longest after so many; a higher power is no number any more."""


def doubled(times: int, *, first: float, longest: float) -> float:
    """Seconds: `first` doubled so many times, at most `longest`."""
    return min(first * 2.0 ** min(times, _MOST_DOUBLINGS), longest)


def doubled_sql(times: LiteralString) -> LiteralString:
    """The same of an expression, with the parameters `first` and `longest`."""
    return f"least(%(first)s::float8 * power(2, least({times}, 30)), %(longest)s::float8)"
