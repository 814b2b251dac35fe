"""A seed that was told on a stack before: told alike it goes on, told otherwise it is refused with what to say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from booking_local.failure import Failure
from booking_local.layout import Layout
from booking_proof.seed.before import alike, forget, keep
from booking_proof.seed.story import Size

TOLD = Size(20, 100, 200, 6, 1, datetime(2026, 11, 30, 6, tzinfo=UTC))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    keep(made, TOLD)
    return made


def test_first_time__is_as_it_was_wanted(tmp_path: Path):
    assert alike(Layout(tmp_path), TOLD, whenever=True) == TOLD
    assert not Layout(tmp_path).seeds.exists(), "nothing was told yet"


def test_told_again__ends_when_it_ended_whatever_the_hour_is_now(layout: Layout):
    later = replace(TOLD, until=TOLD.until + timedelta(hours=3))
    assert alike(layout, later, whenever=True) == TOLD
    assert alike(layout, TOLD, whenever=False) == TOLD


UTC_2025 = datetime(2025, 1, 1, tzinfo=UTC)
OTHERWISE = [{"practitioners": 21}, {"members": 99}, {"purchases": 500}, {"months": 5}, {"until": UTC_2025}]


@pytest.mark.parametrize("other", OTHERWISE, ids=lambda other: next(iter(other)))
def test_told_otherwise__is_refused_with_the_options_that_go_on(layout: Layout, other: dict[str, object]):
    with pytest.raises(Failure, match="another --seed") as refused:
        alike(layout, replace(TOLD, **other), whenever="until" not in other)  # type: ignore[arg-type]
    said = str(refused.value)
    assert "--seed 1 --practitioners 20 --members 100 --sessions 200 --months 6 --until 2026-11-30T06:00:00" in said


def test_another_seed__is_told_beside_it(layout: Layout):
    another = replace(TOLD, seed=2, purchases=30)
    assert alike(layout, another, whenever=True) == another
    keep(layout, another)
    for one in (another, TOLD):
        assert alike(layout, replace(one, until=one.until + timedelta(hours=3)), whenever=True) == one


def test_forgotten__may_be_told_otherwise(layout: Layout):
    another = replace(TOLD, seed=2)
    keep(layout, another)
    forget(layout, TOLD)
    other = replace(TOLD, purchases=30)
    assert alike(layout, other, whenever=True) == other
    with pytest.raises(Failure):
        alike(layout, replace(another, purchases=30), whenever=True)
