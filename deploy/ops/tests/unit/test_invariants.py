"""What must hold, judged on rows: what the audit and the chaos runs' checker have in common."""

import pytest

from booking_ops.invariants import (
    Claim,
    Overlap,
    difference,
    disordered,
    gaps,
    next_status,
    overlaps,
    stray_claims,
    too_many,
    unpublished,
    untaken,
)


@pytest.mark.parametrize(
    ("versions", "places"), [([], []), ([1, 2, 3], []), ([2], [0]), ([1, 3], [1]), ([1, 2, 2], [2]), ([0, 1], [0, 1])]
)
def test_gaps__holes_and_repeats_by_their_places(versions, places):
    assert gaps(versions) == places


@pytest.mark.parametrize(
    ("versions", "places"), [([], []), ([1, 2, 3], []), ([2, 1], [0, 1]), ([1, 3, 2], [1, 2]), ([1, 3, 4], [1])]
)
def test_disordered__what_does_not_follow_the_highest_before_it(versions, places):
    assert disordered(versions) == places


@pytest.mark.parametrize(
    ("sides", "kind"),
    [
        ({"stored": True, "published": True}, None),
        ({"stored": True, "published": False, "waiting": True}, None),
        ({"stored": True, "published": False}, "lost"),
        ({"stored": False, "published": True}, "phantom"),
    ],
)
def test_unpublished__one_side_alone_unless_it_waits(sides, kind):
    assert unpublished(**sides) == kind


def test_difference__columns_that_should_be_otherwise_and_no_others():
    assert difference({"a": 1}, {"a": 1, "more": 2}) is None
    assert difference({"a": 1, "b": 2}, {"a": 3, "b": 2}) == "a is 3, should be 1"
    assert difference({"a": 1}, None) == "no row for it"
    assert difference(None, {"a": 1}) == "a row that nothing accounts for"


def test_too_many__a_completed_session_counts_for_its_purchase_and_not_for_its_assessment():
    assert too_many("transaction_id", ["completed", "scheduled", "canceled"]) == 2
    assert too_many("assessment_id", ["completed", "scheduled", "canceled"]) == 0


def test_overlaps__also_with_a_long_session_that_is_not_the_one_before():
    claims = [
        Claim(name, "budi", *times) for name, times in {"a": (0, 10), "b": (1, 2), "c": (5, 6), "d": (10, 11)}.items()
    ]
    assert list(overlaps(claims)) == [Overlap("b", "a", "budi"), Overlap("c", "a", "budi")]


def test_stray_claims__missing_and_left_over():
    one, other = Claim("a", "budi", 0, 1), Claim("a", "budi", 0, 2)
    assert stray_claims([one], [one]) == (set(), set())
    assert stray_claims([one], [other]) == ({one}, {other})


@pytest.mark.parametrize(
    ("stream_type", "status", "event", "data", "following"),
    [
        ("feedback_session", None, "ScheduleRequested", {"status": "pending_negotiation"}, "pending_negotiation"),
        ("feedback_session", None, "SessionScheduled", {"status": "scheduled"}, None),
        ("feedback_session", None, "ScheduleRequested", {"status": "scheduled"}, None),
        ("transaction", "paid", "TransactionRefunded", {}, "refunded"),
        ("transaction", "expired", "TransactionRefunded", {"review_id": "r"}, "expired"),
        ("transaction", "expired", "TransactionPaid", {}, None),
        ("transaction", "awaiting_payment", "PaymentDeclined", {}, "awaiting_payment"),
        ("transaction", "paid", "PaymentDeclined", {}, None),
        ("transaction", "canceled", "PaymentNeedsReview", {}, "canceled"),
    ],
)
def test_next_status__a_step_of_the_state_machine_or_none(stream_type, status, event, data, following):
    assert next_status(stream_type, status, event, data) == following


@pytest.mark.parametrize(
    ("published", "taken", "held", "kind"),
    [(3, 3, False, None), (3, 2, False, "not taken"), (3, 2, True, "held"), (2, 3, False, "ahead")],
)
def test_untaken(published, taken, held, kind):
    assert untaken(published, taken, held=held) == kind
