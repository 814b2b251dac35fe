"""The product's main story, for whatever system it is played on."""

from tests.e2e.system import Cast, until


def purchase_to_result(story: Cast) -> None:
    """Play the whole flow; every step must be seen by those it concerns."""
    system = story.system
    bought = story.buy()
    assert bought["status"] == "awaiting_payment"
    assert bought["price"] == {"amount": 250000, "currency": "IDR"}

    story.pay(bought)
    until("P3, N1: the payment's mail", lambda: system.mails_to(story.member.email))

    session = story.request(bought)
    assert session["status"] == "pending_negotiation"
    assert session["whatsapp_url"].startswith(f"https://wa.me/{story.practitioner.phone.lstrip('+')}?text=")
    until("N1: the request told to the practitioner by mail", lambda: system.mails_to(story.practitioner.email))
    until("N2: and by WhatsApp", lambda: system.whatsapps_to(story.practitioner.phone))

    scheduled = story.schedule(session)
    assert (scheduled["status"], scheduled["meeting_link"]) == ("scheduled", "https://meet.google.com/abc-defg-hij")
    for who in (story.member, story.practitioner):
        entry = until("C1: the session in the calendar", lambda who=who: story.calendar(who, session["id"]))
        assert entry["start"] == scheduled["starts_at"]

    moved = system.put(
        story.practitioner,
        "consultation",
        f"/v1/sessions/{session['id']}/schedule",
        story.schedule_body(start="13:00", end="14:00"),
        headers={"If-Match": f'"{scheduled["version"]}"'},
    )
    until(
        "C2: the move in the calendar",
        lambda: (story.calendar(story.member, session["id"]) or {}).get("start") == moved["starts_at"],
    )
    until(
        "N1: invitation and its update",
        lambda: sum("text/calendar" in m["raw"] for m in system.mails_to(story.member.email)) >= 2,
    )

    system.post(story.practitioner, "consultation", f"/v1/sessions/{session['id']}/start")
    done = system.post(
        story.practitioner,
        "consultation",
        f"/v1/sessions/{session['id']}/result",
        {"result_link": "https://drive.google.com/file/d/1AbCdEfGhIjKlMnOpQrStUvWxYz012345/view"},
    )
    assert done["status"] == "completed"

    history = system.get(story.member, "consultation", f"/v1/sessions/{session['id']}/history")["items"]
    assert {item["type"] for item in history} == {
        "ScheduleRequested",
        "SessionScheduled",
        "SessionRescheduled",
        "SessionStarted",
        "ResultUploaded",
    }
    assert sorted(item["version"] for item in history) == [1, 2, 3, 4, 5]
    until(
        "C1: completed in the calendar",
        lambda: (story.calendar(story.practitioner, session["id"]) or {}).get("status") == "completed",
    )
