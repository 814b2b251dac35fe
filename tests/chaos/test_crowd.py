"""Which processes are hurt together is of the seed alone, and no run is too short for both kinds."""

from itertools import pairwise

from tests.chaos.crowd import crowd_plan


def test_crowd_plan__is_the_seeds_alone_and_has_both_kinds_in_a_short_run():
    assert crowd_plan(1, 60) == crowd_plan(1, 60)
    assert crowd_plan(1, 600) != crowd_plan(2, 600)
    for seed in range(50):
        assert {kind for _, kind, _, _ in crowd_plan(seed, 60)} == {"rival", "storm"}
    assert all(before[0] < after[0] for before, after in pairwise(crowd_plan(3, 3600)))
