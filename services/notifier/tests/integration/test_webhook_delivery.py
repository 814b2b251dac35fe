"""Webhooks from the record to a receiver on a real socket: how often, when, with which id, and what is never lost."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from services.notifier.tests.given import Case, now
from services.notifier.tests.integration.conftest import Running
from services.notifier.tests.receivers import OK, Misdeed, Receiver, answer, receiving

from booking_contracts.decode import decode
from notifier.webhooks import endpoints
from notifier.webhooks.claim import _CLAIM, _ENDPOINTS
from notifier.webhooks.events import WebhookEventType
from notifier.webhooks.ledger import purge
from notifier.webhooks.pinned import PinnedBackend
from notifier.webhooks.post import Poster
from notifier.webhooks.schedule import DELAYS, Schedule
from notifier.webhooks.worker import WebhookSender

pytestmark = pytest.mark.servers

ALL = [one.value for one in WebhookEventType]
FOR_EVER = Schedule(delays=(3600.0,) * 5)
"""A second try comes only when a test moves the time."""


@dataclass
class Endpoint:
    """A registered endpoint and its first secret."""

    id: UUID
    secret: str


@dataclass
class Hooks:
    """A notifier that takes records, and senders of webhooks that may go anywhere."""

    running: Running
    stack: AsyncExitStack
    senders: list[WebhookSender] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def receiver(self, *script: Misdeed | bytes, **more: Any) -> Receiver:
        return await self.stack.enter_async_context(receiving(Receiver(list(script), **more)))

    def begin(self, *, schedule: Schedule = FOR_EVER, deadline: float = 20.0, backend: Any = None) -> None:
        """One more sender at work."""
        poster = Poster(backend or PinnedBackend(permitted=lambda _: True), deadline=deadline)
        quick = replace(schedule, first_pause=0.0, longest_pause=0.0, recover_every=0.1)
        sender = WebhookSender(poster, database=self.running.database, schedule=quick)
        self.senders.append(sender)
        self.tasks.append(asyncio.create_task(sender.run(self.stop)))

    async def kill(self) -> None:
        """As SIGKILL would: nothing is recorded, nothing told."""
        for sender in self.senders:
            for task in [*sender._under_way.values(), *self.tasks]:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await sender.close()
        self.senders.clear()
        self.tasks.clear()

    async def end(self) -> None:
        self.stop.set()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=10)
        await self.kill()

    async def register(self, url: str, types: list[str] | None = None) -> Endpoint:
        wanted = {"url": url, "event_types": types or ALL, "description": None}
        async with self.running.database.transaction() as conn:
            return Endpoint(*await endpoints.register(conn, wanted))

    async def change(self, endpoint: Endpoint, status: str) -> None:
        row = await self.endpoint(endpoint)
        wanted = {name: row[name] for name in ("url", "event_types", "description")} | {"status": status}
        async with self.running.database.transaction() as conn:
            await endpoints.change(conn, endpoint.id, wanted, was=row["status"])
        self.wake()

    async def tell(self, *records: Any) -> None:
        await self.running.tell(*records)
        self.wake()

    def wake(self) -> None:
        for sender in self.senders:
            sender.wake()

    async def time_passes(self) -> None:
        """Whatever waits for its time is due now."""
        await self.running.execute_as_owner(
            "UPDATE webhook_delivery SET not_before = clock_timestamp() WHERE status = 'pending'"
        )
        self.wake()

    async def endpoint(self, endpoint: Endpoint) -> dict[str, Any]:
        (row,) = await self.running.query("SELECT * FROM webhook_endpoint WHERE id = %s", endpoint.id)
        return row

    async def deliveries(self, **where: Any) -> list[dict[str, Any]]:
        conditions = " AND ".join(f"d.{name} = %s" for name in where) or "true"
        return await self.running.query(
            f"SELECT d.*, v.type, v.body FROM webhook_delivery d JOIN webhook_event v ON v.id = d.event_id "
            f"WHERE {conditions} ORDER BY d.id",
            *where.values(),
        )

    async def attempts(self) -> list[dict[str, Any]]:
        return await self.running.query(
            """SELECT a.*, extract(epoch FROM d.not_before - a.ended_at)::float8 AS wait
               FROM webhook_attempt a JOIN webhook_delivery d ON d.id = a.delivery_id ORDER BY a.number, a.started_at"""
        )

    async def until(self, condition: Callable[[], Awaitable[Any] | Any]) -> Any:
        return await self.running.until(condition)

    async def settled(self, tries: int, status: str = "pending") -> dict[str, Any]:
        """The one delivery, once it has had so many tries and this status."""

        async def there() -> dict[str, Any] | None:
            (row,) = await self.deliveries()
            return row if (row["attempts"], row["status"]) == (tries, status) else None

        return await self.until(there)

    async def all_delivered(self, number: int = 1) -> list[dict[str, Any]]:
        async def there() -> list[dict[str, Any]] | None:
            rows = await self.deliveries(status="delivered")
            return rows if len(rows) >= number else None

        return await self.until(there)


@pytest.fixture
async def hooks(notifier) -> AsyncIterator[Callable[..., Awaitable[Hooks]]]:
    """`await hooks()`: a notifier and a sender of webhooks (`sending=False`: none yet)."""
    async with AsyncExitStack() as stack:

        async def start(*, sending: bool = True, **options: Any) -> Hooks:
            made = Hooks(await notifier(sending=False), stack)
            stack.push_async_callback(made.end)
            if sending:
                made.begin(**options)
            return made

        yield start


# Told -----------------------------------------------------------------------------------------------------------------


async def test_event__is_posted_once_to_each_endpoint_that_wants_it(hooks):
    h, case = await hooks(), Case()
    one, two, other = await h.receiver(), await h.receiver(), await h.receiver()
    first = await h.register(one.url)
    await h.register(two.url, [WebhookEventType.TRANSACTION_CREATED])
    await h.register(other.url, [WebhookEventType.SESSION_FAILED])
    record = case.created()
    await h.tell(record)
    await h.all_delivered(2)
    (got,) = one.got
    assert got.id == two.got[0].id == str(decode(record).meta.id)
    told = got.verified(first.secret)
    assert (told["type"], told["data"]) == (WebhookEventType.TRANSACTION_CREATED, json.loads(record.value or b""))
    assert got.headers["content-type"] == "application/json"
    assert abs(int(got.headers["webhook-timestamp"]) - got.at) < 60
    assert other.got == []


async def test_type_with_a_newer_version__is_told_in_the_one_that_was_asked_for(hooks):
    h, case = await hooks(), Case()
    old, new = await h.receiver(), await h.receiver()
    asked = (
        [WebhookEventType.TRANSACTION_PAID_V1],
        [WebhookEventType.TRANSACTION_PAID_V1, WebhookEventType.TRANSACTION_PAID],
    )
    first, second = await h.register(old.url, asked[0]), await h.register(new.url, asked[1])
    await h.tell(case.created(), case.paid())
    await h.all_delivered(2)
    before, today = old.got[0].verified(first.secret), new.got[0].verified(second.secret)
    assert (before["type"], today["type"]) == (WebhookEventType.TRANSACTION_PAID_V1, WebhookEventType.TRANSACTION_PAID)
    assert today["data"].pop("settled_at")
    assert today["data"] == before["data"]
    assert (len(old.got), len(new.got), old.got[0].id) == (1, 1, new.got[0].id)


async def test_sales_sessions_and_erasures__are_told_and_nobodys_contact_data(hooks):
    """E4: what is told, and so the log of deliveries, holds ids alone."""
    h, case = await hooks(), Case()
    receiver = await h.receiver()
    await h.register(receiver.url)
    await h.tell(*case.contacts(), case.profile(), case.created(), case.requested(), case.erased(case.member))
    rows = await h.all_delivered(3)
    assert {row["type"].split(".")[-2] for row in rows} == {"TransactionCreated", "ScheduleRequested", "PersonErased"}
    everything = "".join(row["body"] for row in rows).lower()
    assert not [word for word in ("budi", "sari", "@example", "+62") if word in everything]
    assert json.loads(rows[-1]["body"])["data"] == {"person_id": str(case.member)}


async def test_record_that_comes_again__is_told_once(hooks):
    """F40, F88: also where the version rows were lost."""
    h, case = await hooks(), Case()
    receiver = await h.receiver()
    await h.register(receiver.url)
    record = case.created()
    await h.tell(record, record)
    await h.all_delivered()
    await h.running.execute_as_owner("DELETE FROM inbox")
    await h.tell(record)
    assert len(await h.deliveries()) == 1
    assert len(receiver.got) == 1


async def test_events_from_before_the_registration__are_not_told(hooks):
    h, case = await hooks(sending=False), Case()
    await h.register("http://127.0.0.1:1/", [WebhookEventType.TRANSACTION_PAID])
    await h.tell(case.created(), case.paid(now() - timedelta(hours=1)))
    assert await h.deliveries() == []


# Failing --------------------------------------------------------------------------------------------------------------


async def test_receiver_that_fails__ten_tries_in_three_days_and_then_the_endpoint_is_disabled(hooks):
    """The figures that docs/api.md promises. What is left waits, and leaves once an admin has enabled the endpoint."""
    h, case = await hooks(schedule=Schedule()), Case()
    receiver = await h.receiver(says=lambda _: answer(500))
    endpoint = await h.register(receiver.url)
    await h.tell(case.created())
    waits = []
    for number in range(1, 10):
        row = await h.settled(number)
        assert (row["reason"], row["status_code"]) == ("http_500", 500)
        waits.append((await h.attempts())[-1]["wait"])
        assert (await h.endpoint(endpoint))["status"] == "enabled"
        await h.time_passes()
    for wait, delay in zip(waits, DELAYS, strict=True):
        assert delay - 1 < wait <= 1.1 * delay
    await h.settled(10)
    found = await h.endpoint(endpoint)
    assert (found["status"], found["disabled_reason"]) == ("disabled", "failing")
    assert found["disabled_at"] is not None
    await h.until(lambda: _endpoints_shown() == (0, 0, 1))

    other = await h.receiver()
    beside = await h.register(other.url)
    await h.tell(case.assigned())
    await h.time_passes()
    await h.until(lambda: other.got)
    left = await h.deliveries(endpoint_id=endpoint.id)
    assert [row["attempts"] for row in left] == [10, 0], "nothing is sent to a disabled endpoint"
    assert len(receiver.got) == 10
    assert [row["attempts"] for row in await h.deliveries(endpoint_id=beside.id)] == [1]
    assert len(set(receiver.ids())) == 1

    receiver.says = lambda _: OK
    await h.change(endpoint, "enabled")
    await h.all_delivered(3)
    assert [row["attempts"] for row in await h.deliveries(endpoint_id=endpoint.id)] == [11, 1]
    assert (await h.endpoint(endpoint))["failing_since"] is None
    await h.until(lambda: _endpoints_shown() == (2, 0, 0))


def _endpoints_shown() -> tuple[float | None, ...]:
    name, statuses = "notifier_webhook_endpoints", ("enabled", "failing", "disabled")
    return tuple(REGISTRY.get_sample_value(name, {"status": status}) for status in statuses)


async def test_disabled_by_an_admin_and_enabled__what_waited_leaves_at_once(hooks):
    """Also what would have waited for hours more, and from the beginning of its schedule."""
    h, case = await hooks(), Case()
    receiver = await h.receiver(answer(500), answer(500))
    endpoint = await h.register(receiver.url)
    await h.tell(case.created())
    await h.settled(1)
    await h.change(endpoint, "disabled")
    await h.change(endpoint, "enabled")
    assert (await h.settled(2))["tries"] == 1
    await h.change(endpoint, "disabled")
    await h.change(endpoint, "enabled")
    await h.settled(3, "delivered")


async def test_one_delivery_that_the_receiver_will_not_have__fails_alone(hooks):
    """Others get through meanwhile: the endpoint is well, so it stays enabled."""
    h, case = await hooks(schedule=Schedule()), Case()
    refused = case.created()
    receiver = await h.receiver(says=lambda got: answer(422) if got.id == str(decode(refused).meta.id) else OK)
    endpoint = await h.register(receiver.url)
    await h.tell(refused)
    await h.settled(1)
    await h.tell(case.assigned())
    await h.all_delivered()
    for number in range(1, 10):

        async def tried(number: int = number) -> bool:
            rows = await h.deliveries()
            return rows[0]["attempts"] == number and rows[0]["status"] == "pending"

        await h.until(tried)
        await h.time_passes()

    async def failed() -> Any:
        return await h.deliveries(status="failed")

    (row,) = await h.until(failed)
    assert (row["attempts"], row["reason"]) == (10, "http_422")
    assert (await h.endpoint(endpoint))["status"] == "enabled"


async def test_receiver_that_wants_no_more__is_disabled_at_once(hooks):
    """410, as the specification says."""
    h, case = await hooks(), Case()
    receiver = await h.receiver(answer(410))
    endpoint = await h.register(receiver.url)
    await h.tell(case.created())
    await h.settled(1)
    found = await h.endpoint(endpoint)
    assert (found["status"], found["disabled_reason"]) == ("disabled", "gone")


async def test_receiver_that_asks_for_time__gets_it(hooks):
    h, case = await hooks(schedule=Schedule()), Case()
    receiver = await h.receiver(answer(503, "Retry-After: 1200"))
    await h.register(receiver.url)
    await h.tell(case.created())
    await h.settled(1)
    assert 1199 < (await h.attempts())[0]["wait"] <= 1200


@pytest.mark.parametrize(
    ("misdeed", "reason"),
    [
        (Misdeed(hangs=True), "timeout"),
        (Misdeed(b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\n1"), "cut"),
        (answer(302, "Location: http://127.0.0.1:1/"), "http_302"),
    ],
    ids=["hangs", "is cut", "redirects"],
)
async def test_receiver_that_misbehaves__is_tried_again_with_the_same_id(hooks, misdeed, reason):
    # A third of it is for the connection, which a busy machine needs too.
    h, case = await hooks(deadline=3.0), Case()
    receiver = await h.receiver(misdeed)
    endpoint = await h.register(receiver.url)
    await h.tell(case.created())
    assert (await h.settled(1))["reason"] == reason
    assert (await h.endpoint(endpoint))["failing_since"] is not None
    await h.time_passes()
    await h.settled(2, "delivered")
    assert len(receiver.ids()) == 2
    assert len(set(receiver.ids())) == 1
    assert [(one["number"], one["reason"]) for one in await h.attempts()] == [(1, reason), (2, None)]
    assert (await h.endpoint(endpoint))["failing_since"] is None


async def test_private_address__is_written_down_as_the_reason(hooks):
    """T34: a name that moves to a private address is no different (tests/unit/test_webhook_post.py)."""
    h, case = await hooks(backend=PinnedBackend()), Case()
    receiver = await h.receiver()
    await h.register(receiver.url)
    await h.tell(case.created())
    assert (await h.settled(1))["reason"] == "private_address"
    assert receiver.connections == 0


async def test_receiver_that_hangs__holds_nobody_up_and_gets_one_try_at_a_time_once_it_fails(hooks):
    h, cases = await hooks(deadline=2.5), [Case() for _ in range(12)]
    slow = await h.receiver(says=lambda _: Misdeed(hangs=True))
    quick = await h.receiver()
    await h.register(slow.url)
    await h.register(quick.url)
    await h.tell(*[case.created() for case in cases])
    await h.until(lambda: len(quick.got) == len(cases))
    begun = len(slow.got)
    over = len([one for one in await h.attempts() if one["reason"] == "timeout"])
    assert begun <= 4 + over, "the quick one was served while the slow one had at most four under way"

    async def fails() -> bool:
        return len([one for one in await h.attempts() if one["reason"] == "timeout"]) >= 4

    await h.until(fails)
    await h.until(lambda: slow.open <= 1)
    slow.most_open = 0
    before = len(slow.got)
    await h.until(lambda: len(slow.got) >= before + 3)
    assert slow.most_open == 1


# Never lost -----------------------------------------------------------------------------------------------------------


async def test_killed_between_send_and_record__delivered_again_with_the_same_id(hooks):
    h, case = await hooks(sending=False), Case()
    receiver = await h.receiver(Misdeed(hangs=True))
    await h.register(receiver.url)
    await h.tell(case.created())
    quick = replace(FOR_EVER, lease=0.3)
    h.begin(schedule=quick)
    await h.until(lambda: receiver.got)
    await h.kill()
    (row,) = await h.deliveries()
    assert row["status"] == "sending", "the try was committed before it left"
    h.begin(schedule=quick)
    row = await h.settled(2, "delivered")
    assert row["tries"] == 1, "a crash of ours costs the receiver no try"
    assert len(receiver.ids()) == 2
    assert len(set(receiver.ids())) == 1
    assert [one["reason"] for one in await h.attempts()] == ["worker_died", None]


async def test_two_senders__share_the_work(hooks):
    h, cases = await hooks(), [Case() for _ in range(20)]
    h.begin()
    receiver = await h.receiver()
    await h.register(receiver.url)
    await h.tell(*[case.created() for case in cases])
    await h.all_delivered(20)
    assert len(receiver.ids()) == len(set(receiver.ids())) == 20


# Secrets --------------------------------------------------------------------------------------------------------------


async def test_rotation__both_secrets_sign_until_the_overlap_ends(hooks):
    h, case = await hooks(), Case()
    receiver = await h.receiver()
    endpoint = await h.register(receiver.url)
    async with h.running.database.transaction() as conn:
        fresh = await endpoints.rotate(conn, endpoint.id, 3600)
    await h.tell(case.created())
    await h.all_delivered()
    assert len(receiver.got[0].headers["webhook-signature"].split()) == 2
    assert receiver.got[0].verified(endpoint.secret) == receiver.got[0].verified(fresh)
    await h.running.execute_as_owner("UPDATE webhook_endpoint SET previous_secret_until = clock_timestamp()")
    await h.tell(case.assigned())
    await h.all_delivered(2)
    assert len(receiver.got[1].headers["webhook-signature"].split()) == 1
    assert receiver.got[1].verified(fresh)


# Kept and thrown away -------------------------------------------------------------------------------------------------


async def test_old_deliveries_and_those_of_deleted_endpoints__go(hooks):
    h, case = await hooks(), Case()
    receiver = await h.receiver()
    kept, gone = await h.register(receiver.url), await h.register(receiver.url)
    await h.tell(case.created(), case.assigned())
    rows = await h.all_delivered(4)
    old = next(row["event_id"] for row in rows)
    await h.running.execute_as_owner("DELETE FROM webhook_attempt")
    await h.running.execute_as_owner(
        "UPDATE webhook_delivery SET id = uuidv7(interval '-40 days' - random() * interval '1 s') WHERE event_id = %s",
        old,
    )
    await h.running.execute_as_owner(
        "UPDATE webhook_event SET created_at = now() - interval '40 days' WHERE id = %s", old
    )
    async with h.running.database.transaction() as conn:
        await endpoints.delete(conn, gone.id)
    await h.running.execute_as_owner("UPDATE webhook_endpoint SET not_before = now() WHERE status = 'deleted'")
    async with h.running.database.autocommit() as conn:
        while await purge(conn):
            pass
    (left,) = await h.deliveries()
    assert left["endpoint_id"] == kept.id
    assert left["event_id"] != old
    assert [row["id"] for row in await h.running.query("SELECT id FROM webhook_endpoint")] == [kept.id]
    assert [row["id"] for row in await h.running.query("SELECT id FROM webhook_event")] == [left["event_id"]]


WAITING = 4000
_WAITING_ROWS = """
INSERT INTO webhook_delivery (id, endpoint_id, event_id, status, not_before, created_at)
SELECT uuidv7(), %s, id, 'pending', now() - interval '1 hour', now() FROM webhook_event"""


async def test_thousands_that_wait_for_a_disabled_endpoint__are_not_looked_at(hooks):
    h = await hooks(sending=False)
    dead, alive = await h.register("http://127.0.0.1:1/"), await h.register("http://127.0.0.1:2/")
    await h.running.execute_as_owner(
        "INSERT INTO webhook_event SELECT gen_random_uuid(), 't', '{}', now() FROM generate_series(1, %s)", WAITING
    )
    for endpoint in (dead, alive):
        await h.running.execute_as_owner(_WAITING_ROWS, endpoint.id)
    await h.change(dead, "disabled")
    await h.running.execute_as_owner("ANALYZE webhook_delivery")
    values = {"under_way": "4", "endpoint": f"'{alive.id}'", "lease": "30"}
    for statement in (_ENDPOINTS, _CLAIM):
        async with h.running.database.transaction() as conn:
            text = statement
            for name, value in values.items():
                text = text.replace(f"%({name})s", value)
            (plan,) = await (await conn.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}".encode())).fetchall()
        looked_at = [node["Actual Rows"] * node["Actual Loops"] for node in _scans(plan[0][0]["Plan"])]
        assert looked_at, "the plan has scans of deliveries"
        assert max(looked_at) <= 2, looked_at


def _scans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    own = [plan] if plan.get("Relation Name") == "webhook_delivery" and "Scan" in plan["Node Type"] else []
    return [*own, *(node for child in plan.get("Plans", ()) for node in _scans(child))]
