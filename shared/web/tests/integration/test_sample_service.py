"""The conventions of api.md, through a whole application on the real PostgreSQL."""

import asyncio
from uuid import uuid4

import psycopg
import pytest
from shared.web.tests.conftest import until

pytestmark = pytest.mark.servers


async def test_created__has_its_version_as_etag_and_a_consistency_token(sample):
    client, issuer = sample
    member = issuer.bearer("member", sub=uuid4())
    made = await client.post("/v1/notes", json={"text": "hello"}, headers=member)
    assert made.status_code == 201
    assert made.headers["etag"] == '"1"'
    assert made.headers["consistency-token"]
    assert (await client.get(f"/v1/notes/{made.json()['id']}", headers=member)).json() == made.json()


async def test_someone_elses__does_not_exist(sample):
    client, issuer = sample
    made = await client.post("/v1/notes", json={"text": "mine"}, headers=issuer.bearer("member"))
    theirs = await client.get(f"/v1/notes/{made.json()['id']}", headers=issuer.bearer("member"))
    missing = await client.get(f"/v1/notes/{uuid4()}", headers=issuer.bearer("member"))
    assert (theirs.status_code, missing.status_code) == (404, 404)
    assert theirs.json()["detail"] == missing.json()["detail"]


async def test_same_key_and_body__one_effect_and_the_same_answer(sample):
    client, issuer = sample
    headers = issuer.bearer("member", sub=uuid4()) | {"Idempotency-Key": "k-1"}
    first = await client.post("/v1/notes", json={"text": "once"}, headers=headers)
    again = await client.post("/v1/notes", json={"text": "once"}, headers=headers)
    assert (again.status_code, again.json()) == (first.status_code, first.json()) == (201, first.json())
    assert len((await client.get("/v1/notes", headers=headers)).json()["items"]) == 1


async def test_same_key__another_body_is_refused_and_another_person_is_not(sample):
    client, issuer = sample
    headers = issuer.bearer("member", sub=uuid4()) | {"Idempotency-Key": "k-1"}
    assert (await client.post("/v1/notes", json={"text": "one"}, headers=headers)).status_code == 201
    reused = await client.post("/v1/notes", json={"text": "two"}, headers=headers)
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    other = issuer.bearer("member") | {"Idempotency-Key": "k-1"}
    assert (await client.post("/v1/notes", json={"text": "two"}, headers=other)).status_code == 201


async def test_refusal__is_not_remembered(sample):
    client, issuer = sample
    headers = issuer.bearer("member", sub=uuid4()) | {"Idempotency-Key": "k-2"}
    assert (await client.post("/v1/notes", json={"text": "refused"}, headers=headers)).status_code == 409
    assert (await client.post("/v1/notes", json={"text": "better"}, headers=headers)).status_code == 201


async def test_twins_at_once__one_effect_and_one_answer(sample):
    client, issuer = sample
    for round_number in range(10):
        headers = issuer.bearer("member", sub=uuid4()) | {"Idempotency-Key": f"twin-{round_number}"}
        answers = await asyncio.gather(
            *(client.post("/v1/notes", json={"text": "twin"}, headers=headers) for _ in range(6))
        )
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert len((await client.get("/v1/notes", headers=headers)).json()["items"]) == 1


async def test_change__needs_the_version_that_was_seen(sample):
    client, issuer = sample
    member = issuer.bearer("member", sub=uuid4())
    note = (await client.post("/v1/notes", json={"text": "one"}, headers=member)).json()
    address = f"/v1/notes/{note['id']}"
    assert (await client.put(address, json={"text": "two"}, headers=member)).status_code == 428
    for stale in ('"7"', 'W/"7"', '"x"'):
        refused = await client.put(address, json={"text": "two"}, headers=member | {"If-Match": stale})
        assert (refused.status_code, refused.json()["code"]) == (412, "stale_version")
    unread = await client.put(address, json={"text": "two"}, headers=member | {"If-Match": "banana"})
    assert (unread.status_code, unread.json()["code"]) == (400, "bad_request")
    for current, version in (('W/"1"', 2), ("*", 3), ('"2", "3"', 4)):
        changed = await client.put(address, json={"text": "two"}, headers=member | {"If-Match": current})
        assert (changed.status_code, changed.json()["version"]) == (200, version)


async def test_pages__walk_everything_once(sample):
    client, issuer = sample
    member = issuer.bearer("member", sub=uuid4())
    made = {(await client.post("/v1/notes", json={"text": str(i)}, headers=member)).json()["id"] for i in range(7)}
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = (await client.get("/v1/notes", params={"limit": 3, "cursor": cursor}, headers=member)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert sorted(made) == sorted(seen)


async def test_unknown_version__is_waited_for_then_refused(sample, sample_database):
    client, issuer = sample
    member = issuer.bearer("member", sub=uuid4())
    note = (await client.post("/v1/notes", json={"text": "x"}, headers=member)).json()
    key = str(uuid4())
    token = _token(f"checkout:transaction:{key}:3")
    address = f"/v1/notes/{note['id']}"
    late = await client.get(address, params={"wait": 0.05}, headers=member | {"Consistency-Token": token})
    assert (late.status_code, late.json()["code"], late.headers["retry-after"]) == (503, "not_yet_visible", "1")
    waiting = asyncio.create_task(
        client.get(address, params={"wait": 10}, headers=member | {"Consistency-Token": token})
    )
    async with await psycopg.AsyncConnection.connect(sample_database.owner_url, autocommit=True) as conn:
        await conn.execute(
            "INSERT INTO inbox (consumer, topic, key, version) VALUES ('sample', 'checkout.transactions', %s, 3)", [key]
        )
    assert (await waiting).status_code == 200
    others = _token(f"elsewhere:thing:{key}:99")
    assert (await client.get(address, headers=member | {"Consistency-Token": others})).status_code == 200


async def test_what_the_database_cannot_store__is_the_callers_mistake(sample):
    client, _ = sample
    assert (await client.get("/v1/overflow", params={"number": 2**40})).status_code == 422
    assert (await client.get("/v1/raw/a%00b")).status_code == 400
    assert (await client.get("/v1/raw/a", params={"x": "\x00"})).status_code == 400


async def test_ready__shows_database_migrations_and_broker(sample):
    client, _ = sample
    await until(lambda: _served(client))
    assert (await client.get("/readyz")).json() == {
        "status": "not ready",
        "database": "ok",
        "migrations": "ok",
        "kafka": "never reached",
    }


async def _served(client) -> bool:
    return (await client.get("/readyz")).json()["database"] == "ok"


def _token(text: str) -> str:
    import base64

    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
