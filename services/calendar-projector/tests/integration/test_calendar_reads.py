"""C1, C3: ranges, busy times, whose calendar is whose; and each query's plan."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from tests.rigs.service import round_trips

from booking_contracts.directory import PersonContact, PersonErased, PractitionerProfile
from booking_contracts.topics import CONTACTS, ERASURES, PRACTITIONERS
from booking_web.consistency import ConsistencyToken
from calendar_projector.calendar import reads
from calendar_projector.calendar.reads import Range

pytestmark = pytest.mark.servers

RANGE = "start=2026-12-01T00:00:00Z&end=2026-12-02T00:00:00Z"
EVENTS = f"/v1/calendar/events?{RANGE}"


async def _items(ground, path: str, *roles: str, sub=None, **headers: str) -> list[dict]:
    answer = await ground.running.get(path, *roles, sub=sub, **headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_an_event_has_the_shape_that_calendar_components_read(ground, story):
    one = story().requested().scheduled()
    await ground.put(one)
    assert await _items(ground, EVENTS, "practitioner", sub=one.practitioner) == [
        {
            "id": str(one.id),
            "title": "Sesi konsultasi",
            "start": "2026-12-01T02:00:00Z",
            "end": "2026-12-01T03:00:00Z",
            "status": "scheduled",
            "transaction_id": str(one.transaction),
            "practitioner_id": str(one.practitioner),
            "practitioner_name": None,
            "user_id": str(one.member),
            "member_name": None,
            "scheduled_date": "2026-12-01",
            "time_start": "09:00",
            "time_end": "10:00",
            "timezone": "Asia/Jakarta",
            "meeting_link": "https://meet.google.com/abc-defg-hij",
            "schedule_version": 1,
            "version": 2,
        }
    ]
    (english,) = await _items(ground, EVENTS, "member", sub=one.member, Accept_Language="en-GB")
    assert english["title"] == "Consultation"


async def test_events_name_their_two_people_until_they_are_erased(ground, story, make_record):
    """By as many statements as without; a profile's name before a contact's. E4: who is erased has no name."""
    one, practitioner, member = story().requested().scheduled(), "Dr. Budi", "Sari"
    await ground.put(one)
    profile = PractitionerProfile(
        id=one.practitioner, name=practitioner, tiers=("gold",), timezone="Asia/Jakarta", active=True
    )
    contacts = {
        person: PersonContact(person_id=person, name=name, locale="id", timezone="Asia/Jakarta")
        for person, name in ((one.practitioner, "Budi"), (one.member, member))
    }

    async def names(*records) -> tuple[str | None, str | None]:
        await ground.running.take(*records)
        with round_trips() as asked:
            (item,) = await _items(ground, EVENTS, "member", sub=one.member)
        assert asked.count == 2, "the page and the reader's locale"
        return item["practitioner_name"], item["member_name"]

    told = [make_record(CONTACTS, person, contact, 1) for person, contact in contacts.items()]
    assert await names(*told) == ("Budi", member)
    assert await names(make_record(PRACTITIONERS, one.practitioner, profile, 1)) == (practitioner, member)
    assert await names(make_record(ERASURES, one.practitioner, PersonErased(), 1)) == (None, member)
    assert await names(make_record(ERASURES, one.member, PersonErased(), 1)) == (None, None)


async def test_a_person_sees_only_their_own_calendar_an_admin_any(ground, story):
    """C3, E1: whose calendar is not yours does not exist for you."""
    one = story().requested().scheduled()
    await ground.put(one)
    of_practitioner, of_member = f"{EVENTS}&practitioner_id={one.practitioner}", f"{EVENTS}&user_id={one.member}"
    both = f"{of_practitioner}&user_id={one.member}"
    for path in (of_practitioner, of_member, both):
        assert [item["id"] for item in await _items(ground, path, "admin")] == [str(one.id)]
    assert len(await _items(ground, of_practitioner, "practitioner", sub=one.practitioner)) == 1
    assert len(await _items(ground, of_member, "member", sub=one.member)) == 1
    assert len(await _items(ground, both, "member", sub=one.member)) == 1
    for path, person in ((of_practitioner, one.member), (of_member, one.practitioner), (of_member, uuid4())):
        assert (await ground.running.get(path, "member", "practitioner", sub=person)).status_code == 404
    assert await _items(ground, EVENTS, "member", sub=uuid4()) == []
    assert (await ground.running.get(EVENTS)).status_code == 401
    assert (await ground.running.get(EVENTS, "service")).status_code == 403


async def test_ends_stay_marked_and_a_changed_practitioner_leaves_the_range(ground, story):
    """C1."""
    practitioner, other = uuid4(), uuid4()
    canceled = story(practitioner=practitioner).requested().scheduled().canceled()
    failed = story(practitioner=practitioner).requested().scheduled(start=11).failed()
    moved_on = story(practitioner=practitioner).requested().scheduled(start=13).changed(other)
    await ground.put(canceled, failed, moved_on)
    items = await _items(ground, EVENTS, "practitioner", sub=practitioner)
    assert [(item["id"], item["status"]) for item in items] == [
        (str(canceled.id), "canceled"),
        (str(failed.id), "failed"),
    ]
    assert await _items(ground, EVENTS, "practitioner", sub=other) == []
    assert await _items(ground, EVENTS, "member", sub=moved_on.member) == []


async def test_a_range_holds_what_touches_it_and_ends_are_open(ground, story):
    """F64: `[start, end)`."""
    person = uuid4()
    await ground.put(story(practitioner=person).requested().scheduled(start=9))  # 02:00 to 03:00 UTC

    async def found(start: str, end: str) -> int:
        path = f"/v1/calendar/events?start=2026-12-01T{start}Z&end=2026-12-01T{end}Z"
        return len(await _items(ground, path, "practitioner", sub=person))

    assert await found("01:00:00", "02:00:00") == 0
    assert await found("01:00:00", "02:00:01") == 1
    assert await found("02:30:00", "02:45:00") == 1
    assert await found("02:59:59", "05:00:00") == 1
    assert await found("03:00:00", "05:00:00") == 0
    path = "/v1/calendar/events?start=2026-12-01&end=2026-12-02"  # days of the platform's zone
    assert len(await _items(ground, path, "practitioner", sub=person)) == 1
    path = "/v1/calendar/events?start=2026-12-01T00:00:00%2B07:00&end=2026-12-02T00:00:00%2B07:00"
    assert len(await _items(ground, path, "practitioner", sub=person)) == 1


@pytest.mark.parametrize(
    "query",
    [
        "",
        "start=2026-12-01T00:00:00Z",
        "start=never&end=2026-12-01",
        "start=2026-12-01T00:00:00&end=2026-12-02",
        "start=2026-12-02&end=2026-12-01",
        "start=2026-01-01&end=2028-01-01",
        "start=0001-01-01&end=0001-01-02",
        "start=9999-12-30&end=9999-12-31",
        "start=0001-01-01T00:00:00%2B14:00&end=0001-01-01T00:00:00Z",
        f"{RANGE}&limit=0",
        f"{RANGE}&cursor=nope",
        f"{RANGE}&user_id=me",
    ],
)
async def test_a_range_that_is_none_is_422(ground, query: str):
    answer = await ground.running.get(f"/v1/calendar/events?{query}", "admin")
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"]


async def test_pages_follow_each_other(ground, story):
    person = uuid4()
    stories = [story(practitioner=person).requested().scheduled(start=hour) for hour in (8, 9, 9, 10, 12)]
    await ground.put(*stories)
    seen: list[str] = []
    pages, cursor = 0, ""
    while cursor is not None:
        answer = await ground.running.get(f"{EVENTS}&limit=2&cursor={cursor}", "practitioner", sub=person)
        seen += [item["id"] for item in answer.json()["items"]]
        pages, cursor = pages + 1, answer.json()["next_cursor"]
    assert pages == 3
    assert sorted(seen) == sorted(str(one.id) for one in stories)
    assert len(seen) == 5


async def _taken(ground, person, *roles: str, sub) -> list[str]:
    items = await _items(ground, f"/v1/calendar/busy?practitioner_id={person}&{RANGE}", *roles, sub=sub)
    assert all(item.keys() == {"start", "end"} for item in items)
    return [item["start"][11:13] for item in items]


async def test_busy_tells_a_stranger_the_times_as_practitioner_and_nothing_else(ground, story):
    """E1, S4: canceled, completed and waiting sessions hold no time; those as a member are nobody else's business."""
    person = uuid4()
    await ground.put(
        story(practitioner=person).requested().scheduled(start=9),
        story(practitioner=person).requested().scheduled(start=11).started(),
        story(member=person).requested().scheduled(start=13),
        story(practitioner=person).requested().scheduled(start=15).canceled(),
        story(practitioner=person).requested().scheduled(start=16).started().completed(),
    )
    for role in ("member", "practitioner", "service"):
        assert await _taken(ground, person, role, sub=uuid4()) == ["02", "04"]
    for roles, sub in ((("admin",), uuid4()), (("practitioner",), person), (("member",), person)):
        assert await _taken(ground, person, *roles, sub=sub) == ["02", "04", "06"]


async def test_busy_is_paged_as_every_list(ground, story):
    person = uuid4()
    await ground.put(*(story(practitioner=person).requested().scheduled(start=hour) for hour in (9, 11, 13)))
    path, seen, cursor = f"/v1/calendar/busy?practitioner_id={person}&{RANGE}&limit=2", list[list[str]](), ""
    while cursor is not None:
        answer = (await ground.running.get(f"{path}&cursor={cursor}", "member", sub=uuid4())).json()
        seen.append([item["start"][11:13] for item in answer["items"]])
        cursor = answer["next_cursor"]
    assert seen == [["02", "04"], ["06"]]


async def test_busy_of_a_member__is_404_for_a_stranger_their_own_and_an_admins_to_see(ground, story):
    """E1: whoever is no practitioner does not exist for others, with sessions or without."""
    one = story().requested().scheduled(start=9)
    await ground.put(one)
    for person in (one.member, uuid4()):
        path = f"/v1/calendar/busy?practitioner_id={person}&{RANGE}"
        for role, sub in (("member", uuid4()), ("practitioner", one.practitioner), ("service", uuid4())):
            answer = await ground.running.get(path, role, sub=sub)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert await _taken(ground, one.member, "member", sub=one.member) == ["02"]
    assert await _taken(ground, one.member, "admin", sub=uuid4()) == ["02"]
    assert await _taken(ground, uuid4(), "admin", sub=uuid4()) == []


async def test_a_consistency_token_waits_and_is_never_silently_stale(ground, story):
    one = story().requested()
    token = ConsistencyToken("consultation", "session", str(one.id), 2).encode()
    path = f"{EVENTS}&wait=0.2"
    late = await ground.running.get(path, "member", sub=one.member, Consistency_Token=token)
    assert (late.status_code, late.json()["code"], late.headers["Retry-After"]) == (503, "not_yet_visible", "1")
    one.scheduled()
    await ground.put(one)
    assert len(await _items(ground, path, "member", sub=one.member, Consistency_Token=token)) == 1
    person = ConsistencyToken("checkout", "person", str(one.member), 1).encode()
    unheard = await ground.running.get(path, "member", sub=one.member, Consistency_Token=person)
    assert (unheard.status_code, unheard.json()["code"]) == (503, "not_yet_visible"), "the locale is the person's"
    for service, kind in (("checkout", "transaction"), ("consultation", "assessment"), ("checkout", "product")):
        other = ConsistencyToken(service, kind, str(uuid4()), 9).encode()
        assert len(await _items(ground, path, "member", sub=one.member, Consistency_Token=other)) == 1
    broken = await ground.running.get(path, "member", sub=one.member, Consistency_Token="nope")
    assert broken.status_code == 422


async def test_every_query_uses_an_index_and_sorts_no_whole_table(ground, story):
    """Flat from ten thousand to ten million sessions: checked on 60,000 rows of three hundred people."""
    await ground.world.rows(
        "INSERT INTO user_schedule_a (session_id, version, row_version, dated, schedule_version, changed_at,"
        " transaction_id, practitioner_id, user_id, status, starts_at, ends_at)"
        " SELECT gen_random_uuid(), 2, 2, true, 1, now(), gen_random_uuid(), md5('p' || n % 300)::uuid,"
        " md5('m' || n % 301)::uuid, 'scheduled', at, at + interval '1 hour'"
        " FROM (SELECT n, timestamptz '2030-01-01' + n * interval '10 minutes' AS at"
        " FROM generate_series(1, 60000) n) g RETURNING 1"
    )
    async with ground.running.service.database.autocommit() as conn:
        person = (await (await conn.execute("SELECT md5('p7')::uuid")).fetchone())[0]
    await _as_owner(ground, "ANALYZE user_schedule_a")
    begin = datetime(2030, 6, 1, tzinfo=UTC)
    wanted = {**Range(begin, begin + timedelta(days=7), 200).names(), "person": person, "id": person}
    wanted |= {"practitioner_id": person, "user_id": person, "ids": [person]}
    people: tuple[reads.Who, ...] = ("all", "practitioner", "member", "pair", "person")
    for statement in (
        *(reads.page(who, limit=200, continued=False) for who in people),
        reads._AT_WORK.as_bytes(),
        reads._PRACTITIONER.encode(),
        b"SELECT version FROM session_calendar WHERE session_id = %(id)s",
    ):
        nodes = await _plan(ground, statement, wanted)
        scans = [
            n for n in nodes if "Scan" in n["Node Type"] and n.get("Relation Name", "").startswith("user_schedule")
        ]
        used = [n for n in scans if n["Actual Loops"]]
        assert used, statement
        assert all(n["Node Type"] in {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"} for n in used), nodes
        assert {n["Relation Name"] for n in used} == {"user_schedule_a"}, "the other slot is never touched"
        assert sum(n["Actual Rows"] + n.get("Rows Removed by Filter", 0) for n in used) <= 1300, statement
    # A page stops at its limit however long the range is: 60,000 sessions lie in this one.
    years = wanted | Range(begin.replace(year=2029), begin.replace(year=2032), 200).names()
    for place in ({"after": None, "after_id": None}, {"after": begin.replace(year=2031), "after_id": person}):
        whole = reads.page("all", limit=200, continued=place["after"] is not None)
        read = [n for n in await _plan(ground, whole, years | place) if n.get("Relation Name") == "user_schedule_a"]
        assert sum(n["Actual Rows"] + n.get("Rows Removed by Filter", 0) for n in read) <= 210
    admin = await _items(ground, "/v1/calendar/events?start=2030-06-01&end=2030-06-08&limit=10", "admin")
    assert len(admin) == 10


async def _plan(ground, statement: bytes, names: dict) -> list[dict]:
    async with ground.running.service.database.autocommit() as conn:
        cursor = await conn.execute(b"EXPLAIN (ANALYZE, FORMAT JSON) " + statement, names)
        found = (await cursor.fetchone())[0]
    plan = found if isinstance(found, list) else json.loads(found)
    return list(_nodes(plan[0]["Plan"]))


def _nodes(node: dict):
    yield node
    for child in node.get("Plans", []):
        yield from _nodes(child)


async def _as_owner(ground, statement: str) -> None:
    import psycopg

    async with await psycopg.AsyncConnection.connect(ground.world.owner_url, autocommit=True) as conn:
        await conn.execute(statement.encode())
