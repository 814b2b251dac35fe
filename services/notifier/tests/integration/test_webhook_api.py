"""Webhooks over HTTP: who may, what is shown once, what an admin can undo (api.md, T1, T34)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from services.notifier.tests.given import Case
from services.notifier.tests.integration.conftest import Running
from standardwebhooks import Webhook
from tests.rigs.service import Caller

from booking_web.application import create_app
from booking_web.testing import Issuer
from notifier.app import build
from notifier.webhooks.endpoints import MOST_ENDPOINTS

pytestmark = pytest.mark.servers

PATH = "/v1/webhook-endpoints"
WANTED = {
    "url": "https://gateway.example.com/hooks",
    "event_types": ["com.booking.checkout.TransactionCreated.v1", "com.booking.checkout.TransactionPaid.v2"],
    "description": "The gateway",
}


class Api(Caller):
    """An admin of a notifier that sends nothing, and the notifier."""

    running: Running
    member: Caller

    async def made(self, **other: Any) -> dict[str, Any]:
        answer = await self.post(PATH, WANTED | other)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def delivery(self, endpoint: dict[str, Any]) -> dict[str, Any]:
        return (await self.post(f"{PATH}/{endpoint['id']}/test")).json()

    async def row(self, delivery: dict[str, Any]) -> dict[str, Any]:
        (row,) = await self.running.query("SELECT * FROM webhook_delivery WHERE id = %s", delivery["id"])
        return row


@pytest.fixture
async def api(notifier) -> AsyncIterator[Callable[..., Awaitable[Api]]]:
    """`await api()`: a notifier's interface as an admin calls it."""
    async with AsyncExitStack() as stack:

        async def start(**options: Any) -> Api:
            running = await notifier(sending=False, **options)
            service = build(running.settings)
            app = create_app(service, mode="api")
            stack.push_async_callback(service.database.close)
            issuer = Issuer.install(app, running.settings)
            transport = httpx2.ASGITransport(app=app)
            http = await stack.enter_async_context(httpx2.AsyncClient(transport=transport, base_url="http://notifier"))
            people = {role: uuid4() for role in ("admin", "member")}
            made = Api(http, issuer.bearer("admin", sub=people["admin"]), people["admin"])
            made.running = running
            made.member = Caller(http, issuer.bearer("member", sub=people["member"]), people["member"])
            return made

        yield start


async def test_created__the_secret_is_shown_there_and_nowhere_else(api):
    admin = await api()
    answer = await admin.post(PATH, WANTED, Idempotency_Key="k1")
    made = answer.json()
    assert answer.status_code == 201
    assert Webhook(made["secret"])
    assert {name: made[name] for name in WANTED} == WANTED
    assert (made["status"], made["version"]) == ("enabled", 1)
    again = await admin.post(PATH, WANTED, Idempotency_Key="k1")
    assert (again.status_code, again.json()) == (201, made), "the first answer, whoever lost it"
    found = await admin.get(f"{PATH}/{made['id']}")
    assert found.json() == {name: value for name, value in made.items() if name != "secret"}
    (listed,) = (await admin.get(PATH)).json()["items"]
    assert listed == found.json()


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"url": "http://gateway.example.com/hooks"}, "/url"),
        ({"url": "https://10.0.0.1/hooks"}, "/url"),
        ({"url": "https://[::ffff:169.254.169.254]/"}, "/url"),
        ({"url": "https://me@gateway.example.com/"}, "/url"),
        ({"event_types": []}, "/event_types"),
        ({"event_types": ["com.booking.directory.PersonContact.v1"]}, "/event_types/0"),
        ({"event_types": WANTED["event_types"] * 2}, "/event_types"),
        ({"secret": "whsec_mine"}, "/secret"),
    ],
)
async def test_what_cannot_be__is_refused_and_named(api, wrong, pointer):
    admin = await api()
    refused = await admin.post(PATH, WANTED | wrong)
    assert refused.status_code == 422, refused.text
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    assert (await admin.get(PATH)).json()["items"] == []


async def test_private_target__where_the_setting_allows_it(api):
    admin = await api(webhook_allow_private=True)
    assert (await admin.made(url="http://127.0.0.1:4000/hooks"))["url"] == "http://127.0.0.1:4000/hooks"


async def test_others_than_admins__are_refused(api):
    admin = await api()
    made = await admin.made()
    delivery = await admin.delivery(made)
    for method, path in (
        ("GET", PATH),
        ("GET", f"{PATH}/{made['id']}"),
        ("DELETE", f"{PATH}/{made['id']}"),
        ("POST", f"{PATH}/{made['id']}/test"),
        ("GET", "/v1/webhook-deliveries"),
        ("GET", f"/v1/webhook-deliveries/{delivery['id']}"),
        ("POST", f"/v1/webhook-deliveries/{delivery['id']}/resend"),
    ):
        assert (await admin.member.call(method, path)).status_code == 403, path


async def test_change__needs_the_version_that_was_read(api):
    admin = await api()
    made = await admin.made()
    path, wanted = f"{PATH}/{made['id']}", {**WANTED, "url": "https://other.example.com/", "status": "disabled"}
    stale = await admin.put(path, wanted, If_Match='"7"')
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    changed = await admin.put(path, wanted, If_Match='"1"')
    assert changed.status_code == 200
    told = changed.json()
    assert (told["url"], told["status"], told["disabled_reason"], told["version"]) == (
        "https://other.example.com/",
        "disabled",
        "by_admin",
        2,
    )
    assert told["disabled_at"] is not None
    refused = await admin.post(f"{path}/test")
    assert (refused.status_code, refused.json()["current_status"]) == (409, "disabled")
    enabled = await admin.put(path, {**wanted, "status": "enabled"})
    assert (enabled.json()["disabled_reason"], enabled.json()["disabled_at"]) == (None, None)


async def test_rotation__a_new_secret_and_until_when_the_old_one_signs(api):
    admin = await api()
    made = await admin.made()
    rotated = (await admin.post(f"{PATH}/{made['id']}/rotate-secret", {"overlap_seconds": 60})).json()
    assert rotated["secret"] != made["secret"]
    assert rotated["previous_secret_until"] is not None
    at_once = (await admin.post(f"{PATH}/{made['id']}/rotate-secret", {"overlap_seconds": 0})).json()
    assert at_once["previous_secret_until"] is None
    (row,) = await admin.running.query("SELECT secret, previous_secret FROM webhook_endpoint")
    assert row == {"secret": at_once["secret"], "previous_secret": None}


async def test_deleted__it_is_gone_with_its_secrets_and_what_waited(api):
    admin = await api()
    made = await admin.made()
    delivery = await admin.delivery(made)
    assert (await admin.call("DELETE", f"{PATH}/{made['id']}")).status_code == 204
    for path in (f"{PATH}/{made['id']}", f"/v1/webhook-deliveries/{delivery['id']}"):
        assert (await admin.get(path)).status_code == 404
    assert (await admin.get("/v1/webhook-deliveries")).json()["items"] == []
    (row,) = await admin.running.query("SELECT secret, status FROM webhook_endpoint")
    assert row == {"secret": None, "status": "deleted"}
    case = Case()
    await admin.running.tell(case.created())
    assert len(await admin.running.query("SELECT FROM webhook_delivery")) == 1, "nothing new is written down for it"


async def test_too_many__are_refused(api):
    admin = await api()
    for _ in range(MOST_ENDPOINTS):
        await admin.made()
    refused = await admin.post(PATH, WANTED)
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_endpoints")


async def test_deliveries__are_listed_by_endpoint_event_and_status_page_by_page(api):
    admin = await api()
    one, two = await admin.made(), await admin.made()
    case = Case()
    await admin.running.tell(case.created(), case.paid())
    test = await admin.delivery(one)
    pages, cursor = [], ""
    while True:
        page = (await admin.get(f"/v1/webhook-deliveries?limit=2{cursor}")).json()
        pages.append([item["id"] for item in page["items"]])
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    seen = [id_ for page in pages for id_ in page]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert seen == sorted(set(seen), reverse=True)
    assert seen[0] == test["id"]

    async def ids(query: str) -> set[str]:
        return {item["id"] for item in (await admin.get(f"/v1/webhook-deliveries?{query}")).json()["items"]}

    assert len(await ids(f"endpoint_id={two['id']}")) == 2
    assert await ids(f"webhook_id={test['webhook_id']}") == {test["id"]}
    assert await ids("status=pending") == set(seen)
    assert await ids("status=failed") == set()


async def test_delivery__is_sent_again_whatever_became_of_it(api):
    admin = await api()
    delivery = await admin.delivery(await admin.made())
    path = f"/v1/webhook-deliveries/{delivery['id']}"
    shown = (await admin.get(path)).json()
    assert (shown["type"], shown["status"], shown["log"]) == ("com.booking.notifier.WebhookTest.v1", "pending", [])
    assert shown["next_attempt_at"] is not None
    await admin.running.execute_as_owner(
        "UPDATE webhook_delivery SET status = 'failed', tries = 10, attempts = 10, reason = 'http_500'"
    )
    again = await admin.post(f"{path}/resend", Idempotency_Key="k")
    assert (again.status_code, again.json()["status"], again.json()["attempts"]) == (200, "pending", 10)
    assert again.json()["webhook_id"] == delivery["webhook_id"]
    assert (await admin.row(delivery))["tries"] == 0
    await admin.running.execute_as_owner(
        "UPDATE webhook_delivery SET status = 'sending', sending_until = now() + interval '1 minute'"
    )
    refused = await admin.post(f"{path}/resend")
    assert (refused.status_code, refused.json()["current_status"]) == (409, "sending")
    assert (await admin.post(f"/v1/webhook-deliveries/{uuid4()}/resend")).status_code == 404
