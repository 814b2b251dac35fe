"""What `booking seed` tells: over the months asked for, and nobody in two places."""

from collections import Counter
from datetime import date
from random import Random
from uuid import UUID

import pytest

from booking_proof.seed.story import purchases

MEMBERS = [UUID(int=number) for number in range(100)]
TODAY = date(2026, 11, 30)


def told(sessions: int, months: int):
    return list(purchases(MEMBERS, 20, sessions, months=months, random=Random(1), today=TODAY))


@pytest.mark.parametrize("months", [1, 6, 24])
def test_past__reaches_back_over_the_months_asked_for(months: int):
    back = [(TODAY - one.day).days for one in told(200 * months, months) if one.day < TODAY]
    assert 1 <= min(back) <= max(back) <= 30 * months
    assert max(back) > 0.9 * 30 * months
    in_month = Counter((days - 1) // 30 for days in back)
    assert set(in_month) == set(range(months))
    assert min(in_month.values()) > 0.5 * len(back) / months, "none is nearly empty"


def test_practitioner__is_in_one_place():
    """Those of the first lap hold their time."""
    held = Counter((one.practitioner, one.day, one.hour) for one in told(2000, 6))
    assert max(held.values()) == 1
    assert len({hour for _, _, hour in held}) > 4, "at many hours"


def test_none__all_go_on_now():
    assert all(one.day > TODAY for one in told(50, 0))
