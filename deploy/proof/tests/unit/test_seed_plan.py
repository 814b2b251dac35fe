"""What `booking seed` tells, before it is written: all there is to tell, by the product's rules, the same each time."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from random import Random
from statistics import median
from typing import Any

import pytest

from booking_contracts.topics import (
    EVENTS,
    NOTICES,
    NOTIFICATIONS,
    SESSION_STATES,
    SESSIONS,
    TRANSACTION_STATES,
    TRANSACTIONS,
    USER_SCHEDULE,
)
from booking_contracts.zones import zone
from booking_ops.invariants import Claim, next_status, overlaps, too_many
from booking_proof.seed.messages import Ledger, Message
from booking_proof.seed.people import TIERS
from booking_proof.seed.rows import Rows
from booking_proof.seed.share import months_of
from booking_proof.seed.story import Platform, Size
from booking_proof.seed.streams import ImpossibleStoryError, told
from booking_proof.seed.times import ZONE, Agenda, NoTimeError
from booking_proof.seed.write import WRITTEN
from checkout.ranking.listing import Months
from consultation.sessions.state import meeting_of

UNTIL = datetime(2026, 11, 30, 6, tzinfo=UTC)
MONTHS = Months(zone("Asia/Jakarta"))


def size(purchases: int = 700, *, months: int = 6, seed: int = 1, practitioners: int = 20) -> Size:
    return Size(practitioners, 300, purchases, months, seed, UNTIL)


@cache
def platform(wanted: Size) -> tuple[Platform, Any, list[Message]]:
    """A platform, its streams and its messages."""
    made = Platform(wanted)
    streams = [told(story, wanted.seed, UNTIL) for story in made.stories()]
    people = {str(one.id): one for one in (*made.members, *(each.person for each in made.practitioners))}
    ledger = Ledger(people, wanted.seed, UNTIL)
    return made, streams, [message for each in streams for message in ledger.messages(each)]


def lines(wanted: Size) -> list[Any]:
    """Everything that would be written of the purchases."""
    made = Platform(wanted)
    people = {str(one.id): one for one in (*made.members, *(each.person for each in made.practitioners))}
    rows = Rows(people, wanted.seed, UNTIL, MONTHS, told=True)
    chapters = list(made.chunks(100))
    chunk = rows.chunk(told(story, wanted.seed, UNTIL) for each in chapters for story in each.stories)
    tables = [*chunk.copies.values(), *chunk.owned.values()]
    rest = [made.practitioners, made.members, made.products, [each.assessments for each in chapters]]
    return [*(dict(each) for each in tables), dict(chunk.events), chunk.steps, chunk.consulted, chunk.unpaid, *rest]


def slot_of(session: Any) -> Any:
    """When it was or will be; None if it has no time."""
    meeting = meeting_of(session.state)
    return meeting and meeting.slot


def middle(delays: list[timedelta]) -> timedelta:
    return timedelta(seconds=median(one.total_seconds() for one in delays))


def test_every_type_of_the_catalogue__is_told():
    """Also of a small platform: what is rare is told once at least."""
    _, streams, messages = platform(size(200))
    types = {one.event.TYPE for each in streams for part in (each.sale, *each.sessions) for one in part.events}
    steps = {record for message in messages for _, record in message.steps()}
    types |= {event.TYPE for event in NOTIFICATIONS.events if any(event.full_type().encode() in one for one in steps)}
    types |= {event.TYPE for topic in WRITTEN - {TRANSACTIONS, SESSIONS, NOTIFICATIONS} for event in topic.events}
    # By the projector, by the relays, and by whoever publishes a topic again.
    made_of_these = (USER_SCHEDULE, TRANSACTION_STATES, SESSION_STATES, NOTICES)
    types |= {event.TYPE for topic in made_of_these for event in topic.events}
    assert set(EVENTS) - types == set()


def test_again__is_the_same_to_the_byte():
    assert lines(size(150)) == lines(size(150))
    assert lines(size(150))[0] != lines(size(150, seed=2))[0]


def test_rules__hold_along_every_stream():
    """I7, I9: the deciders accept it all, and each sale has at most one session that counts."""
    _, streams, _ = platform(size())
    for each in streams:
        for part in (each.sale, *each.sessions):
            status = None
            for one in part.events:
                status = next_status(part.aggregate.stream_type, status, one.event.TYPE, vars(one.event))
                assert status is not None, (part.id, one)
            assert [one.version for one in part.events] == list(range(1, len(part.events) + 1))
            assert all(before.at <= after.at for before, after in pairwise(part.events))
            assert part.events[-1].at <= UNTIL + timedelta(seconds=1)
        assert not too_many("transaction_id", [one.state.status for one in each.sessions])


def test_nobody__is_ever_in_two_places():
    """S4, of all the times that sessions ever had, but those that were moved or given up."""
    _, streams, _ = platform(size())
    claims: dict[str, list[Claim]] = defaultdict(list)
    for each in streams:
        for session in each.sessions:
            slot, about = slot_of(session), session.state.about
            for person in (about.user_id, about.practitioner_id) if slot else ():
                claims[str(person)].append(Claim(str(session.id), str(person), slot.starts_at, slot.ends_at))
    assert len(claims) > 100
    for own in claims.values():
        assert list(overlaps(sorted(own, key=lambda one: one.starts_at))) == []


@pytest.mark.parametrize("months", [1, 6, 24])
def test_past__reaches_back_over_the_months_asked_for(months: int):
    stories = Platform(size(60 * months, months=months)).stories()
    back = [(UNTIL - story.steps[0].at).days for story in stories]
    assert max(back) <= 30 * months
    in_month = Counter(days // 30 for days in back)
    assert set(in_month) == set(range(months))
    assert min(in_month.values()) > 0.4 * len(back) / months, "none is nearly empty"


def test_sales__are_of_both_kinds_several_currencies_and_prices_that_changed():
    made, streams, _ = platform(size())
    sold = [each.sale.events[0].event for each in streams]
    assert {one.product.kind for one in sold} == {"counseling", "verification"}
    assert len({one.price.currency for one in sold}) >= 3
    tiers = Counter(one.product.tier for one in sold)
    assert [tiers[tier] for tier in TIERS] == sorted((tiers[tier] for tier in TIERS), reverse=True)
    prices = defaultdict(set)
    for each, one in zip(streams, sold, strict=True):
        assert one.price == each.story.product.price_at(each.sale.events[0].at)
        prices[one.product.id].add(one.price.amount)
    assert sum(len(one) > 1 for one in prices.values()) >= 5
    assert all(since <= UNTIL for one in made.products for since, _ in one.prices)


def test_purchases__follow_the_week_the_day_and_a_trend():
    _, streams, _ = platform(size())
    bought = [each.sale.events[0].at.astimezone(ZONE) for each in streams]
    days = Counter(at.weekday() for at in bought)
    assert days[0] + days[1] > 1.15 * (days[5] + days[6])
    hours = Counter(at.hour for at in bought)
    assert hours[20] > 4 * max(hours[2], 1)
    old, new = (sum(low <= (UNTIL - at).days < low + 60 for at in bought) for low in (120, 10))
    assert new > 1.2 * old


def test_practitioners__are_not_asked_for_alike():
    """Not even those who offer the same."""
    made, streams, _ = platform(size())
    load = Counter(each.sale.state.sale.practitioner_id for each in streams)
    alike = defaultdict(list)
    for one in made.practitioners:
        if one.active:
            alike[one.tiers].append(load[one.person.id])
    several = [loads for loads in alike.values() if len(loads) >= 5]
    assert len(several) >= 2
    assert all(max(loads) > 4 * min(loads) for loads in several)


def test_delays__are_those_of_people():
    _, streams, _ = platform(size())
    paid, asked, answered, late = [], [], [], []
    for each in streams:
        of = {one.event.TYPE: one for one in each.sale.events}
        if "TransactionPaid" in of:
            paid.append(of["TransactionPaid"].at - of["TransactionCreated"].at)
            assert of["TransactionPaid"].event.settled_at <= of["TransactionPaid"].at
        for session in each.sessions:
            seen = {one.event.TYPE: one for one in session.events}
            asked.append(seen["ScheduleRequested"].at - of["TransactionPaid"].at)
            if "SessionScheduled" in seen and "PractitionerChanged" not in seen:
                answered.append(seen["SessionScheduled"].at - seen["ScheduleRequested"].at)
            if "SessionStarted" in seen:
                late.append(seen["SessionStarted"].at - slot_of(session).starts_at)
    assert timedelta(minutes=1) < middle(paid) < timedelta(minutes=15)
    assert timedelta(minutes=10) < middle(asked) < timedelta(days=2)
    assert timedelta(hours=2) < middle(answered) < timedelta(hours=24)
    assert timedelta(seconds=0) < middle(late) < timedelta(minutes=5)
    assert max(late) > timedelta(minutes=8)
    assert len(set(paid)) > 0.9 * len(paid)


def test_ends__are_known_where_practitioners_say_them():
    """S8."""
    _, streams, _ = platform(size())
    done = [each.state for one in streams for each in one.sessions if each.state.status == "completed"]
    assert 0.4 * len(done) < sum(state.ended_at is not None for state in done) < 0.8 * len(done)


def test_messages__are_told_as_the_notifier_tells_them():
    """N1 to N5: after their cause, none to who was erased, and each way that one can end."""
    made, _, messages = platform(size())
    assert {one.state for one in messages} == {"pending", "sent", "delivered", "failed", "ambiguous", "skipped"}
    assert {one.reason for one in messages if one.state == "skipped"} >= {"superseded", "late", "channel_off"}
    erased = {str(one.id): one.erased_at for one in made.members if one.erased_at}
    assert erased
    for one in messages:
        assert one.cause.at < one.queued_at <= one.changed_at
        assert one.changed_at <= UNTIL or one.version == 1
        times = [at for at, _ in one.steps()]
        assert times == sorted(times)
        gone = erased.get(one.planned.recipient_id)
        assert gone is None or one.changed_at < gone
    sent = [one.sent_at - max(one.planned.due_at, one.queued_at) for one in messages if one.sent_at]
    assert timedelta(0) < min(sent) < middle(sent) < timedelta(seconds=10)
    assert sum(one > timedelta(minutes=30) for one in sent) >= 5, "a provider was down at times"


def test_people__are_fictional():
    made, _, _ = platform(size(200))
    people = [*made.members, *(one.person for one in made.practitioners)]
    assert all(one.email.endswith("@example.com") for one in people)
    phones = [one.phone for one in people if one.phone]
    assert all(phone[5:10] == "55501" and phone.startswith("+1") and len(phone) == 12 for phone in phones)
    assert len(set(phones)) == len(phones) < len(people)


def test_no_months__all_goes_on_now():
    _, streams, _ = platform(size(60, months=0))
    statuses = Counter(session.state.status for each in streams for session in each.sessions)
    assert set(statuses) == {"pending_negotiation", "scheduled", "on_progress"}
    assert all(UNTIL - each.sale.events[0].at <= timedelta(days=3) for each in streams)


def test_too_few_practitioners__are_told_so():
    with pytest.raises(NoTimeError, match=r"10,000 purchases in 6 months are too many for 2 practitioners: \d+ would"):
        Platform(size(10_000, practitioners=2))


def test_agenda__gives_no_time_twice():
    made = Platform(size(1))
    one, agenda, random = made.practitioners[0].person.id, Agenda(), Random(1)
    slots = [agenda.take([one], 60, UNTIL, "Asia/Jakarta", random) for _ in range(50)]
    claims = [Claim(str(n), str(one), slot.starts_at, slot.ends_at) for n, slot in enumerate(slots)]
    assert list(overlaps(sorted(claims, key=lambda claim: claim.starts_at))) == []
    assert all(slot.starts_at > UNTIL for slot in slots)


def test_agenda__that_is_full_for_long_is_told_so():
    made = Platform(size(1))
    one, agenda, random = made.practitioners[0].person.id, Agenda(), Random(1)

    def months() -> None:
        for _ in range(12):
            agenda.take([one], 30 * 24 * 60, UNTIL, "Asia/Jakarta", random)

    with pytest.raises(NoTimeError, match="no time for 300 days"):
        months()


def test_impossible_story__is_refused_by_the_decider():
    story = next(Platform(size(1)).stories())
    story.steps = story.steps[1:] or [story.steps[0]]
    with pytest.raises(ImpossibleStoryError, match="not_found"):
        told(story, 1, UNTIL)


def test_ranking_s_months__are_those_of_the_stack_s_zone():
    """An audit that takes the services' setting would find the months of the default wrong."""
    turn = datetime(2026, 3, 1, 3, tzinfo=UTC)
    assert months_of({"settings": {"PLATFORM_TIMEZONE": "America/New_York"}}).of(turn).month == 2
    assert months_of({"settings": {}}).of(turn).month == 3
