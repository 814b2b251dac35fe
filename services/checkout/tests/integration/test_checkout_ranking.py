"""The practitioner list: who is on it, in which order, right after duplicates, replays and a rebuild (L1 to L3)."""

import asyncio
import statistics
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from services.checkout.tests.rig import Rig, Shop
from services.checkout.tests.sessions import LAST_MONTH, Session
from tests.rigs.waiting import until

from booking_contracts.decode import decode
from booking_contracts.zones import zone
from booking_store import Cause
from checkout.kafka import router_of
from checkout.people import store
from checkout.ranking import listing
from checkout.ranking.listing import Listed, Months, cursor_of, month_of, page_after, query_of

pytestmark = pytest.mark.servers
JAKARTA = zone("Asia/Jakarta")


def last_month() -> datetime:
    """An instant in the month that the list goes by now."""
    month = Months(JAKARTA).last
    return datetime(month.year, month.month, 15, 5, tzinfo=UTC)


async def listed(shop: Shop, query: str = "") -> list[dict[str, Any]]:
    answer = await shop.member.get(f"/v1/practitioners?product_id={shop.product}{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def figures(item: dict[str, Any]) -> tuple[int, int, int]:
    return item["productivity"], item["activity"], item["completeness"]


async def test_listed__active_practitioners_of_the_tier_only(shop: Shop) -> None:
    """L1."""
    inactive, other_tier = uuid4(), uuid4()
    await shop.introduce(inactive, active=False)
    await shop.introduce(other_tier, tiers=["elsewhere"])
    assert [item["id"] for item in await listed(shop)] == [str(shop.practitioner.id)]
    await shop.introduce(inactive, active=True)
    await shop.introduce(shop.practitioner.id, tiers=[])
    assert [item["id"] for item in await listed(shop)] == [str(inactive)]


async def test_order__productivity_then_activity_then_completeness_then_id(shop: Shop) -> None:
    """L2: each entry shows its three figures and its rank."""
    at = last_month()
    profile = {"photo_url": "https://example.com/a.jpg", "bio": "Bio", "profession": "Psikolog"}
    productive, active, complete = uuid4(), uuid4(), uuid4()
    plain = sorted([uuid4(), uuid4()])
    for one in (*reversed(plain), productive, active):
        await shop.introduce(one)
    await shop.introduce(complete, **profile)
    await shop.rig.take(*Session(productive).whole(at))
    busy = Session(active)
    await shop.rig.take(busy.requested(at), busy.started(at))
    found = await listed(shop)
    wanted = [productive, active, complete, *sorted([*plain, shop.practitioner.id])]
    assert [item["id"] for item in found] == [str(one) for one in wanted]
    assert [figures(item) for item in found[:4]] == [(1, 3, 0), (0, 1, 0), (0, 0, 3), (0, 0, 0)]
    assert [item["rank"] for item in found] == list(range(1, 7))


async def test_standing__is_the_place_in_each_list_and_ones_own(shop: Shop) -> None:
    """L2: the same figures and ranks as the lists show."""
    at, mine, rival = last_month(), shop.practitioner.id, uuid4()
    tier = (await shop.practitioner.get(f"/v1/practitioners/{mine}")).json()["tiers"][0]
    await shop.introduce(mine, tiers=[tier, f"{tier}-rare"])
    await shop.introduce(rival)
    await shop.rig.take(*Session(rival).whole(at))
    busy = Session(mine)
    await shop.rig.take(busy.requested(at), busy.started(at))
    answer = (await shop.practitioner.get(f"/v1/practitioners/{mine}/standing")).json()
    assert (answer["month"], figures(answer)) == (str(Months(JAKARTA).last), (0, 1, 0))
    assert answer["places"] == [{"tier": tier, "rank": 2, "of": 2}, {"tier": f"{tier}-rare", "rank": 1, "of": 1}]
    assert [item["rank"] for item in await listed(shop) if item["id"] == str(mine)] == [2]
    assert (await shop.practitioner.get(f"/v1/practitioners/{rival}/standing")).status_code == 404, "not their own"
    assert figures((await shop.admin.get(f"/v1/practitioners/{rival}/standing")).json()) == (1, 3, 0)

    await shop.introduce(mine, active=False)
    away = (await shop.practitioner.get(f"/v1/practitioners/{mine}/standing")).json()
    assert (figures(away), away["places"]) == ((0, 1, 0), [])


async def test_pages__continue_rank_and_order(shop: Shop) -> None:
    for _ in range(6):
        await shop.introduce(uuid4())
    whole = [item["id"] for item in await listed(shop)]
    seen, cursor = [], ""
    for _ in range(4):
        answer = await shop.member.get(f"/v1/practitioners?product_id={shop.product}&limit=2{cursor}")
        seen += [(item["rank"], item["id"]) for item in answer.json()["items"]]
        cursor = f"&cursor={answer.json()['next_cursor']}"
    assert seen == list(enumerate(whole, start=1))


async def test_pages_over_a_months_turn__go_on_in_the_month_of_the_first(shop: Shop) -> None:
    """Also the cursors of the pages after the turn; nothing is shown twice or left out."""
    people = [uuid4() for _ in range(5)]
    for person in people:
        await shop.introduce(person)
    now = datetime.now(JAKARTA)  # the consumer goes by this clock, and counts for the month before and this one
    this_month = now.replace(day=15).astimezone(UTC)
    month_before = (now.replace(day=1) - timedelta(days=1)).replace(day=15).astimezone(UTC)
    next_month = (now.replace(day=28) + timedelta(days=4)).replace(day=1)
    before, after = Months(JAKARTA, lambda: now), Months(JAKARTA, lambda: next_month)
    async with shop.rig.service.database.autocommit() as conn:
        await listing.prepare(conn, before)
        for number, person in enumerate(people):  # before the turn the first is first, after it the last
            await shop.rig.take(*[r for _ in range(5 - number) for r in Session(person).whole(month_before)])
            await shop.rig.take(*[r for _ in range(number + 1) for r in Session(person).whole(this_month)])
        seen: list[Any] = []
        cursor = None
        for months in (before, after, after):
            month = month_of(cursor, months, shop.tier)
            page = await page_after(conn, month, shop.tier, cursor, 2)
            seen += [one.id for one in page]
            cursor = cursor_of(page[-1], month, shop.tier)
            await listing.prepare(conn, after)
    assert seen == [*people, shop.practitioner.id]


async def test_cursor_of_another_tier_or_of_a_month_that_is_gone__is_refused(shop: Shop) -> None:
    (entry,) = [Listed(**item) for item in await listed(shop)]
    for month, tier in ((Months(JAKARTA).last, "another"), (date(2020, 1, 1), shop.tier)):
        cursor = cursor_of(entry, month, tier)
        answer = await shop.member.get(f"/v1/practitioners?product_id={shop.product}&cursor={cursor}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


@pytest.mark.parametrize(
    ("instant", "counts"),
    [
        (datetime(2026, 9, 30, 16, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 9, 30, 17, 0, tzinfo=UTC), True),
        (datetime(2026, 10, 31, 16, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 10, 31, 17, 0, tzinfo=UTC), False),
    ],
)
def test_month__is_the_platforms_not_utcs(instant: datetime, counts: bool) -> None:
    """L2: October in Jakarta begins at 17:00 UTC of 30 September."""
    november = Months(JAKARTA, lambda: datetime(2026, 11, 22, tzinfo=UTC))
    assert november.last == date(2026, 10, 1)
    assert (november.of(instant) == november.last) is counts


async def test_january__goes_by_december() -> None:
    january = Months(JAKARTA, lambda: datetime(2027, 1, 5, tzinfo=UTC))
    assert january.listed == (date(2026, 12, 1), date(2027, 1, 1), date(2027, 2, 1))


async def test_duplicates_and_replays__count_once(shop: Shop) -> None:
    """L3, F40: adjacent, later, and the whole log again, also around the inbox."""
    at = last_month()
    session = Session(shop.practitioner.id)
    records = session.whole(at)
    await shop.rig.take(records[0], records[0], records[1], records[2], records[1], records[2], records[3])
    assert await shop.rig.take(*records) == ["duplicate"] * 4
    assert [figures(item) for item in await listed(shop)] == [(1, 3, 0)]
    await shop.rig.rows("DELETE FROM inbox WHERE key = %s", str(session.id))
    assert await shop.rig.take(*records) == ["applied"] * 4
    assert [figures(item) for item in await listed(shop)] == [(1, 3, 0)]


async def test_replaced_result__is_activity_never_productivity(shop: Shop) -> None:
    """L2: the first ResultUploaded of each session."""
    session = Session(shop.practitioner.id)
    await shop.rig.take(*session.whole(last_month()), session.replaced(last_month()))
    assert [figures(item)[:2] for item in await listed(shop)] == [(1, 4)]


async def test_anothers_act__is_not_the_practitioners_activity(shop: Shop) -> None:
    session = Session(shop.practitioner.id)
    await shop.rig.take(session.requested(last_month()), session.canceled(last_month()))
    assert [figures(item) for item in await listed(shop)] == [(0, 0, 0)]


async def test_counted_before_the_profile__is_there_with_it(shop: Shop) -> None:
    """The two writers of a row, in either order."""
    newcomer = uuid4()
    await shop.rig.take(*Session(newcomer).whole(last_month()))
    await shop.introduce(newcomer)
    assert figures((await listed(shop))[0]) == (1, 3, 0)


async def test_profile_and_events_at_once__lose_nothing(shop: Shop) -> None:
    """Both writers of a practitioner's rows at the same moment."""
    at = last_month()
    for round_ in range(1, 6):
        records = Session(shop.practitioner.id).whole(at)
        await asyncio.gather(
            shop.rig.take(*records),
            shop.introduce(shop.practitioner.id, bio="Bio" if round_ % 2 else None),
            shop.introduce(shop.practitioner.id, profession="Psikolog"),
        )
        (item,) = await listed(shop)
        assert figures(item) == (round_, 3 * round_, 2 if round_ % 2 else 1)


async def test_profile_uncommitted_while_events_come__the_list_shows_both(shop: Shop) -> None:
    """The advisory lock: without it the second writer puts back the profile that it read before the first's commit."""
    database, months = shop.rig.service.database, Months(JAKARTA)
    async with database.transaction() as conn:
        profile = await store.find_profile(conn, shop.practitioner.id)
        assert profile is not None
        changed = replace(profile, bio="Baru", version=profile.version + 1)
        await store.save_profile(conn, changed, Cause("system", "test"), months)
        # One record that counts: a later one would mend the row and hide the loss.
        events = asyncio.create_task(shop.rig.take(Session(shop.practitioner.id).started(last_month())))

        async def waits() -> bool:
            return bool(await shop.rig.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))

        await until(waits)
    await events
    assert [figures(item) for item in await listed(shop)] == [(0, 1, 1)]


async def test_figures__equal_the_sum_of_the_sessions(rig: Rig) -> None:
    """I6: the read model is the fold of what was consumed, row for row."""
    sums = (
        "SELECT p.key::uuid, m.key::date, sum((m.value ->> 0)::int), sum((m.value ->> 1)::int) FROM consulted_session s"
        " CROSS JOIN jsonb_each(s.counts) p CROSS JOIN jsonb_each(p.value) m GROUP BY 1, 2 ORDER BY 1, 2"
    )
    figures_now = "SELECT practitioner_id, month, productivity, activity FROM practitioner_month ORDER BY 1, 2"
    assert await rig.rows(sums) == await rig.rows(figures_now)


async def test_erased__is_off_the_list(shop: Shop) -> None:
    """E4."""
    await shop.admin.put(f"/v1/erasures/{shop.practitioner.id}")
    assert await listed(shop) == []


class TestMonthsTurn:
    async def test_turn__the_next_months_rows_are_there_already(self, rig: Rig, shop: Shop) -> None:
        """L2: a list is never empty for want of rows."""
        november = Months(JAKARTA, lambda: datetime(2026, 11, 22, tzinfo=UTC))
        december = Months(JAKARTA, lambda: datetime(2026, 12, 1, tzinfo=UTC))
        assert december.last in november.listed
        async with rig.service.database.autocommit() as conn:
            await listing.prepare(conn, november)
        rows = await rig.rows(
            "SELECT count(*) FROM ranking WHERE month = %s AND practitioner_id = %s",
            december.last,
            shop.practitioner.id,
        )
        assert rows == [(1,)]

    async def test_turn__events_of_the_month_before_count_in_it(self, rig: Rig, shop: Shop) -> None:
        months = Months(JAKARTA, lambda: datetime(2026, 11, 22, tzinfo=UTC))
        apply = router_of(months).batch
        assert apply is not None
        async with rig.service.database.transaction() as conn:
            await apply(conn, [decode(one) for one in Session(shop.practitioner.id).whole(LAST_MONTH)])
        rows = await rig.rows(
            "SELECT productivity, activity FROM ranking WHERE month = '2026-10-01' AND practitioner_id = %s",
            shop.practitioner.id,
        )
        assert rows == [(1, 3)]


async def crowd(shop: Shop, people: int) -> None:
    """So many practitioners of the shop's tier, each with figures of last month."""
    await shop.rig.rows(
        "INSERT INTO practitioner (id, name, tiers, timezone, active, version, actor, correlation_id)"
        " SELECT gen_random_uuid(), 'P ' || n, ARRAY[%s], 'Asia/Jakarta', true, 1, 'system', 'test'"
        " FROM generate_series(1, %s) n",
        shop.tier,
        people,
    )
    await shop.rig.rows(
        "INSERT INTO ranking (month, tier, practitioner_id, productivity, activity, completeness)"
        " SELECT %s, %s, id, (random() * 20)::int, (random() * 50)::int, 0 FROM practitioner WHERE tiers = ARRAY[%s]"
        " ON CONFLICT DO NOTHING",
        Months(JAKARTA).last,
        shop.tier,
        shop.tier,
    )
    await shop.rig.rows("ANALYZE ranking")
    await shop.rig.rows("ANALYZE practitioner")


async def rows_read(shop: Shop, cursor: str | None) -> float:
    """The most rows that any node of the page's plan reads; the plan must walk the list's own index."""
    async with shop.rig.service.database.autocommit() as conn:
        query, parameters = query_of(Months(JAKARTA).last, shop.tier, cursor, 51)
        plan = await conn.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}".encode(), parameters)
        (row,) = await plan.fetchall()
    nodes = list(_nodes(row[0][0]["Plan"]))
    assert "ranking_order" in {node.get("Index Name") for node in nodes}
    assert not [n for n in nodes if n["Node Type"] == "Seq Scan"]
    return max(n["Actual Rows"] + n.get("Rows Removed by Filter", 0) for n in nodes)


async def timed(shop: Shop, cursor: str) -> float:
    """The seconds of one page over HTTP."""
    begun = time.perf_counter()
    assert len(await listed(shop, f"&limit=50&cursor={cursor}")) == 50
    return time.perf_counter() - begun


async def test_a_hundred_thousand__the_page_is_one_index_range(rig: Rig, record_property) -> None:
    """L2: flat; the index is used, nothing is sorted whole, wherever in the list the page lies."""
    shops: dict[int, tuple[Shop, str]] = {}
    for people in (1_000, 100_000):
        shop, month = await rig.shop(), Months(JAKARTA).last
        await crowd(shop, people)
        async with rig.service.database.autocommit() as conn:
            first = await page_after(conn, month, shop.tier, None, 50)
        middle = cursor_of(first[-1].model_copy(update={"productivity": 10, "activity": 25}), month, shop.tier)
        shops[people] = shop, middle
    for cursor in (None, middle):  # of a small table PostgreSQL may rather read the whole
        assert await rows_read(shop, cursor) <= 60
    times: dict[int, list[float]] = {people: [] for people in shops}
    for _ in range(60):  # in turns, so that the machine's moods meet both
        for people, (shop, middle) in shops.items():
            times[people].append(await timed(shop, middle))
    few, many = (statistics.median(times[people]) * 1_000 for people in shops)
    record_property(
        "figures",
        f"a page of 50 from the middle, over HTTP, median of 60: {few:.2f} ms of 1,000 practitioners, "
        f"{many:.2f} ms of 100,000 (ratio {many / few:.2f})",
    )
    for shop, _ in shops.values():
        await rig.rows("DELETE FROM ranking WHERE tier = %s", shop.tier)
        await rig.rows("DELETE FROM practitioner WHERE tiers = ARRAY[%s]", shop.tier)


def _nodes(plan: dict[str, Any]):
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)
