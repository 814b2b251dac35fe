"""The calendar's month: one call of each service, drawn in the viewer's zone, and who is in the way of a time."""

import json
import re
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from gateway.tests.rig import NOWHERE, gateway, settings_for

from booking_contracts.zones import zone
from booking_gateway.sessions.drawn import drawn
from booking_gateway.sessions.schedule import ScheduleForm
from booking_gateway.signin.session import Cookies, Session
from booking_gateway.words.words import Words

BUDI, SARI = "0198d2a0-1111-7000-8000-000000000001", "0198d2a0-1111-7000-8000-000000000002"
EVENT = {
    "id": "0198d2a0-1111-7000-8000-0000000000aa", "title": "Sesi konsultasi", "start": "2026-12-07T02:00:00Z",
    "end": "2026-12-07T03:00:00Z", "status": "scheduled", "practitioner_id": BUDI, "practitioner_name": "Budi",
    "user_id": SARI, "member_name": "Sari <b>", "timezone": "Asia/Jakarta", "version": 4,
    "meeting_link": "https://meet.google.com/abc-defg-hij",
}  # fmt: skip
EAST = Words("en", zone("Asia/Makassar"))


def somebody(sub: str, *roles: str) -> Session:
    later = time.time() + 600
    return Session(sub, "Budi", roles, "token", None, later, later, "en", "Asia/Makassar")


@pytest.fixture
def service():
    """What stands for the services: every list has one event or nothing, and what was asked is counted."""
    asked: Counter[str] = Counter()

    class Service(BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.partition("?")[0]
            asked[path] += 1
            body = json.dumps({"items": [EVENT] if path.endswith("events") else [], "next_cursor": None}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):  # noqa: A002 - the library's word
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("roles", [("member",), ("practitioner",)])
async def test_month__takes_one_call_of_each_service(service, roles):
    address, asked = service
    given = {"calendar_url": address, "consultation_url": address, "metrics_urls": NOWHERE}
    lines = Cookies(settings_for()).write(somebody(BUDI, *roles), {})
    async with gateway(**given) as client:
        sent = "; ".join(one.split(";")[0] for one in lines)
        answer = await client.get("/calendar?month=2026-12", headers={"Cookie": sent})
    assert answer.status_code == 200
    expected = {"/v1/calendar/events": 1} | ({"/v1/sessions": 1} if "practitioner" in roles else {})
    assert dict(asked) == expected
    found = re.search(r"data-events='([^']*)'", answer.text)
    assert found
    assert "<b>" not in found[1], "a name is no markup"
    assert json.loads(unescape(found[1])) == [drawn(EVENT, somebody(BUDI), EAST)]
    assert "10:00 Sari &lt;b&gt;" in answer.text, "without JavaScript"


def test_drawn__is_in_the_viewers_zone_and_can_be_moved_by_its_practitioner_alone():
    mine = drawn(EVENT, somebody(BUDI, "practitioner"), EAST)
    assert (mine["title"], mine["start"], mine["end"]) == ("Sari <b>", "2026-12-07T10:00:00", "2026-12-07T11:00:00")
    assert (mine["editable"], mine["extendedProps"]["version"], mine["extendedProps"]["holds"]) == (True, 4, True)
    theirs = drawn(EVENT, somebody(SARI, "member", "practitioner"), EAST)
    assert (theirs["title"], theirs["editable"]) == ("Budi", False)


@pytest.mark.parametrize(
    ("status", "editable", "holds"),
    [("on_progress", False, True), ("completed", False, False), ("canceled", False, False), ("failed", False, False)],
)
def test_drawn__says_a_status_that_is_not_plain_and_is_not_moved(status, editable, holds):
    event = drawn({**EVENT, "status": status}, somebody(BUDI, "practitioner"), EAST)
    assert event["title"].startswith("Sari <b> · ")
    assert (event["editable"], event["extendedProps"]["holds"]) == (editable, holds)


def test_typed__times_are_two_instants_once_they_mean_something():
    typed = {"key": "k", "scheduled_date": "2026-12-07", "time_start": "23:30", "time_end": "00:30"}
    form = ScheduleForm(**typed, timezone="Asia/Jakarta")
    assert form.times() == (datetime(2026, 12, 7, 16, 30, tzinfo=UTC), datetime(2026, 12, 7, 17, 30, tzinfo=UTC))
    for name, value in (("timezone", "Asia/Nowhere"), ("time_end", ""), ("scheduled_date", "9999-12-31")):
        assert form.model_copy(update={name: value}).times() is None
