"""A session's row is the fold of its events, whatever comes twice (L2, L3)."""

from itertools import permutations
from uuid import uuid4

from services.checkout.tests.sessions import LAST_MONTH, THIS_MONTH, Session

from booking_contracts.decode import Decoded, decode
from booking_contracts.zones import zone
from checkout.ranking.figures import Consulted, difference, fold
from checkout.ranking.listing import Months

MONTHS = Months(zone("Asia/Jakarta"))
OCTOBER, NOVEMBER = MONTHS.of(LAST_MONTH), MONTHS.of(THIS_MONTH)


def folded(items: list[Decoded]) -> Consulted | None:
    row: Consulted | None = None
    for item in items:
        row = fold(row, item, MONTHS)
    return row


def test_whole__productivity_one_activity_three() -> None:
    session = Session()
    row = folded([decode(record) for record in session.whole()])
    assert row is not None
    assert row.counts == {(session.practitioner, OCTOBER): (1, 3)}
    assert (row.status, row.version, row.has_result) == ("completed", 4, True)


def test_each_month__has_its_own() -> None:
    session = Session()
    row = folded([decode(r) for r in (session.requested(), session.completed(), session.replaced(THIS_MONTH))])
    assert row is not None
    assert row.counts == {(session.practitioner, OCTOBER): (1, 1), (session.practitioner, NOVEMBER): (0, 1)}


def test_duplicates__anywhere_change_nothing() -> None:
    """L3: every interleaving of a stream with copies of its earlier records."""
    items = [decode(record) for record in Session().whole()]
    plain = folded(items)
    for order in permutations(range(4), 2):
        again = [items[n] for n in order]
        assert folded([*items, *again, *items]) == plain


def test_reassigned__each_practitioner_keeps_what_they_did() -> None:
    session = Session()
    first = session.practitioner
    records = [session.requested(), session.started()]
    session.practitioner = uuid4()
    row = folded([decode(record) for record in [*records, session.completed()]])
    assert row is not None
    assert row.counts == {(first, OCTOBER): (0, 1), (session.practitioner, OCTOBER): (1, 1)}


def test_difference__is_what_to_add() -> None:
    session = Session()
    items = [decode(record) for record in session.whole()]
    before, after = folded(items[:2]), folded(items)
    assert difference(None, before) == {(session.practitioner, OCTOBER): (0, 1)}
    assert difference(before, after) == {(session.practitioner, OCTOBER): (1, 2)}
    assert difference(after, after) == {}


def test_a_second_upload__is_activity_and_no_second_completion() -> None:
    """L2: productivity counts the first ResultUploaded of each session."""
    session = Session()
    row = folded([decode(record) for record in (session.requested(), session.completed(), session.completed())])
    assert row is not None
    assert row.counts == {(session.practitioner, OCTOBER): (1, 2)}
