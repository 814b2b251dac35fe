"""The fold is pure, and the same however the records are cut into batches (C2)."""

import dataclasses
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_contracts.corpus import NAMES, golden
from calendar_projector.feeds.store import Feed, Tokens
from calendar_projector.projection.consumer import fold
from calendar_projector.projection.fold import COLUMNS


def _items(*stories):
    return [record for one in stories for record in one.records]


def _row(patch):
    return dict(zip(COLUMNS, patch.row(), strict=True))


def test_a_run_of_one_session_becomes_one_patch(story):
    one = story().requested().scheduled().started()
    patch = fold(_items(one)).patches[str(one.id)]
    assert (patch.first, patch.last, patch.schedule, patch.dated) == (1, 3, "set", True)
    assert _row(patch)["status"] == "on_progress"
    assert _row(patch)["time_start"] == "09:00"


def test_a_change_of_practitioner_clears_the_schedule(story):
    one = story().requested().scheduled()
    patch = fold(_items(one.changed(uuid4()))).patches[str(one.id)]
    assert (patch.schedule, patch.dated) == ("clear", True)
    assert _row(patch)["starts_at"] is None


def test_an_unknown_type_moves_the_version_alone(story):
    one = story().requested().scheduled().unknown()
    patch = fold(_items(one)).patches[str(one.id)]
    assert (patch.last, _row(patch)["status"]) == (3, "scheduled")


@pytest.mark.parametrize("order", [(0, 2), (0, 0), (1, 0), (0, 1, 1)])
def test_a_gap_or_repeat_needs_the_careful_way(story, order):
    one, other = story().requested().scheduled().started(), story().requested()
    items = _items(one)
    batch = fold([items[i] for i in order] + _items(other))
    assert batch.careful == {str(one.id)}
    assert batch.patches.keys() == {str(other.id)}
    assert len(batch.raws[str(one.id)]) == len(order)


def test_poison_takes_its_own_session_only_to_the_careful_way(story):
    one, other = story().requested().scheduled(), story().requested()
    sick = dataclasses.replace(one.records[1], value=b"{")
    batch = fold([one.records[0], sick, other.records[0]])
    assert batch.careful == {str(one.id)}
    assert batch.patches.keys() == {str(other.id)}


@pytest.mark.parametrize("name", [n for n in NAMES if golden(n).topic.endswith("sessions.v1")])
def test_every_golden_session_event_is_folded(name: str):
    record = golden(name)
    (patch,) = fold([record]).patches.values()
    assert _row(patch)["status"]


@given(st.binary(min_size=16, max_size=16), st.text(max_size=80))
def test_only_the_tokens_we_made_name_a_feed(raw: bytes, guess: str):
    from uuid import UUID

    tokens = Tokens("a secret", "https://x.test/")
    address = tokens.address(UUID(bytes=raw))
    token = address.removeprefix("https://x.test/calendar/feeds/").removesuffix(".ics")
    assert tokens.feed_of(token) == UUID(bytes=raw)
    assert Tokens("another secret", "https://x.test").feed_of(token) is None
    assert Tokens("a new secret", "https://x.test", ["older", "a secret"]).feed_of(token) == UUID(bytes=raw)
    assert tokens.feed_of(guess) is None


@given(st.binary(min_size=16, max_size=16))
def test_secret_replaced__tickets_of_the_one_before_are_taken_as_long_as_it_is_named(raw: bytes):
    from uuid import UUID

    from booking_web.problems import Problem
    from calendar_projector.stream.tickets import Ticket, Tickets

    text = Tickets("a secret").text(Ticket(UUID(bytes=raw)))
    assert Tickets("a new secret", ["a secret"])._id(text) == UUID(bytes=raw)
    with pytest.raises(Problem):
        Tickets("a new secret")._id(text)


def test_a_feeds_time_is_in_its_id():
    from booking_contracts.ids import uuid7

    assert Feed(uuid7()).created_at.year >= 2026
