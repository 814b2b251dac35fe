"""C3, T13: secret addresses; what a calendar app reads; revoked at once; forgotten with their person (E4)."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from icalendar import Calendar

from booking_contracts.decode import Record
from booking_contracts.directory import PersonContact, PersonErased
from booking_contracts.topics import CONTACTS, ERASURES
from booking_inbox import Inbox
from booking_inbox.reading import Poison, read
from calendar_projector.kafka import CONSUMER, router

pytestmark = pytest.mark.servers

FEEDS = "/v1/calendar/feeds"
SOON = (datetime.now(UTC) + timedelta(days=3)).date()


async def _made(ground, person: UUID, **headers: str) -> dict:
    answer = await ground.running.call("POST", FEEDS, "member", sub=person, **headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def _path(feed: dict) -> str:
    assert feed["url"].startswith("https://calendar.test/calendar/feeds/")
    return feed["url"].removeprefix("https://calendar.test")


async def test_a_feed_is_a_calendar_with_the_persons_sessions(ground, story):
    person = uuid4()
    one = story(member=person).requested().scheduled(on=SOON)
    gone = story(practitioner=person).requested().scheduled(on=SOON, start=13).canceled()
    foreign = story().requested().scheduled(on=SOON, start=15)
    moved_on = story(member=person).requested().scheduled(on=SOON, start=17).changed(uuid4())
    await ground.put(one, gone, foreign, moved_on)
    answer = await ground.running.get(_path(await _made(ground, person)))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert (answer.headers["Referrer-Policy"], answer.headers["X-Robots-Tag"]) == ("no-referrer", "noindex")
    calendar = Calendar.from_ical(answer.content)
    events: dict[str, Any] = {str(event["UID"]): event for event in calendar.walk("VEVENT")}
    assert events.keys() == {f"session-{one.id}@booking", f"session-{gone.id}@booking"}
    confirmed, canceled = events[f"session-{one.id}@booking"], events[f"session-{gone.id}@booking"]
    assert (confirmed["STATUS"], int(confirmed["SEQUENCE"])) == ("CONFIRMED", 1)
    assert confirmed["DTSTART"].dt == one.times["starts_at"]
    assert str(confirmed["URL"]) == str(confirmed["CONFERENCE"]) == one.times["meeting_link"]
    assert (canceled["STATUS"], int(canceled["SEQUENCE"])) == ("CANCELLED", 2)
    assert "URL" not in canceled
    assert b"REFRESH-INTERVAL;VALUE=DURATION:PT15M" in answer.content
    assert b"NAME:Jadwal konsultasi" in answer.content
    assert answer.content.endswith(b"END:VCALENDAR\r\n")


async def test_an_unchanged_feed_is_304_until_something_changes(ground, story):
    person = uuid4()
    await ground.put(story(member=person).requested().scheduled(on=SOON))
    path = _path(await _made(ground, person))
    first = await ground.running.get(path)
    etag = first.headers["ETag"]
    for condition in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        again = await ground.running.get(path, If_None_Match=condition)
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    assert (await ground.running.get(path)).content == first.content, "no clock in the text"
    assert (await ground.running.get(path, If_None_Match='"other"')).status_code == 200
    assert (await ground.running.get(path, If_None_Match=etag, Accept_Language="en")).status_code == 200
    head = await ground.running.call("HEAD", path)
    assert (head.status_code, head.headers["ETag"]) == (200, etag)
    await ground.put(story(member=person).requested().scheduled(on=SOON, start=14))
    assert (await ground.running.get(path, If_None_Match=etag)).status_code == 200


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("fr-FR,fr;q=0.9,en;q=0.8", "Consultations"),
        ("id;q=0.1, en;q=0.2", "Consultations"),
        (",".join(f"x{number}" for number in range(100)) + ",en", "Consultations"),
        ("*", "Jadwal konsultasi"),
        ("en;q=0, nonsense;;", "Jadwal konsultasi"),
        ("a" * 3000, "Jadwal konsultasi"),
    ],
)
async def test_a_feed_whose_reader_wishes_a_language_has_it_and_never_refuses_the_wish(ground, header, name):
    """N2, RFC 9110 §12.5.4."""
    path = _path(await _made(ground, uuid4()))
    answer = await ground.running.get(path, Accept_Language=header)
    assert answer.status_code == 200
    assert f"X-WR-CALNAME:{name}" in answer.text


async def test_a_feed_and_events_follow_the_locale_of_the_person(ground, story, make_record):
    """N2: one setting for all readers; no header has a say. Copies and late records change nothing."""
    person = uuid4()
    await ground.put(story(member=person).requested().scheduled(on=SOON))
    path = _path(await _made(ground, person))
    inbox = Inbox(CONSUMER, router.subscribers)

    async def chosen(locale: str, version: int) -> None:
        event = PersonContact(person_id=person, name="Sari", locale=locale, timezone="Asia/Jakarta")
        item = read(make_record(CONTACTS, person, event, version), sequenced=True)
        assert not isinstance(item, Poison)
        async with ground.running.service.database.transaction() as conn:
            await inbox.receive(conn, item)

    async def speaks(**headers: str) -> tuple[str, str]:
        feed = Calendar.from_ical((await ground.running.get(path, **headers)).content)
        events = f"/v1/calendar/events?start={SOON}&end={SOON + timedelta(days=1)}"
        (event,) = (await ground.running.get(events, "member", sub=person, **headers)).json()["items"]
        return str(feed["X-WR-CALNAME"]), event["title"]

    indonesian, english = ("Jadwal konsultasi", "Sesi konsultasi"), ("Consultations", "Consultation")
    assert await speaks() == indonesian
    choices: list[tuple[str, int, tuple[str, str]]] = [
        ("en-GB", 1, english),
        ("id", 3, indonesian),
        ("id", 3, indonesian),
        ("en", 2, indonesian),
        ("en", 4, english),
    ]
    for locale, version, expected in choices:
        await chosen(locale, version)
        assert await speaks() == await speaks(Accept_Language="en") == await speaks(Accept_Language="id") == expected


async def test_a_revoked_feed_is_gone_at_once_and_looks_like_one_that_never_was(ground):
    person = uuid4()
    feed = await _made(ground, person)
    path = _path(feed)
    assert (await ground.running.get(path)).status_code == 200
    stranger = await ground.running.call("DELETE", f"{FEEDS}/{feed['id']}", "member", sub=uuid4())
    assert stranger.status_code == 404
    assert (await ground.running.call("DELETE", f"{FEEDS}/{feed['id']}", "member", sub=person)).status_code == 204
    revoked = await ground.running.get(path)
    token = path.rpartition("/")[2].removesuffix(".ics")
    wrong = [token[:-2] + "AA", token[:10], "A" * 64, "nope", "%2e%2e", "a" * 150, token + "=", token.upper()]
    bodies = {revoked.json()["code"], revoked.json()["detail"]}
    for text in wrong:
        answer = await ground.running.get(f"/calendar/feeds/{text}.ics")
        assert answer.status_code == revoked.status_code == 404
        assert {answer.json()["code"], answer.json()["detail"]} == bodies
    assert (await ground.running.call("DELETE", f"{FEEDS}/{feed['id']}", "member", sub=person)).status_code == 404


async def test_a_wrong_address_is_not_repeated_in_the_answer(ground):
    """T13: whoever keeps problems, a gateway or a bug report, keeps no address with them."""
    path = _path(await _made(ground, uuid4()))
    wrong = await ground.running.get(path.replace(".ics", "A.ics"))
    assert (wrong.status_code, wrong.json()["instance"]) == (404, "/calendar/feeds/***")
    assert path.rpartition("/")[2][:20] not in wrong.text


async def test_what_was_canceled_stays_for_a_month_at_least(ground, story):
    """An app that reads once a week must still see that it was canceled."""
    person = uuid4()
    gone = story(member=person).requested().scheduled(on=SOON - timedelta(days=45)).canceled()
    await ground.put(gone)
    answer = await ground.running.get(_path(await _made(ground, person)))
    (event,) = Calendar.from_ical(answer.content).walk("VEVENT")
    assert (event["UID"], event["STATUS"]) == (f"session-{gone.id}@booking", "CANCELLED")


async def test_a_persons_feeds_are_listed_newest_first_and_no_one_elses(ground):
    person = uuid4()
    made = [await _made(ground, person) for _ in range(3)]
    await _made(ground, uuid4())
    first = (await ground.running.get(f"{FEEDS}?limit=2", "member", sub=person)).json()
    rest = (await ground.running.get(f"{FEEDS}?limit=2&cursor={first['next_cursor']}", "member", sub=person)).json()
    assert first["items"] + rest["items"] == made[::-1]
    assert rest["next_cursor"] is None


async def test_the_same_key_makes_one_feed_and_answers_alike_also_after_its_revocation(ground):
    person = uuid4()
    first = await _made(ground, person, Idempotency_Key="k1")
    assert await _made(ground, person, Idempotency_Key="k1") == first
    assert len((await ground.running.get(FEEDS, "member", sub=person)).json()["items"]) == 1
    path = f"{FEEDS}/{first['id']}"
    for _ in range(2):
        gone = await ground.running.call("DELETE", path, "member", sub=person, Idempotency_Key="k2")
        assert gone.status_code == 204
    assert await _made(ground, person, Idempotency_Key="k1") == first
    assert (await ground.running.get(_path(first))).status_code == 404


async def test_too_many_feeds_are_refused(ground):
    person = uuid4()
    for _ in range(20):
        await _made(ground, person)
    refused = await ground.running.call("POST", FEEDS, "member", sub=person)
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_feeds")


async def test_nothing_secret_is_stored_and_the_token_is_never_logged(ground, caplog):
    person = uuid4()
    with caplog.at_level(logging.DEBUG):
        feed = await _made(ground, person)
        await ground.running.get(_path(feed))
        await ground.running.get(_path(feed)[:-8] + "xxxx.ics")
    token = _path(feed).rpartition("/")[2].removesuffix(".ics")
    ours = [record for record in caplog.records if not record.name.startswith("httpx")]  # the test's own client
    assert not [record for record in ours if token[:40] in record.getMessage()]
    rows = await ground.world.rows("SELECT f::text FROM feed f WHERE person_id = %s", person)
    assert token[22:] not in str(rows)


async def test_an_erased_person_loses_all_feeds_and_the_locale_and_gets_none_again(world, make_record, until):
    """E4: by the erasures topic, through the real consumer; a contact that comes after its person's erasure too."""
    person, other = uuid4(), uuid4()

    def choice(of: UUID, version: int) -> Record:
        event = PersonContact(person_id=of, name="Sari", phone="+6281234567890", locale="en", timezone="Asia/Jakarta")
        return make_record(CONTACTS, of, event, version)

    async with world.running("all") as running:
        for owner in (person, person, other):
            assert (await running.call("POST", FEEDS, "member", sub=owner)).status_code == 201
        await world.tell(choice(person, 1), choice(other, 1))

        async def locales() -> bool:
            return await world.rows("SELECT count(*) FROM person_locale") == [(2,)]

        await until(locales)
        await world.tell(make_record(ERASURES, person, PersonErased(), 1))

        async def forgotten() -> bool:
            return await world.rows("SELECT count(*) FROM feed") == [(1,)]

        await until(forgotten)
        await world.tell(choice(person, 2))

        async def taken() -> bool:
            return await world.rows(
                "SELECT version FROM inbox WHERE topic = %s AND key = %s", CONTACTS.name, str(person)
            ) == [(2,)]

        await until(taken)
        assert await world.rows("SELECT person_id FROM feed") == [(other,)]
        assert await world.rows("SELECT person_id, locale FROM person_locale") == [(other, "en")]
        refused = await running.call("POST", FEEDS, "member", sub=person)
        assert (refused.status_code, refused.json()["code"]) == (403, "person_erased"), "the token is still valid"
        stream = await running.get("/v1/stream", "member", sub=person)
        assert (stream.status_code, stream.json()["code"]) == (403, "person_erased")
        ticket = await running.call("POST", "/v1/stream-tickets", "member", sub=person)
        assert (ticket.status_code, ticket.json()["code"]) == (403, "person_erased")
