"""The notifier over HTTP: rights, lists, resend, preferences and Meta's webhook (api.md, N2, E1, T1, T22)."""

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from prometheus_client import REGISTRY
from services.notifier.tests.given import Case, now
from services.notifier.tests.integration.conftest import Running
from services.notifier.tests.providers import Misdeed

from booking_contracts.directory import PersonPreferences
from booking_contracts.topics import PREFERENCES
from booking_web.application import create_app
from booking_web.testing import Issuer
from notifier.app import build
from notifier.people import PUBLISHED
from notifier.sending.record import recover
from notifier.whatsapp.webhook import MOST_TRIES

pytestmark = pytest.mark.servers


@dataclass
class Served:
    """A notifier with its HTTP interface."""

    running: Running
    http: httpx2.AsyncClient
    issuer: Issuer

    async def call(self, method: str, path: str, *roles: str, sub: Any = None, **more: Any) -> httpx2.Response:
        headers = {**self.issuer.bearer(*roles, sub=sub), **more.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **more)

    async def webhook(
        self, status: str, row: dict[str, Any], *, wamid: str | None = None, code: int | None = None
    ) -> Any:
        entry: dict[str, Any] = {
            "id": wamid or row["provider_message_id"] or "wamid.unknown",
            "status": status,
            "timestamp": str(int(time.time())),
            "biz_opaque_callback_data": str(row["id"]),
        }
        if code is not None:
            entry["errors"] = [{"code": code}]
        raw = json.dumps({"entry": [{"changes": [{"value": {"statuses": [entry]}}]}]}).encode()
        return await self.http.post("/v1/whatsapp/webhook", content=raw, headers=signed(raw))


def signed(raw: bytes, secret: str = "secret") -> dict[str, str]:
    return {"X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()}


Serve = Callable[..., Awaitable[Served]]


@pytest.fixture
async def serve(notifier) -> AsyncIterator[Serve]:
    """`await serve(sending=False)`: a notifier and a client of its interface."""
    async with AsyncExitStack() as stack:

        async def serve(**options: Any) -> Served:
            running = await notifier(**options)
            service = build(running.settings)
            app = create_app(service, mode="api")
            stack.push_async_callback(service.database.close)
            issuer = Issuer.install(app, running.settings)
            transport = httpx2.ASGITransport(app=app)
            http = await stack.enter_async_context(httpx2.AsyncClient(transport=transport, base_url="http://notifier"))
            return Served(running, http, issuer)

        yield serve


# The ledger -----------------------------------------------------------------------------------------------------------


async def test_list__people_see_their_own_and_admins_see_all(serve):
    """E1, T1."""
    case, served = Case(), await serve(sending=False)
    await served.running.tell(*case.contacts(), case.created(), case.paid(), case.requested(), case.needs_review())
    own = (await served.call("GET", "/v1/notifications", "member", sub=case.member)).json()["items"]
    assert {item["recipient_id"] for item in own} == {str(case.member)}
    assert {item["template"] for item in own} == {"transaction_paid"}
    every = (await served.call("GET", "/v1/notifications", "admin")).json()["items"]
    assert {item["recipient_id"] for item in every} == {str(case.member), str(case.practitioner), "admins"}
    assert (await served.call("GET", "/v1/notifications", "member")).json() == {"items": [], "next_cursor": None}
    foreign = await served.call("GET", f"/v1/notifications?recipient_id={case.member}", "member")
    assert foreign.json()["items"] == []
    chosen = await served.call("GET", "/v1/notifications?recipient_id=admins&channel=email&status=pending", "admin")
    assert {item["recipient_id"] for item in chosen.json()["items"]} == {"admins"}
    assert "budi" not in json.dumps(every).lower(), "no contact data"


async def test_list__pages_newest_first_without_repeats(serve):
    """api.md, lists."""
    case, served = Case(), await serve(sending=False)
    await served.running.tell(case.requested(), case.scheduled(), case.rescheduled(), case.canceled())
    seen, cursor = [], ""
    while True:
        page = (await served.call("GET", f"/v1/notifications?limit=3{cursor}", "admin")).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) == len(await served.running.ledger())


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=0", 422),
        ("limit=201", 422),
        ("limit=1e9", 422),
        ("cursor=nonsense", 422),
        ("status=lost", 422),
        ("recipient_id=x", 422),
        ("session_id=1", 422),
    ],
)
async def test_list__a_bad_query_is_refused(serve, query, status):
    """T6: never a 500."""
    served = await serve(sending=False)
    assert (await served.call("GET", f"/v1/notifications?{query}", "admin")).status_code == status


async def test_one__is_there_for_its_recipient_and_admins_alone(serve):
    """E1: what is not theirs does not exist."""
    case, served = Case(), await serve(sending=False)
    await served.running.tell(case.created(), case.paid())
    row = (await served.running.ledger())[0]
    path = f"/v1/notifications/{row['id']}"
    found = await served.call("GET", path, "member", sub=case.member)
    assert found.status_code == 200
    assert found.headers["ETag"].startswith('"1.')
    assert found.json() | {"status": "pending", "attempts": 0} == found.json()
    assert (await served.call("GET", path, "member")).status_code == 404
    assert (await served.call("GET", path, "admin")).status_code == 200
    assert (await served.http.get(path)).status_code == 401


async def test_resend__an_admin_sends_a_failed_message_again(serve):
    """N5: recorded, shown to admins, and theirs to send again once the address is right."""
    case, served = Case(), await serve()
    await served.running.tell(
        case.contact(case.member, email="not an address", phone=None), case.created(), case.paid()
    )
    (row,) = await served.running.settled(channel="email")
    assert row["state"] == "failed"
    await served.running.tell(case.contact(case.member, email="right@example.com"))
    path = f"/v1/notifications/{row['id']}/resend"
    assert (await served.call("POST", path, "member", sub=case.member)).status_code == 403
    key = {"Idempotency-Key": "k1"}
    first = await served.call("POST", path, "admin", sub=case.practitioner, headers=key)
    assert (first.status_code, first.json()["status"]) == (200, "pending")
    await served.running.until(lambda: served.running.inbox.to("right@example.com"))
    again = await served.call("POST", path, "admin", sub=case.practitioner, headers=key)
    assert again.status_code == 200
    (row,) = await served.running.settled(channel="email")
    assert row["state"] == "sent"
    assert len(served.running.inbox.mails) == 1


async def test_resend__what_is_on_its_way_or_unknown_is_refused(serve):
    """api.md: 409, 404, 412."""
    case, served = Case(), await serve(sending=False)
    await served.running.tell(case.created(), case.paid())
    row = (await served.running.ledger())[0]
    waiting = await served.call("POST", f"/v1/notifications/{row['id']}/resend", "admin")
    assert (waiting.status_code, waiting.json()["code"], waiting.json()["current_status"]) == (
        409,
        "wrong_status",
        "pending",
    )
    assert (await served.call("POST", f"/v1/notifications/{uuid4()}/resend", "admin")).status_code == 404
    stale = await served.call("POST", f"/v1/notifications/{row['id']}/resend", "admin", headers={"If-Match": '"7"'})
    assert stale.status_code == 412


async def test_consistency_token__the_list_waits_or_refuses(serve):
    """api.md: never silently stale."""
    from booking_web.consistency import ConsistencyToken

    case, served = Case(), await serve(sending=False)
    await served.running.tell(case.requested())
    for version, status in ((1, 200), (2, 503)):
        token = ConsistencyToken("consultation", "session", str(case.session), version).encode()
        found = await served.call("GET", "/v1/notifications?wait=0.2", "admin", headers={"Consistency-Token": token})
        assert found.status_code == status


# Preferences ----------------------------------------------------------------------------------------------------------


async def test_preferences__have_defaults_and_are_ones_own(serve):
    """N2."""
    served, me = await serve(sending=False), uuid4()
    first = await served.call("GET", "/v1/preferences", "member", sub=me)
    assert first.json() == {"channels": {"email": True, "whatsapp": True}, "version": 0}
    body = {"channels": {"email": True, "whatsapp": False}}
    put = await served.call("PUT", "/v1/preferences", "member", sub=me, json=body, headers={"If-Match": '"0"'})
    assert (put.status_code, put.json(), put.headers["ETag"]) == (200, {**body, "version": 1}, '"1"')
    assert (await served.call("GET", "/v1/preferences", "member", sub=me)).json() == {**body, "version": 1}
    assert (await served.call("GET", "/v1/preferences", "member")).json()["version"] == 0
    stale = await served.call("PUT", "/v1/preferences", "member", sub=me, json=body, headers={"If-Match": '"0"'})
    assert stale.status_code == 412


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"channels": {"email": True}},
        {"channels": {"email": True, "whatsapp": True}, "locale": "id"},
        {"channels": {"email": True, "whatsapp": True, "sms": True}},
        {"channels": {"email": True, "whatsapp": True}, "version": 9},
    ],
)
async def test_preferences__what_is_not_meant_is_refused(serve, body):
    """T5."""
    served = await serve(sending=False)
    assert (await served.call("PUT", "/v1/preferences", "member", json=body)).status_code == 422


async def test_preferences__waiting_timers_follow_them(serve):
    """N2: a reminder written down long before leaves by the channels that are wanted when it leaves."""
    case, served = Case(), await serve(sending=False)
    await served.running.tell(*case.contacts(), case.scheduled(now() + timedelta(days=3)))
    only_mail = {"channels": {"email": True, "whatsapp": False}}
    both = {"channels": {"email": True, "whatsapp": True}}
    await served.call("PUT", "/v1/preferences", "member", sub=case.member, json=only_mail)
    await served.running.tell(case.rescheduled(now() + timedelta(days=4)))
    waiting = {"recipient_id": case.member, "template": "reminder_1h", "state": "pending"}
    assert {r["channel"] for r in await served.running.ledger(**waiting)} == {"email"}
    await served.call("PUT", "/v1/preferences", "member", sub=case.member, json=both)
    assert {r["channel"] for r in await served.running.ledger(**waiting)} == {"email", "whatsapp"}


@pytest.mark.parametrize(("on", "off"), [("email", "whatsapp"), ("whatsapp", "email")])
async def test_preferences__reminders_of_somebody_who_wanted_none_come_once_a_channel_is_on(notifier, serve, on, off):
    """N1, N2: both channels off when the session is set; a reminder leaves by what is wanted when it is due."""
    case, served = Case(), await serve(sending=False)
    neither = {"channels": {"email": False, "whatsapp": False}}
    await served.call("PUT", "/v1/preferences", "member", sub=case.member, json=neither)
    await served.running.tell(*case.contacts(), case.scheduled(now() + timedelta(hours=3)))
    assert await served.running.ledger(recipient_id=case.member, template="session_scheduled") == []
    one = {"channels": {on: True, off: False}}
    await served.call("PUT", "/v1/preferences", "member", sub=case.member, json=one)
    await served.running.execute_as_owner("UPDATE notification SET not_before = now() WHERE template = 'reminder_1h'")
    await notifier.begin(served.running)
    rows = await served.running.until(
        lambda: both_settled(served.running, recipient_id=case.member, template="reminder_1h")
    )
    assert rows == {on: ("sent", None), off: ("skipped", "channel_off")}


async def both_settled(running, **where):
    rows = await running.ledger(**where)
    return all(r["state"] in ("sent", "skipped") for r in rows) and {
        r["channel"]: (r["state"], r["reason"]) for r in rows
    }


async def test_preferences__of_an_erased_person_are_not_written_again(serve):
    """E4."""
    case, served = Case(), await serve(sending=False)
    await served.running.tell(case.erased(case.member))
    body = {"channels": {"email": True, "whatsapp": True}}
    refused = await served.call("PUT", "/v1/preferences", "member", sub=case.member, json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "person_erased")


async def test_preferences__are_published_with_each_choice_and_end_in_a_tombstone(serve):
    """N2, E4: what a choice and an erasure leave for the relay."""
    case, served = Case(), await serve(sending=False)

    async def told() -> list[tuple[int, Any]]:
        """Version and value of what the relay would send now; the marks are taken away, as it does."""
        marks = await served.running.query("DELETE FROM outbox WHERE topic = %s RETURNING key", PREFERENCES.name)
        async with served.running.database.autocommit() as conn:
            found = await conn.execute(PUBLISHED.query.encode(), {"keys": [mark["key"] for mark in marks]})
            rows = [(row[1], row[3]) for row in await found.fetchall()]
        return [(version, value and PersonPreferences.model_validate_json(value)) for version, value in rows]

    async def choose(*, whatsapp: bool, **headers: str) -> int:
        body = {"channels": {"email": True, "whatsapp": whatsapp}}
        answer = await served.call("PUT", "/v1/preferences", "member", sub=case.member, json=body, headers=headers)
        return answer.status_code

    def chosen(*, whatsapp: bool) -> PersonPreferences:
        return PersonPreferences(person_id=case.member, email=True, whatsapp=whatsapp)

    assert (await choose(whatsapp=False), await told()) == (200, [(1, chosen(whatsapp=False))])
    assert (await choose(whatsapp=True), await told()) == (200, [(2, chosen(whatsapp=True))])
    assert (await choose(whatsapp=False, **{"If-Match": '"1"'}), await told()) == (412, []), (
        "nothing changed, nothing is told"
    )
    await served.running.tell(case.erased(case.member))
    assert await told() == [(3, None)]
    left = (await served.call("GET", "/v1/preferences", "member", sub=case.member)).json()
    assert left == {"channels": {"email": True, "whatsapp": True}, "version": 0}


# Meta's webhook -------------------------------------------------------------------------------------------------------


def one_status(status: Any) -> Any:
    return {"entry": [{"changes": [{"value": {"statuses": [status]}}]}]}


def refuses_us() -> bool:
    return REGISTRY.get_sample_value("notifier_provider_refuses_us", {"channel": "whatsapp"}) == 1


async def no_refusal(running) -> bool:
    return await running.query("SELECT 1 FROM refusal") == []


async def ask_now(running) -> None:
    """The pauses are over: one message may ask."""
    await running.execute_as_owner("UPDATE refusal SET not_before = now()")
    await running.execute_as_owner("UPDATE notification SET not_before = now() WHERE state = 'pending'")


async def sent_by_whatsapp(served):
    case = Case()
    await served.running.tell(case.contact(case.member, email=None), case.created(), case.paid())
    where = {"recipient_id": case.member, "channel": "whatsapp", "state": "sent"}
    return (await served.running.until(lambda: served.running.ledger(**where)))[0]


async def test_webhook__handshake_needs_the_verify_token(serve):
    """api.md: `hub.challenge`."""
    served = await serve(sending=False)
    query = {"hub.mode": "subscribe", "hub.verify_token": "verify", "hub.challenge": "1158201444"}
    right = await served.http.get("/v1/whatsapp/webhook", params=query)
    assert (right.status_code, right.text) == (200, "1158201444")
    assert right.headers["content-type"].startswith("text/plain")
    for wrong in ({"hub.verify_token": "other"}, {"hub.verify_token": ""}, {"hub.mode": "unsubscribe"}):
        assert (await served.http.get("/v1/whatsapp/webhook", params={**query, **wrong})).status_code == 403


async def test_webhook__only_the_exact_bytes_signed_by_our_secret_count(serve):
    """T22, F76."""
    served = await serve(sending=False)
    raw = b'{"entry": []}'
    post = served.http.post
    assert (await post("/v1/whatsapp/webhook", content=raw, headers=signed(raw))).status_code == 200
    for headers in (
        {},
        signed(raw, "other"),
        {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature-256": "sha256=é"},
        signed(raw + b" "),
    ):
        as_bytes = {name: value.encode() for name, value in headers.items()}
        assert (await post("/v1/whatsapp/webhook", content=raw, headers=as_bytes)).status_code == 401
    assert (await post("/v1/whatsapp/webhook", content=b"{nope", headers=signed(b"{nope"))).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        [],
        1,
        {"entry": 1},
        {"entry": [1, None, {"changes": "x"}]},
        one_status(None),
        one_status({"status": 7}),
        one_status({"status": "sent", "id": 10**30, "timestamp": "x" * 99, "errors": {}}),
        one_status(
            {"status": "failed", "timestamp": "9" * 30, "errors": [{"code": "x"}], "biz_opaque_callback_data": "\x00"}
        ),
    ],
)
async def test_webhook__genuine_nonsense_harms_nothing(serve, body):
    """T28: replies are untrusted; never a 500."""
    served = await serve(sending=False)
    raw = json.dumps(body).encode()
    found = await served.http.post("/v1/whatsapp/webhook", content=raw, headers=signed(raw))
    assert found.status_code == (200 if isinstance(body, dict) else 400)


async def test_webhook__statuses_move_a_message_forward_only(serve):
    """F84: statuses come unordered and twice."""
    served = await serve()
    row = await sent_by_whatsapp(served)
    for status, state in (
        ("delivered", "delivered"),
        ("sent", "delivered"),
        ("failed", "delivered"),
        ("read", "delivered"),
    ):
        assert (await served.webhook(status, row, code=131026 if status == "failed" else None)).status_code == 200
        (found,) = await served.running.ledger(id=row["id"])
        assert found["state"] == state


async def test_webhook__a_failure_after_acceptance_is_recorded(serve):
    """F84, N5: 131026 arrives by webhook."""
    served = await serve()
    row = await sent_by_whatsapp(served)
    await served.webhook("failed", row, code=131026)
    (found,) = await served.running.ledger(id=row["id"])
    assert (found["state"], found["reason"]) == ("failed", "whatsapp_131026")


async def test_webhook__after_a_failure_a_late_sent_changes_nothing_and_a_delivery_wins(serve):
    """F84: Meta's statuses overtake each other; what a phone has shown was not lost."""
    served = await serve()
    row = await sent_by_whatsapp(served)
    for status, state, code in (
        ("failed", "failed", 131026),
        ("sent", "failed", None),
        ("delivered", "delivered", None),
        ("failed", "delivered", 131026),
        ("sent", "delivered", None),
    ):
        assert (await served.webhook(status, row, code=code)).status_code == 200
        (found,) = await served.running.ledger(id=row["id"])
        assert found["state"] == state, status
    assert found["reason"] is None


async def test_webhook__a_passing_failure_after_acceptance_is_tried_again(serve):
    """F84: 131056 by webhook; an old attempt's failure says nothing of the new one."""
    served = await serve()
    row = await sent_by_whatsapp(served)
    await served.webhook("failed", row, code=131056)
    (found,) = await served.running.ledger(id=row["id"])
    assert (found["state"], found["reason"]) == ("pending", "whatsapp_131056")
    await served.running.execute_as_owner("UPDATE notification SET not_before = now() WHERE id = %s", row["id"])
    (found,) = await served.running.until(lambda: served.running.ledger(id=row["id"], state="sent"))
    await served.webhook("failed", row, code=131026)
    (found,) = await served.running.ledger(id=row["id"])
    assert found["state"] == "sent"


@pytest.mark.parametrize("code", [131031, 131042, 131048, 190])
async def test_webhook__a_failure_about_our_account_stops_the_channel_until_a_message_gets_through(serve, code):
    """N5, F84: accepted and then failed proves nothing; one message at a time asks, nobody's is lost or spent."""
    served = await serve()
    running = served.running
    first = await sent_by_whatsapp(served)
    await served.webhook("failed", first, code=code)
    (found,) = await running.ledger(id=first["id"])
    assert (found["state"], found["reason"]) == ("pending", f"whatsapp_{code}")
    await running.until(refuses_us)
    case, asked = Case(), running.meta.asked
    await running.tell(case.contact(case.member, email=None, phone="+6281111111111"), case.created(), case.paid())
    await ask_now(running)
    (probe,) = await running.until(lambda: running.ledger(channel="whatsapp", state="sent"))
    assert running.meta.asked == asked + 1, "one asks, the other waits"
    await served.webhook("failed", probe, code=code)
    assert await running.ledger(channel="whatsapp", state="sent") == []
    assert running.meta.asked == asked + 1
    assert refuses_us()
    await ask_now(running)
    (probe,) = await running.until(lambda: running.ledger(channel="whatsapp", state="sent"))
    await served.webhook("delivered", probe)
    await running.execute_as_owner("UPDATE notification SET not_before = now() WHERE state = 'pending'")
    rows = await running.settled(channel="whatsapp")
    assert {row["state"] for row in rows} == {"sent", "delivered"}
    await running.until(lambda: not refuses_us())


async def test_webhook__sent_and_no_failure_for_a_while_heals_the_channel_too(serve):
    """A phone may be off for days: its message was sent all the same. What is told of an older one proves nothing."""
    served = await serve()
    running = served.running
    older, first = await sent_by_whatsapp(served), await sent_by_whatsapp(served)
    await served.webhook("failed", first, code=131042)
    await served.webhook("delivered", older)
    assert await running.query("SELECT 1 FROM refusal WHERE heals_at IS NULL")
    await ask_now(running)
    (probe,) = await running.until(lambda: running.ledger(id=first["id"], state="sent"))
    await served.webhook("sent", probe)
    await running.execute_as_owner("UPDATE refusal SET heals_at = now() WHERE heals_at IS NOT NULL")
    await running.until(lambda: no_refusal(running))


async def test_webhook__a_passing_failure_that_never_passes_has_an_end(serve):
    """I11: so many tries, later and later, then `failed`."""
    served = await serve()
    first = await sent_by_whatsapp(served)
    for attempt in range(1, MOST_TRIES + 1):
        (row,) = await served.running.until(lambda: served.running.ledger(id=first["id"], state="sent"))
        assert row["attempts"] == attempt
        await served.webhook("failed", row, code=131000)
        await served.running.execute_as_owner(
            "UPDATE notification SET not_before = now() WHERE id = %s AND state = 'pending'", first["id"]
        )
    (row,) = await served.running.ledger(id=first["id"])
    assert (row["state"], row["reason"], row["attempts"]) == ("failed", "whatsapp_131000", MOST_TRIES)


async def test_webhook__our_accounts_trouble_that_lasts_is_given_up_and_recorded(serve):
    """I11, N5: as long as any other "not now" is borne."""
    served = await serve(give_up_after_seconds=60)
    row = await sent_by_whatsapp(served)
    await served.running.execute_as_owner(
        "UPDATE notification SET due_at = due_at - interval '2 min', queued_at = queued_at - interval '2 min'"
    )
    await served.webhook("failed", row, code=131031)
    (row,) = await served.running.ledger(id=row["id"])
    assert (row["state"], row["reason"]) == ("failed", "whatsapp_131031")


async def test_webhook__a_failure_without_a_code_is_final(serve):
    served = await serve()
    row = await sent_by_whatsapp(served)
    await served.webhook("failed", row)
    (row,) = await served.running.ledger(id=row["id"])
    assert (row["state"], row["reason"]) == ("failed", "whatsapp_failed")


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize(("code", "state"), [(131026, "failed"), (131056, "pending")])
async def test_webhook__a_failure_told_before_the_answer_is_no_less_true(serve, code, state, cut):
    """F84, F85, N5: statuses have no order with the call's own answer, which may also be lost."""
    served = await serve(whatsapp_ambiguous_wait_seconds=600)
    meta, case = served.running.meta, Case()

    async def failed_at_once() -> None:
        (row,) = await served.running.ledger(channel="whatsapp", state="sending")
        assert (await served.webhook("failed", row, wamid="wamid.1", code=code)).status_code == 200

    meta.before_answer, meta.script = failed_at_once, [Misdeed(cut_after_accept=True)] if cut else []
    await served.running.tell(case.contact(case.member, email=None), case.created(), case.paid())
    (row,) = await served.running.until(lambda: served.running.ledger(channel="whatsapp", state=state, attempts=1))
    assert (row["reason"], row["ambiguities"]) == (f"whatsapp_{code}", 0)
    if state == "pending":
        meta.before_answer = None
        await served.running.execute_as_owner("UPDATE notification SET not_before = now() WHERE id = %s", row["id"])
        (row,) = await served.running.until(lambda: served.running.ledger(channel="whatsapp", state="sent"))
        assert (row["attempts"], row["provider_message_id"]) == (2, "wamid.2")


async def test_webhook__an_older_attempts_failure_says_nothing_of_the_one_under_way(serve):
    """F84: an admin sent it again, and Meta repeats what became of the first."""
    served = await serve()
    first = await sent_by_whatsapp(served)
    await served.webhook("failed", first, code=131026)

    async def repeated() -> None:
        await served.webhook("failed", first, code=131026)

    served.running.meta.before_answer = repeated
    assert (await served.call("POST", f"/v1/notifications/{first['id']}/resend", "admin")).status_code == 200
    for sender in served.running.senders:
        sender.wake()
    (row,) = await served.running.until(lambda: served.running.ledger(id=first["id"], state="sent"))
    assert (row["attempts"], row["provider_message_id"]) == (2, "wamid.2")


async def test_webhook__a_failure_told_to_a_worker_that_died_is_no_less_true(serve):
    """F86: the recovery finds Meta's word and asks nobody again."""
    served = await serve(sending=False)
    case = Case()
    await served.running.tell(case.contact(case.member, email=None), case.created(), case.paid())
    (row,) = await served.running.ledger(channel="whatsapp")
    await served.running.execute_as_owner(
        "UPDATE notification SET state = 'sending', attempts = 1, sending_until = now() WHERE id = %s", row["id"]
    )
    await served.webhook("failed", row, wamid="wamid.1", code=131026)
    async with served.running.database.transaction() as conn:
        policy = served.running.settings.retry_policy(ambiguous_wait=600)
        assert await recover(conn, "whatsapp", [], policy) == 1
    (row,) = await served.running.ledger(id=row["id"])
    assert (row["state"], row["reason"], row["ambiguities"]) == ("failed", "whatsapp_131026", 0)


async def test_webhook__a_lost_answer_is_found_by_our_own_id_and_nothing_is_sent_again(serve):
    """F85: matched by `biz_opaque_callback_data` before any resend."""
    served = await serve(whatsapp_ambiguous_wait_seconds=60)
    served.running.meta.script = [Misdeed(cut_after_accept=True)]
    case = Case()
    await served.running.tell(case.contact(case.member, email=None), case.created(), case.paid())
    (row,) = await served.running.until(lambda: served.running.ledger(channel="whatsapp", state="ambiguous"))
    await served.webhook("sent", row, wamid="wamid.1")
    (row,) = await served.running.ledger(id=row["id"])
    assert (row["state"], row["provider_message_id"]) == ("sent", "wamid.1")
    other = Case()
    await served.running.tell(other.contact(other.member, phone="+6281111111111"), other.created(), other.paid())
    await served.running.until(lambda: len(served.running.meta.messages) == 2)
    assert {m["to"] for m in served.running.meta.messages} == {"6281234567890", "6281111111111"}


async def test_webhook__unknown_messages_are_taken_and_ignored(serve):
    """A shared number may send for others too."""
    served = await serve(sending=False)
    row = {"id": uuid4(), "provider_message_id": None}
    assert (await served.webhook("delivered", row)).status_code == 200


# Conditions and replays -----------------------------------------------------------------------------------------------


async def test_preferences__conditions_hold(serve):
    """RFC 9110 §13: there are always some, at version 0 until a person has chosen."""
    served, me = await serve(sending=False), uuid4()
    body = {"channels": {"email": True, "whatsapp": False}}

    async def put(**headers: str) -> httpx2.Response:
        return await served.call("PUT", "/v1/preferences", "member", sub=me, json=body, headers=headers)

    assert (await put(**{"If-None-Match": "*"})).status_code == 412
    assert (await put(**{"If-Match": "0"})).status_code == 400
    assert (await put(**{"If-Match": 'W/"0-gzip"'})).json()["version"] == 1
    assert (await put(**{"If-Match": '"0"'})).json()["current_version"] == 1
    read = await served.call("GET", "/v1/preferences", "member", sub=me)
    for tag in (read.headers["ETag"], '"1"', "*"):
        same = await served.call("GET", "/v1/preferences", "member", sub=me, headers={"If-None-Match": tag})
        assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", read.headers["ETag"])


async def test_preferences_moved_on__a_replay_is_the_first_answer_until_an_erasure(serve):
    """Promise 1, E4."""
    case, served = Case(), await serve(sending=False)
    body = {"channels": {"email": True, "whatsapp": False}}

    async def put(sent: Any, **headers: str) -> httpx2.Response:
        return await served.call("PUT", "/v1/preferences", "member", sub=case.member, json=sent, headers=headers)

    first = await put(body, **{"Idempotency-Key": "k", "If-Match": '"0"'})
    assert (await put({"channels": {"email": True, "whatsapp": True}})).json()["version"] == 2
    again = await put(body, **{"Idempotency-Key": "k", "If-Match": '"0"'})
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["ETag"] == first.headers["ETag"]
    await served.running.tell(case.erased(case.member))
    assert await served.running.query("SELECT 1 FROM idempotency WHERE sub = %s", str(case.member)) == []


async def test_message_moved_on__a_replay_of_its_resend_is_the_first_answer(serve):
    """Promise 1; the key is asked before If-Match and before the state."""
    case, served = Case(), await serve(sending=False)
    await served.running.tell(case.created(), case.paid())
    row = (await served.running.ledger())[0]
    await served.running.query("UPDATE notification SET state = 'failed' WHERE id = %s RETURNING id", row["id"])
    path, admin = f"/v1/notifications/{row['id']}/resend", uuid4()
    headers = {"Idempotency-Key": "k", "If-Match": f'"{row["version"]}"'}
    first = await served.call("POST", path, "admin", sub=admin, headers=headers)
    assert (first.status_code, first.json()["version"]) == (200, row["version"] + 1)
    await served.running.query(
        "UPDATE notification SET state = 'sent', version = version + 1 WHERE id = %s RETURNING id", row["id"]
    )
    again = await served.call("POST", path, "admin", sub=admin, headers=headers)
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["ETag"] == first.headers["ETag"]
