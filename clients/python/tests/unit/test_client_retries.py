"""What is sent again, how often, and what is told in the end."""

import time

import httpx2
import pytest
from clients.python.tests.script import QUICK, Script, ok, problem

from booking_client import Patience, Unanswered, Unexpected, problems

PURCHASE: dict[str, str] = {"product_id": "a", "practitioner_id": "b"}
CUT = httpx2.ReadError("the connection was cut")


@pytest.mark.parametrize(
    "broken",
    [
        CUT,
        httpx2.ConnectError("nobody there"),
        httpx2.ReadTimeout("nothing came"),
        problem(503, "unavailable"),
        problem(429, "rate_limited"),
        httpx2.Response(502, text="a proxy's"),
    ],
)
async def test_command_that_may_have_been_done__is_sent_again_with_the_same_key(broken):
    script = Script(broken, broken, ok({"id": "x"}, 201))
    bought = await script.caller().create_transaction({"product_id": "a", "practitioner_id": "b"})
    assert bought.body["id"] == "x"
    first, *others = script.header("Idempotency-Key")
    assert first
    assert others == [first, first]


async def test_commands__have_keys_of_their_own_or_the_given_one():
    script = Script(ok({}, 201))
    caller = script.caller()
    for key in (None, None, "mine"):
        await caller.create_transaction({"product_id": "a", "practitioner_id": "b"}, idempotency_key=key)
    one, other, given = script.header("Idempotency-Key")
    assert one != other
    assert given == "mine"


@pytest.mark.parametrize(
    ("status", "code"), [(409, "overlap"), (412, "stale_version"), (500, "internal_error"), (401, "unauthorized")]
)
async def test_refusal_that_would_not_pass__is_told_at_once(status: int, code: str):
    script = Script(problem(status, code))
    with pytest.raises(problems.BY_CODE[code]):
        await script.caller().get_me()
    assert len(script.asked) == 1


async def test_retry_after__is_waited_for():
    script = Script(problem(503, "not_yet_visible", Retry_After="1"), ok())
    patience = Patience(deadline=5.0, attempt=1.0, first_pause=0.001, longest_pause=0.001)
    began = time.monotonic()
    await script.caller(patience=patience).list_transactions().first()
    assert time.monotonic() - began >= 1.0


async def test_retry_after_beyond_the_deadline__is_the_refusal_at_once():
    script = Script(problem(429, "rate_limited", Retry_After="60"))
    began = time.monotonic()
    with pytest.raises(problems.RateLimited) as refused:
        await script.caller().get_me()
    assert refused.value.headers["Retry-After"] == "60"
    assert time.monotonic() - began < 1.0


async def test_no_answer_until_the_deadline__is_told_with_the_key_to_go_on_with():
    script = Script(CUT)
    patience = Patience(deadline=0.05, attempt=1.0, first_pause=0.01, longest_pause=0.01)
    with pytest.raises(Unanswered) as unknown:
        await script.caller(patience=patience).create_calendar_feed()
    assert set(script.header("Idempotency-Key")) == {unknown.value.idempotency_key}


async def test_service_that_nobody_reaches__is_told_sooner_where_that_is_asked_for():
    patience = Patience(deadline=30.0, unreachable=0.0)
    for broken in (httpx2.ConnectError("refused"), httpx2.ConnectTimeout("no answer")):
        script = Script(broken)
        with pytest.raises(Unanswered):
            await script.caller(patience=patience).list_sessions().first()
        assert len(script.asked) == 1
    script = Script(CUT, ok({"items": []}))
    await script.caller(patience=patience).list_sessions().first()
    assert len(script.asked) == 2, "what was cut off is another matter"


async def test_wait_of_the_call__is_on_top_of_what_a_try_may_take():
    script = Script(ok())
    caller = script.caller(patience=Patience(deadline=30.0, attempt=15.0))
    await caller.get_session("x", wait=0)
    await caller.get_session("x", wait=10)
    await caller.get_session("x")  # 2 seconds, where nothing is said
    await caller.get_transaction("x", wait_for="paid", wait_for_seconds=20)
    await caller.get_transaction("x", wait_for="paid")
    await caller.get_me()  # waits for nothing
    seconds = [one.extensions["timeout"]["read"] for one in script.asked]
    assert seconds == [15.0, 25.0, 17.0, 35.0, 45.0, 15.0]


async def test_answer_of_a_proxy__is_told_as_such():
    script = Script(httpx2.Response(404, text="<h1>Not here</h1>"))
    with pytest.raises(Unexpected, match="get_me: 404 <h1>Not here"):
        await script.caller().get_me()


async def test_address_that_is_none__is_not_tried_again():
    script = Script(httpx2.UnsupportedProtocol("no scheme"))
    with pytest.raises(httpx2.UnsupportedProtocol):
        await script.caller().get_me()
    assert len(script.asked) == 1


async def test_token__is_asked_for_at_each_try():
    tokens = iter(["old", "new"])

    async def fresh() -> str:
        return next(tokens)

    script = Script(CUT, ok())
    await script.caller(token=fresh, patience=QUICK).get_me()
    assert script.header("Authorization") == ["Bearer old", "Bearer new"]
