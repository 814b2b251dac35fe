"""Running the platform by the reference gateway's pages: what waits for an administrator, and what becomes of it."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from tests.e2e.gateway import Browser, Page
from tests.e2e.kafka_log import append
from tests.e2e.system import Cast, System, until
from tests.e2e.test_gateway_pages import path

from booking_contracts.topics import TRANSACTIONS

pytestmark = [pytest.mark.servers, pytest.mark.e2e]


@pytest.fixture
def admin(system: System, story: Cast) -> Iterator[Browser]:
    """The administrator's window, in English."""
    made = Browser(system.endpoints["gateway"])
    made.sign_in(story.admin)
    made.send(made.open("/profile"), "/profile", locale="en")
    yield made
    made.http.close()


def link(page: Page, part: str) -> str | None:
    """The address on it that has this part."""
    return next((one for one in page.links.values() if part in one), None)


def _when(page: Page, words: str, times: int, *marks: str) -> Page | None:
    """The page once it says so as often, and has these marks."""
    return page if page.words.count(words) == times and all(one in page.text for one in marks) else None


def underpaid(story: Cast) -> dict[str, Any]:
    """An open review: too little was paid."""
    system, order = story.system, story.buy()
    pay = f"{system.endpoints['payments']}/pay/{order['payment']['reference']}"
    until("the provider to notify", lambda: system.http.post(pay, json={"gross_amount": "1000.00"}).status_code < 300)

    def look() -> dict[str, Any] | None:
        found = system.get(story.admin, "checkout", "/v1/payment-reviews?status=open")["items"]
        return next((one for one in found if one["transaction_id"] == order["id"]), None)

    return until("the review", look)


def test_review__is_told_and_settled_with_a_reason(admin: Browser, story: Cast):
    review = underpaid(story)
    order = review["transaction_id"]
    waiting = admin.open("/admin/reviews")
    assert link(waiting, f"/admin/orders/{order}")
    assert "The amount is wrong" in waiting.words
    where = f"/admin/reviews/{review['id']}"
    refused = admin.send(waiting, where, "dismiss", reason="")
    assert (refused.status, "Please" in refused.words) == (422, True), refused.words
    settled = admin.send(refused, where, "dismiss", reason="Salah transfer.")
    assert (settled.status, link(settled, order)) == (200, None), settled.words
    again = admin.send(waiting, where, "refund", reason="Dua kali.")
    assert (again.status, "Somebody changed this after you opened it" in again.words) == (412, True), again.words
    assert link(admin.open("/admin/reviews?status=settled"), order)


def test_message__that_failed_is_found_and_sent_again(admin: Browser, system: System, story: Cast):
    order = story.buy()
    refusing = {"mode": "reject", "only": story.member.phone.lstrip("+"), "times": 1}
    system.http.put(f"{system.endpoints['whatsapp']}/behaviour", json=refusing)
    story.pay(order)
    failed = until(
        "the message that failed",
        lambda: next(
            (
                one["id"]
                for one in system.get(story.admin, "notifier", "/v1/notifications?status=failed&channel=whatsapp")[
                    "items"
                ]
                if one["transaction_id"] == order["id"]
            ),
            None,
        ),
    )
    listed = admin.open("/admin/messages?channel=whatsapp")
    assert "The payment arrived" in listed.words
    sent = admin.send(listed, f"/admin/messages/{failed}/resend")
    assert path(sent) == f"/admin/messages/{failed}"
    until("it to leave", lambda: "Send again" in admin.open(f"/admin/messages/{failed}").words)
    assert system.whatsapps_to(story.member.phone)
    assert link(admin.open("/admin/messages"), failed) is None, "it failed no more"


def test_pages_of_operations__are_for_administrators_alone(system: System, story: Cast):
    window = Browser(system.endpoints["gateway"])
    window.sign_in(story.member)
    operations = [f"/admin/operations/{one}" for one in ("held", "projections", "erasures")]
    for address in ("/admin/reviews", "/admin/messages", "/admin/operations", *operations):
        assert window.open(address).status == 403, address
    window.http.close()


def test_mail__leads_through_the_sign_in_to_what_it_is_about(system: System, story: Cast):
    order = story.paid()
    address = f"{system.endpoints['gateway']}/orders/{order['id']}"
    until(
        "the mail",
        lambda: any(address in one["raw"].replace("=\r\n", "") for one in system.mails_to(story.member.email)),
    )
    window = Browser(system.endpoints["gateway"])
    asked = window.open(address)
    assert asked.address.startswith(system.endpoints["identity"])
    said = {"sub": str(story.member.sub), "role": "member", "name": story.member.name, "email": story.member.email}
    shown = window.post(
        asked.address, {**said, "phone_number": story.member.phone, "locale": "en", "zoneinfo": "Asia/Jakarta"}
    )
    assert (shown.status, path(shown)) == (200, f"/orders/{order['id']}"), shown.words
    window.http.close()


def test_held_record__is_read_and_given_up_by_who_says_that_they_know(admin: Browser, system: System, story: Cast):
    key = str(uuid4())
    append(system.endpoints["kafka"], TRANSACTIONS.name, [(key, b'{"broken')])

    def look(service: str) -> dict[str, Any] | None:
        found = system.get(story.admin, service, "/v1/held-records?limit=200")["items"]
        return next((one for one in found if one["key"] == key), None)

    where = f"/admin/operations/held/consultation/{until('the record', lambda: look('consultation'))['id']}"
    assert link(admin.open("/admin/operations/held"), where)
    shown = admin.open(where)
    assert ("It can't be read" in shown.words, '{"broken' in shown.words) == (True, True), shown.words
    still = admin.send(shown, f"{where}/replay")
    assert (still.status, "A record of the same key is in the way" in still.words) == (409, True), still.words
    unsure = admin.send(still, f"{where}/discard")
    assert (unsure.status, 'id="sure-wrong"' in unsure.text) == (422, True), unsure.words
    done = admin.send(unsure, f"{where}/discard", sure="1")
    assert (done.status, "Given up" in done.words) == (200, True), done.words
    assert link(admin.open("/admin/operations/held"), where) is None
    other = until("the notifier's", lambda: look("notifier"))
    system.post(story.admin, "notifier", f"/v1/held-records/{other['id']}/discard")


def test_projection__is_told_and_a_refusal_says_what_to_do(admin: Browser):
    """Nothing is rebuilt here: what a rebuild leaves would be in the way of others who use this system."""
    here = "/admin/operations/projections"
    shown = admin.open(here)
    (named,) = [one for one in shown.forms if one.action == f"{here}/rebuild" and len(one.fields) == 2]
    assert dict(named.fields)["name"] == "user_schedule"
    unknown = admin.send(shown, f"{here}/rebuild", name="nothing")
    assert (unknown.status, "There is nothing here" in unknown.words) == (404, True), unknown.words
    nothing = admin.post(f"{admin.gateway}{here}/abandon", {"name": "user_schedule", "key": str(uuid4())})
    assert (nothing.status, "user_schedule" in nothing.words) == (404, True), nothing.words


def test_erasure__is_asked_for_twice_and_proved_by_what_is_shown_since(admin: Browser, story: Cast):
    story.request(story.paid())
    here, person = "/admin/operations/erasures", str(story.member.sub)
    refused = admin.send(admin.open(here), here, person_id=person, again=str(uuid4()))
    assert (refused.status, 'id="again-wrong"' in refused.text) == (422, True), refused.words
    assert dict(refused.form(here).fields)["person_id"] == person, "what was typed"
    begun = admin.send(refused, here, again=person)
    assert path(begun) == f"{here}/{person}"
    proved = until("every service", lambda: _when(admin.open(f"{here}/{person}"), "Nothing tells who they were", 4))
    assert "Not done yet" not in proved.words


def test_state__is_drawn_and_told_as_a_table(admin: Browser, story: Cast):
    story.buy()
    here = "/admin/operations"
    drawn = until("two looks at every service", lambda: _when(admin.open(here), "does not answer", 0, "<polyline"))
    assert "Changes a minute" in drawn.words
    assert drawn.text.count("<tr>") == 1 + 12


def test_practice__tells_ones_own_figures_and_place(system: System, story: Cast):
    window = Browser(system.endpoints["gateway"])
    window.sign_in(story.practitioner)
    window.send(window.open("/profile"), "/profile", locale="en")
    shown = window.open("/practice")
    assert re.search(r"Completed sessions 0 Activity 0 Profile 3 gold place \d+ of \d+", shown.words), shown.words
    window.http.close()
