"""The whole flow of the product, through HTTP only."""

from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.e2e.stories import purchase_to_result
from tests.e2e.system import Cast, System, booking, until

pytestmark = [pytest.mark.servers, pytest.mark.e2e]


def test_purchase_to_result__every_step_is_seen_by_those_it_concerns(story: Cast) -> None:
    """P3, R3, S1, N1, C1, E2."""
    purchase_to_result(story)


def test_token__that_the_command_prints_is_taken(state: Path, system: System) -> None:
    words = ["--role", "member", "--name", "Sari", "--email", "sari@example.com", "--phone", "+6281200000000"]
    printed = booking("token", *words, state=state)
    assert printed.returncode == 0, printed.stderr
    answer = system.http.get(
        f"{system.endpoints['checkout']}/v1/me", headers={"Authorization": f"Bearer {printed.stdout.strip()}"}
    )
    assert (answer.status_code, answer.json()["name"], answer.json()["email"]) == (200, "Sari", "sari@example.com")


def test_unpaid__nothing_can_be_requested(story: Cast) -> None:
    bought = story.buy()
    answer = story.system.call(
        story.member, "consultation", "POST", "/v1/sessions", json={"transaction_id": bought["id"]}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "transaction_not_paid")


def test_pending__a_second_request_is_refused_with_the_first(story: Cast) -> None:
    """R2."""
    paid = story.paid()
    session = story.request(paid)
    answer = story.system.call(
        story.member, "consultation", "POST", "/v1/sessions", json={"transaction_id": paid["id"]}
    )
    assert (answer.status_code, answer.json()["code"], answer.json()["session_id"]) == (
        409,
        "active_session_exists",
        session["id"],
    )


def test_scheduled__a_stranger_sees_nothing(story: Cast) -> None:
    """E1."""
    session = story.request(story.paid())
    story.schedule(session)
    stranger = story.system.person("practitioner")
    for path in ("", "/history"):
        assert (
            story.system.call(stranger, "consultation", "GET", f"/v1/sessions/{session['id']}{path}").status_code == 404
        )
    refused = story.system.call(stranger, "consultation", "POST", f"/v1/sessions/{session['id']}/start")
    assert refused.status_code == 404


def test_canceled__the_member_is_told_and_may_ask_again(story: Cast) -> None:
    """S5, R2, N1."""
    paid = story.paid()
    session = story.request(paid)
    story.schedule(session)
    canceled = story.system.post(
        story.member,
        "consultation",
        f"/v1/sessions/{session['id']}/cancel",
        {"reason_code": "canceled_by_member", "reason": "Berhalangan"},
    )
    assert canceled["status"] == "canceled"
    until(
        "N1: the invitation's CANCEL",
        lambda: any("METHOD:CANCEL" in m["raw"] for m in story.system.mails_to(story.member.email)) or None,
    )
    assert UUID(story.request(paid)["id"]) != UUID(session["id"])


def test_locale__the_feed_speaks_what_its_owner_chose_and_follows(story: Cast) -> None:
    """N2, C3: no header, as calendar apps come."""
    feed = story.system.post(story.member, "calendar", "/v1/calendar/feeds")["url"]
    path = feed[feed.index("/calendar/feeds/") :]
    for language, name in (("en", "Consultations"), ("id", "Jadwal konsultasi"), ("en", "Consultations")):
        story.system.put(story.member, "checkout", "/v1/me", {"locale": language})
        until(
            f"N2: the feed in {language}",
            lambda name=name: f"X-WR-CALNAME:{name}" in story.system.call(None, "calendar", "GET", path).text or None,
        )


def test_failed__both_are_told(story: Cast) -> None:
    """S5, N1."""
    session = story.request(story.paid())
    failed = story.system.post(
        story.admin,
        "consultation",
        f"/v1/sessions/{session['id']}/fail",
        {"reason_code": "technical", "reason": "Platform down"},
    )
    assert failed["status"] == "failed"
    for person, before in ((story.member, 2), (story.practitioner, 2)):
        until("N1: failed told to both", lambda p=person, n=before: len(story.system.mails_to(p.email)) >= n)


def test_idempotency__a_repeated_purchase_is_the_same_purchase(story: Cast) -> None:
    body = {"product_id": str(story.product), "practitioner_id": str(story.practitioner.sub)}
    key = {"Idempotency-Key": str(uuid4())}
    first, second = (
        story.system.post(story.member, "checkout", "/v1/transactions", body, headers=key) for _ in range(2)
    )
    assert first["id"] == second["id"]


def test_overlap__the_practitioner_is_never_in_two_places(story: Cast) -> None:
    """S4."""
    first, second = (story.request(story.paid()) for _ in range(2))
    story.schedule(first)
    answer = story.system.call(
        story.practitioner,
        "consultation",
        "POST",
        f"/v1/sessions/{second['id']}/schedule",
        json=story.schedule_body(start="09:30", end="10:30"),
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "overlap")
    touching = story.schedule(second, start="10:00", end="11:00")
    assert touching["status"] == "scheduled"
