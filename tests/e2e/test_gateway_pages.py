"""The product played through the reference gateway's pages alone, by their links and forms."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import icalendar
import pytest
from tests.e2e.gateway import Browser, Page
from tests.e2e.system import Cast, System, today, until
from tests.e2e.test_crash import frozen, pid_of

from booking_contracts.zones import zone

pytestmark = [pytest.mark.servers, pytest.mark.e2e]
LINK = "https://meet.google.com/abc-defg-hij"


@dataclass
class Windows:
    """A window each."""

    member: Browser
    practitioner: Browser


@pytest.fixture
def windows(system: System, story: Cast) -> Iterator[Windows]:
    made = Windows(Browser(system.endpoints["gateway"]), Browser(system.endpoints["gateway"]))
    made.member.sign_in(story.member)
    made.member.send(made.member.open("/profile"), "/profile", locale="en", timezone="Asia/Makassar")
    made.practitioner.sign_in(story.practitioner)
    yield made
    made.member.http.close()
    made.practitioner.http.close()


@pytest.fixture
def window(system: System) -> Iterator[Browser]:
    """One in which nobody is signed in yet."""
    made = Browser(system.endpoints["gateway"])
    yield made
    made.http.close()


def buy(window: Browser, story: Cast) -> Page:
    """From the list of services to the paid order."""
    service = window.open(f"/services/{story.product}")
    order = window.send(service, "/orders", str(story.practitioner.sub))
    assert "Awaiting payment" in order.words, order.words
    pay = until("a payment page", lambda: window.open(order.address).links.get("To the payment"))
    back = window.send(window.open(pay), "", "settlement")
    assert path(back) == path(order)
    return until("the payment", lambda: next((one for one in (window.open(path(order)),) if "Paid" in one.words), None))


def ask(window: Browser, story: Cast) -> Page:
    """From there to the session that waits. While the payment is still on its way to consultation, the page says so."""
    return asked_from(window, buy(window, story))


def asked_from(window: Browser, shown: Page) -> Page:
    """The same from a paid order's page."""

    def asked() -> Page | None:
        nonlocal shown
        shown = window.send(shown, r"/orders/[^/]+/session")
        if path(shown).startswith("/sessions/"):
            return shown
        assert (shown.status, "is being passed on" in shown.words) == (200, True), shown.words
        return None

    return until("the session", asked)


def times(days: int, start: str = "09:00", end: str = "10:00", **other: str) -> dict[str, str]:
    day = (today() + timedelta(days=days)).isoformat()
    given = {"scheduled_date": day, "time_start": start, "time_end": end, "timezone": "Asia/Jakarta"}
    return {**given, "meeting_link": LINK, **other}


def path(page: Page) -> str:
    return urlsplit(page.address).path


def test_pages__play_the_product_from_the_services_to_the_result(windows: Windows, story: Cast):
    member, practitioner = windows.member, windows.practitioner
    front = member.open("/")
    assert path(front) == "/services"
    product = until("the product", lambda: f"/services/{story.product}" in member.open("/services").text)
    assert product
    session = ask(member, story)
    assert "Waiting for a schedule" in session.words
    assert session.links["Agree on a time by WhatsApp"].startswith("https://wa.me/")

    waiting = practitioner.open("/")
    assert path(waiting) == "/waiting"
    assert story.member.name in waiting.words
    assert "Time left to answer: 7 days" in waiting.words
    theirs = practitioner.open(path(session))
    scheduled = practitioner.send(theirs, r"/sessions/[^/]+/schedule", **times(7))
    assert (scheduled.status, "The schedule was set" in scheduled.words) == (200, True), scheduled.words

    seen = member.open(path(session))
    assert "10:00–11:00" in seen.words, "in the member's own zone, an hour ahead"
    assert "WITA (GMT+08:00, Asia/Makassar)" in seen.words
    assert seen.links["To the meeting"] == LINK
    file = member.open(seen.links["Into your calendar, as a file"])
    (event,) = icalendar.Calendar.from_ical(file.text).events
    assert (event.start.isoformat()[10:], event["location"]) == ("T02:00:00+00:00", LINK), "09:00 in Jakarta"
    assert event["uid"] == f"session-{path(session).rpartition('/')[2]}@booking", "as in the feed and in mails"
    month = until(
        "the calendar",
        lambda: next(
            (
                one
                for one in (member.open(f"/calendar?month={times(7)['scheduled_date'][:7]}"),)
                if path(session) in one.text
            ),
            None,
        ),
    )
    assert f"10:00 {story.practitioner.name}" in month.words

    begun = practitioner.send(scheduled, r"/sessions/[^/]+/start")
    assert "In progress" in begun.words
    done = practitioner.send(begun, r"/sessions/[^/]+/result", result_notes="Terima kasih, Sari.")
    assert "Completed" in done.words
    result = member.open(path(session))
    assert "Terima kasih, Sari." in result.words
    for step in ("A schedule was asked for", "The session began", "The result was uploaded"):
        assert step in result.words


def test_result__may_say_when_they_parted_and_what_cannot_be_is_told_beside_the_field(windows: Windows, story: Cast):
    """S8, in the zone of who says it."""
    window, session = windows.practitioner, path(ask(windows.member, story))
    window.send(window.open(session), r"/sessions/[^/]+/schedule", **times(28))
    begun = window.send(window.open(session), r"/sessions/[^/]+/start")
    assert "You need not say it. WIB (GMT+07:00, Asia/Jakarta)" in begun.words

    def parted(shown: Page, ended_at: str, notes: str = "Sampai jumpa.") -> Page:
        return window.send(shown, r"/sessions/[^/]+/result", result_notes=notes, ended_at=ended_at)

    def local(away: timedelta = timedelta()) -> str:
        return (datetime.now(UTC) + away).astimezone(zone("Asia/Jakarta")).replace(tzinfo=None).isoformat()

    wrong, unread = (
        "You parted after the session began, and not later than now.",
        "This is not written as it should be.",
    )
    told = {local(timedelta(hours=1)): wrong, local(timedelta(hours=-1)): wrong}
    told |= {"kemarin": unread, "0001-01-01T00:00": unread}
    for typed, said in told.items():
        refused = parted(begun, typed)
        assert (refused.status, 'id="ended_at-wrong"' in refused.text, said in refused.words) == (422, True, True), (
            typed
        )
        assert (
            dict(refused.form(r"/sessions/[^/]+/result").fields).items()
            >= {
                "ended_at": typed,
                "result_notes": "Sampai jumpa.",
            }.items()
        )
    end = local()
    done = parted(begun, end)
    assert (done.status, "Completed" in done.words, "left empty, it stays so" in done.words) == (200, True, True)

    def ended() -> datetime:
        kept = story.session(session.rpartition("/")[2])["ended_at"]
        return datetime.fromisoformat(kept).astimezone(zone("Asia/Jakarta")).replace(tzinfo=None)

    assert ended() == datetime.fromisoformat(end)
    replaced = parted(done, "", notes="Sampai jumpa lagi.")
    assert (replaced.status, "Sampai jumpa lagi." in replaced.words) == (200, True), replaced.words
    assert ended() == datetime.fromisoformat(end)


def test_payment_on_its_way__is_told_as_that_and_no_error(windows: Windows, story: Cast, state: Path):
    """Consultation hears of sales by Kafka."""
    member = windows.member
    with frozen(pid_of(state, "kafka")):
        paid = buy(member, story)
        shown = member.send(paid, r"/orders/[^/]+/session")
        assert (shown.status, "is being passed on" in shown.words) == (200, True), shown.words
    assert "Waiting for a schedule" in asked_from(member, shown).words


def test_schedule__a_refusal_stands_beside_its_field_and_nothing_typed_is_lost(windows: Windows, story: Cast):
    session = windows.practitioner.open(path(ask(windows.member, story)))
    wrong = times(30, meeting_link="https://example.com/meeting")
    refused = windows.practitioner.send(session, r"/sessions/[^/]+/schedule", **wrong)
    assert refused.status == 422
    assert 'id="meeting_link-wrong"' in refused.text
    assert "Please paste the whole link of Google Meet" in refused.words
    assert dict(refused.form(r"/sessions/[^/]+/schedule").fields).items() >= wrong.items()


def test_schedule__an_overlap_names_what_is_there(windows: Windows, story: Cast):
    first, second = ask(windows.member, story), ask(windows.member, story)
    window = windows.practitioner
    window.send(window.open(path(first)), r"/sessions/[^/]+/schedule", **times(14))
    typed = times(14, "09:30", "10:30")
    refused = window.send(window.open(path(second)), r"/sessions/[^/]+/schedule", **typed)
    assert (refused.status, "This time is taken." in refused.words) == (409, True)
    assert path(first) in refused.links.values()
    assert dict(refused.form(r"/sessions/[^/]+/schedule").fields)["time_start"] == "09:30"


def test_move__who_saw_an_older_one_is_shown_how_it_is_now(windows: Windows, story: Cast):
    window, session = windows.practitioner, ask(windows.member, story)
    seen = window.send(window.open(path(session)), r"/sessions/[^/]+/schedule", **times(21))
    moved = window.send(seen, r"/sessions/[^/]+/schedule", **times(21, "13:00", "14:00"))
    assert "13:00–14:00" in moved.words
    stale = window.send(seen, r"/sessions/[^/]+/schedule", **times(21, "15:00", "16:00"), key=str(uuid4()))
    assert (stale.status, "Somebody changed this after you opened it" in stale.words) == (412, True)
    assert "13:00–14:00" in stale.words, "how it is now"
    assert dict(stale.form(r"/sessions/[^/]+/schedule").fields)["time_start"] == "15:00", "what was typed"
    decided = window.send(stale, r"/sessions/[^/]+/schedule")
    assert (decided.status, "15:00–16:00" in decided.words) == (200, True)


def test_double_click__buys_once(windows: Windows, story: Cast):
    service = windows.member.open(f"/services/{story.product}")
    twice = [windows.member.send(service, "/orders", str(story.practitioner.sub)) for _ in range(2)]
    assert path(twice[0]) == path(twice[1])


def test_cancel__needs_a_reason_and_tells_it(windows: Windows, story: Cast):
    session = ask(windows.member, story)
    refused = windows.member.send(session, r"/sessions/[^/]+/cancel", reason="")
    assert (refused.status, "Please" in refused.words) == (422, True)
    canceled = windows.member.send(refused, r"/sessions/[^/]+/cancel", reason="Saya sakit.")
    assert "Saya sakit." in canceled.words
    assert "The member canceled" in canceled.words


def test_profile__changes_the_language_and_the_zone_of_pages(windows: Windows):
    window = windows.member
    assert '<html lang="en"' in window.open("/profile").text, "as it was changed to before"
    changed = window.send(window.open("/profile"), "/profile", locale="id", timezone="Asia/Jayapura")
    assert '<html lang="id"' in changed.text
    assert "WIT (GMT+09:00, Asia/Jayapura)" in changed.words
    wrong = window.send(changed, "/profile", phone="123")
    assert (wrong.status, "Mohon tulis nomor ponsel lengkap" in wrong.words) == (422, True)


def test_practice__shows_what_the_profile_lacks(windows: Windows):
    window = windows.practitioner
    changed = window.send(window.open("/practice"), "/practice", bio="")
    assert "a few words about you" in changed.words
    whole = window.send(changed, "/practice", bio="Psikolog klinis.")
    assert "Still missing" not in whole.words


def test_stranger__is_sent_to_sign_in_and_comes_back_where_they_wanted(system: System, story: Cast, window: Browser):
    asked = window.open("/orders")
    assert asked.address.startswith(system.endpoints["identity"])
    shown = window.sign_in(story.member, "/orders")
    assert path(shown) == "/orders"
    assert window.open("/waiting").status == 403, "a practitioner's page"
    away = window.open(f"/sessions/{uuid4()}")
    assert (away.status, "Tidak ada apa-apa di sini" in away.words) == (404, True)
    out = window.send(shown, "/sign-out")
    assert "Anda sudah keluar" in out.words or "You are signed out" in out.words
    assert window.open("/orders").address.startswith(system.endpoints["identity"])


def test_admin__keeps_the_catalogue_and_what_is_wrong_stands_beside_its_field(window: Browser, story: Cast):
    assert path(window.sign_in(story.admin)) == "/admin/orders"
    products = window.open("/admin/products")
    new = window.open(next(one for name, one in products.links.items() if name in ("A new product", "Produk baru")))
    typed = {"name": f"Sesi {uuid4().hex[:6]}", "tier": "gold", "amount": "dua ratus"}
    refused = window.send(new, r"/admin/products/[^/]+", **typed)
    assert (refused.status, 'id="amount-wrong"' in refused.text) == (422, True), refused.words
    made = window.send(refused, r"/admin/products/[^/]+", amount="175000")
    assert (path(made), typed["name"] in made.words) == ("/admin/products", True)
    again = window.send(refused, r"/admin/products/[^/]+", amount="180000", key=str(uuid4()))
    assert again.status == 412, "a new one overwrites nothing"

    person = uuid4()
    form = window.open(f"/admin/practitioners/new?id={person}")
    listed = window.send(form, r"/admin/practitioners/[^/]+", name="Agus Wijaya", tiers="gold, silver")
    assert (listed.status, path(listed)) == (200, "/admin/practitioners"), listed.words
    assert "Agus Wijaya" in window.open("/admin/practitioners?name=Agus").words
    kept = window.open(f"/admin/practitioners/{person}").form(r"/admin/practitioners/[^/]+")
    assert dict(kept.fields).items() >= {"tiers": "gold, silver", "timezone": "Asia/Jakarta", "active": "1"}.items()


def test_admin__gives_money_back_and_sees_the_story(window: Browser, story: Cast, windows: Windows):
    order = path(buy(windows.member, story))
    window.sign_in(story.admin)
    window.send(window.open("/profile"), "/profile", locale="en")
    assert "Paid" in window.open("/admin/orders?status=paid").words
    shown = window.open(f"/admin{order}")
    refunded = window.send(shown, r"/admin/orders/[^/]+/refund", reason="Salah pesan.")
    assert (refunded.status, "Salah pesan." in refunded.words) == (200, True), refunded.words
    until("the refund", lambda: "The money went back" in window.open(f"/admin{order}").words)
    assert "Refunded" in window.open(f"/admin{order}").words
    assert windows.member.open(f"/admin{order}").status == 403
