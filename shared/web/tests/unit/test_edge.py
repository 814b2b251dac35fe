"""What every answer has and every request must be, whatever the route (api.md, Conventions)."""

import asyncio
import gzip
import re
from types import SimpleNamespace
from uuid import uuid4

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from shared.web.tests.conftest import settings_for
from structlog.testing import capture_logs

from booking_outbox import Relay
from booking_process.database import Database, request_deadline
from booking_process.service import Service
from booking_web.application import create_app
from booking_web.edge import Edge

JSON = {"content-type": "application/json"}
CONTEXT = "/v1/context"


async def _post(client, issuer, body: bytes, **headers: str):
    return await client.post("/v1/notes", content=body, headers=issuer.bearer("member") | JSON | headers)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"", 422),
        (b"\xff\xfe", 400),
        ('{"text": "a"}'.encode("utf-16"), 400),
        ('{"text": "a"}'.encode("utf-16-le"), 400),
        ('{"text": "a"}'.encode("utf-16-be"), 400),
        ('{"text": "a"}'.encode("utf-32"), 400),
        ('{"text": "a\\u0000"}'.encode("utf-16-le"), 400),
        (b'{"text": "\xed\xa0\x80"}', 400),
        (b'{"text": "\xc0\x80"}', 400),
        (b'\xef\xbb\xbf{"text": 1}', 422),
        (b'{"text": "a", "weight": 9223372036854775808}', 400),
        (b'{"text": "a", "weight": -9223372036854775809}', 400),
        (b'{"text": "a", "weight": [9223372036854775808]}', 400),
        (b'{"text": "a", "weight": 1e18}', 503),
        (b'{"text": "a", "weight": 9223372036854775807}', 503),
        (b"[" * 100_000, 400),
        (b'{"text": "a", "weight": NaN}', 400),
        (b'{"text": "a", "weight": Infinity}', 400),
        (b'{"text": "a", "weight": -Infinity}', 400),
        (b'{"text": "a", "weight": 1e400}', 400),
        (b'{"text": "a", "weight": ' + b"9" * 30 + b"}", 400),
        (b'{"text": "a", "weight": ' + b"9" * 5000 + b"}", 400),
        (b'{"text": "a", "text": "b"}', 400),
        (b'{"text": "a", "x": {"y": 1, "y": 2}}', 400),
        (b'{"text": "a\\u0000"}', 422),
        (b'{"te\\u0000xt": "a"}', 422),
        (b'{"text": "\\ud800"}', 422),
        (b'{"text": "\\udc00\\ud800"}', 422),
        (b'{"text": "a\x00"}', 400),
        (b'{"text": 1}', 422),
        (b'{"text": "a", "more": 1}', 422),
        (b"null", 422),
        (b"[]", 422),
        (b'"text"', 422),
    ],
)
async def test_bad_body__is_refused_never_500(offline, body, status):
    async with offline() as (client, issuer):
        answer = await _post(client, issuer, body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "code", "detail", "instance"} <= answer.json().keys()


async def test_escaped_innocents__pass_the_strict_check(offline):
    async with offline() as (client, issuer):
        for text in (b'"\\u00e9"', b'"\\\\u0000"', b'"\\ud83d\\ude00"'):
            answer = await _post(client, issuer, b'{"text": ' + text + b"}")
            assert answer.json()["code"] == "database_unavailable"


async def test_validation__names_each_field_by_a_json_pointer(offline):
    async with offline() as (client, issuer):
        answer = await _post(client, issuer, b'{"text": "", "weight": "heavy", "mo/re": 1}')
        query = await client.get("/v1/notes", params={"limit": "1000000000"}, headers=issuer.bearer("member"))
        path = await client.get("/v1/notes/nonsense", headers=issuer.bearer("member"))
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/text", "/weight", "/mo~1re"}
    assert "heavy" not in answer.text
    assert [error["pointer"] for error in query.json()["errors"]] == ["?limit"]
    assert [error["pointer"] for error in path.json()["errors"]] == ["path:note_id"]


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "json", ""])
async def test_other_media_type__is_415(offline, kind):
    async with offline() as (client, issuer):
        headers = issuer.bearer("member") | {"content-type": kind}
        answer = await client.post("/v1/notes", content=b'{"text": "a"}', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_json_variants__are_json(offline):
    async with offline() as (client, issuer):
        for kind in ("application/json; charset=utf-8", "APPLICATION/JSON", "application/merge-patch+json"):
            answer = await _post(client, issuer, b"{", **{"content-type": kind})
            assert answer.json()["code"] == "malformed_json"


async def test_body_over_the_limit__is_413_before_it_is_read(offline):
    async def endless():
        for _ in range(10_000):
            nonlocal sent
            sent += 1024
            yield b"x" * 1024

    sent = 0
    async with offline(max_body_bytes=10_240) as (client, issuer):
        headers = issuer.bearer("member") | JSON
        declared = await client.post("/v1/notes", content=b"x" * 10_000_000, headers=headers)
        chunked = await client.post("/v1/notes", content=endless(), headers=headers)
        anonymous = await client.post("/v1/raw", content=b"x" * 10_241)
        just = await client.post("/v1/raw", content=b"x" * 10_240)
    assert [declared.status_code, chunked.status_code, anonymous.status_code, just.status_code] == [413, 413, 413, 200]
    assert sent < 100_000
    assert declared.json()["code"] == chunked.json()["code"] == "too_large"


@pytest.mark.parametrize("length", ["-1", "1e3", "abc", "9" * 40])
async def test_nonsense_content_length__is_refused(offline, length):
    async with offline() as (client, _):
        answer = await client.post("/v1/raw", content=b"x", headers={"content-length": length})
    assert answer.status_code in {400, 413}


async def test_route_without_bearer__gets_the_raw_bytes(offline):
    async with offline() as (client, _):
        answer = await client.post("/v1/raw", content=b'{"a": NaN', headers=JSON)
    assert answer.json() == {"bytes": 9}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/redoc", 404, "not_found"),
        ("GET", "/v1/notes/", 404, "not_found"),
        ("PATCH", "/v1/notes", 405, "method_not_allowed"),
        ("TRACE", "/v1/notes", 405, "method_not_allowed"),
        ("PROPFIND", "/v1/notes", 405, "method_not_allowed"),
        ("BREW", "/v1/notes", 405, "method_not_allowed"),
        ("GET", "/v1/boom", 500, "internal_error"),
        ("GET", "/v1/notes", 401, "unauthorized"),
        ("GET", "/v1/raw/%00", 400, "bad_request"),
        ("GET", "/v1/raw/x?a=%00", 400, "bad_request"),
        ("GET", "/v1/raw/x?a=%FF", 400, "bad_request"),
        ("GET", "/v1/raw/x?a=%C0%80", 400, "bad_request"),
        ("GET", "/v1/raw/x?%00=1", 400, "bad_request"),
    ],
)
async def test_frameworks_own_answers__are_problems_too(offline, method, path, status, code):
    async with offline() as (client, _):
        answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["instance"] == path.partition("?")[0]
    assert answer.headers["x-request-id"]
    assert "hunter2" not in answer.text
    assert "canary" not in answer.text


@pytest.mark.parametrize("path", ["%FF", "%C3%28", "%ED%A0%80", "%C0%80", "a%E2%82"])
async def test_address__whose_path_is_not_utf8_is_400(offline, path):
    async with offline() as (client, _):
        answer = await client.get(f"/v1/raw/{path}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


GET_PATHS = ("/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/notes", "/v1/notes/nonsense", "/v1/nothing")


@pytest.mark.parametrize("path", GET_PATHS)
async def test_head__is_get_without_its_body(offline, path):
    async with offline() as (client, issuer):
        headers = issuer.bearer("member")
        get, head = await client.get(path, headers=headers), await client.head(path, headers=headers)
    assert head.status_code == get.status_code
    assert head.headers.keys() == get.headers.keys()
    assert get.content
    assert not head.content


async def test_head_of_a_stream__ends_after_its_headers(offline):
    async with offline() as (client, issuer), asyncio.timeout(10):
        answer = await client.head("/v1/stream", headers=issuer.bearer("member"))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8", "as the edge knows a stream"
    assert not answer.content


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/notes", "GET, HEAD, POST, DELETE, OPTIONS"),
        ("/v1/notes/x", "GET, HEAD, PUT, OPTIONS"),
        ("/healthz", "GET, HEAD, OPTIONS"),
    ],
)
async def test_allow__has_every_method_of_the_path(offline, path, methods):
    async with offline() as (client, _):
        refused, asked = await client.request("PROPFIND", path), await client.options(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, methods)
    assert (asked.status_code, asked.headers["allow"], asked.content) == (204, methods, b"")
    assert asked.headers["x-request-id"]


async def test_preflight__is_answered_as_before_and_names_what_may_be_read(offline):
    origin = {"origin": "https://app.example"}
    async with offline(cors_origins=("https://app.example",)) as (client, issuer):
        asked = {"access-control-request-method": "PUT", "access-control-request-headers": "if-match"}
        preflight = await client.options("/v1/notes", headers=origin | asked)
        answer = await client.get("/v1/notes", headers=origin | issuer.bearer("member"))
        options = await client.options("/v1/notes", headers=origin)
    assert preflight.status_code == 200
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert exposed >= {"ETag", "Consistency-Token", "Location", "Retry-After", "X-Request-Id", "Trace-Id"}
    assert options.status_code == 204


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "GZIP", "identity, gzip", "x-nonsense"])
@pytest.mark.parametrize("path", ["/v1/notes", "/v1/raw"])
async def test_content_encoding__is_415_that_names_the_one_that_is_taken(offline, path, coding):
    async with offline() as (client, issuer):
        headers = issuer.bearer("member") | JSON | {"content-encoding": coding}
        answer = await client.post(path, content=gzip.compress(b'{"text": "a"}'), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert answer.headers["accept-encoding"] == "identity"


async def test_identity__is_no_coding(offline):
    async with offline() as (client, issuer):
        answer = await _post(client, issuer, b'{"text": 1}', **{"content-encoding": "Identity"})
    assert answer.status_code == 422


async def test_header_with_nul__is_400(offline):
    async with offline() as (client, issuer):
        answer = await client.get("/v1/notes", headers=issuer.bearer("member") | {"if-match": b'"\x00"'})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("user_id=x", [("?user_id", "unknown_parameter")]),
        ("limit=1&limit=2", [("?limit", "repeated_parameter")]),
        ("limit=1&limit=1", [("?limit", "repeated_parameter")]),
        ("cursor=&cursor=", [("?cursor", "repeated_parameter")]),
        ("Limit=1", [("?Limit", "unknown_parameter")]),
        ("limit[]=1&=2", [("?limit[]", "unknown_parameter"), ("?", "unknown_parameter")]),
        ("a", [("?a", "unknown_parameter")]),
    ],
)
async def test_query_that_a_route_does_not_know__is_refused(offline, query, errors):
    async with offline() as (client, issuer):
        answer = await client.get(f"/v1/notes?{query}", headers=issuer.bearer("member"))
        anonymous = await client.get(f"/v1/notes?{query}")
        forbidden = await client.delete(f"/v1/notes?{query}", headers=issuer.bearer("member"))
        probe = await client.get(f"/healthz?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == errors
    assert [anonymous.status_code, forbidden.status_code, probe.status_code] == [401, 403, 200]


async def test_deadline__begins_when_the_body_has_come(offline):
    """A slow body that is still allowed must leave the database its time."""
    seen: list[float] = []

    async def receive():
        seen.append(request_deadline.get().at)
        arrived.append(asyncio.get_running_loop().time())
        return {"type": "http.request", "body": b"x", "more_body": False}

    async def app(_scope, _receive, send):
        seen.append(request_deadline.get().at)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(_message):
        pass

    arrived: list[float] = []
    scope = {
        "type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": [(b"content-length", b"1")],
    }  # fmt: skip
    async with offline() as (client, _):
        health = client._transport.app.state.health
    edge = Edge(app, max_body=10, body_seconds=15, slow_seconds=1, deadline=12, health=health)
    await edge(scope, receive, send)
    assert seen[0] == float("inf")
    assert seen[1] >= arrived[0] + 12


async def test_stream_that_goes_on__is_no_slow_request(offline, monkeypatch):
    """Each that ends would be logged, traced and counted as one that took as long as it was open."""
    clock = SimpleNamespace(now=0.0, perf_counter=lambda: clock.now)
    monkeypatch.setattr("booking_web.edge.time", clock)

    def app(kind: bytes):
        async def called(_scope, _receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
            clock.now += 3600
            await send({"type": "http.response.body", "body": b""})

        return called

    async def send(_message):
        pass

    async def receive():
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": "/v1/stream", "query_string": b"ticket=hunter2", "headers": []}
    async with offline() as (client, _):
        health = client._transport.app.state.health
    logged = {}
    for kind in (b"text/event-stream; charset=utf-8", b"text/plain"):
        edge = Edge(app(kind), max_body=10, body_seconds=15, slow_seconds=1, deadline=12, health=health)
        with capture_logs() as lines:
            await edge(dict(scope), receive, send)
        logged[kind] = [line["seconds"] for line in lines if line["event"] == "http_request"]
        assert "hunter2" not in str(lines)
    assert list(logged.values()) == [[], [3600.0]]


async def test_error_of_the_domain__is_the_problem_that_the_service_says(offline):
    async with offline() as (client, _):
        answer = await client.get("/v1/blank")
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert (answer.json()["code"], answer.json()["current_text"]) == ("blank", "")


async def test_role_missing__is_403(offline):
    async with offline() as (client, issuer):
        answer = await client.delete("/v1/notes", headers=issuer.bearer("member", "practitioner"))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_each_answer__has_ids_and_security_headers(offline):
    async with offline() as (client, _):
        for path in ("/healthz", "/v1/nothing", "/v1/boom", "/openapi.json"):
            answer = await client.get(path)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cache-control"] == "no-store"
            assert re.fullmatch("[0-9a-f]{32}", answer.headers["trace-id"])
            assert answer.headers["x-request-id"]


async def test_traceparent_and_request_id__are_honoured(offline):
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    sent = {"traceparent": f"00-{trace}-{span}-01", "x-request-id": "r-1", "x-correlation-id": "c-1"}
    async with offline() as (client, _):
        answer = await client.get(CONTEXT, headers=sent)
    assert answer.headers["trace-id"] == trace
    assert answer.headers["x-request-id"] == "r-1"
    assert answer.json() == {"request": "r-1", "correlation": "c-1", "traceparent": f"00-{trace}-{span}-01"}


@pytest.mark.parametrize("sent", [{}, {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"}])
async def test_untraced_request__has_a_trace_id_and_nothing_to_store(offline, sent):
    async with offline() as (client, _):
        answer = await client.get(CONTEXT, headers=sent)
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["trace-id"])
    assert answer.json()["traceparent"] is None


@pytest.mark.parametrize(
    "sent",
    [
        {"traceparent": "00-" + "0" * 32 + "-00f067aa0ba902b7-01"},
        {"traceparent": "nonsense"},
        {"x-request-id": "a b"},
        {"x-request-id": "x" * 65},
        {"x-request-id": "<script>"},
    ],
)
async def test_malformed_ids__are_replaced(offline, sent):
    async with offline() as (client, _):
        answer = await client.get(CONTEXT, headers=sent)
    assert answer.status_code == 200
    value = next(iter(sent.values()))
    assert value not in answer.text
    assert answer.headers["x-request-id"] != value


async def test_person_over_the_limit__waits_and_others_do_not(offline):
    async with offline(rate_limit_per_minute=60) as (client, issuer):
        busy = issuer.bearer("member", sub=uuid4())
        answers = [await client.delete("/v1/notes", headers=busy) for _ in range(70)]
        other = await client.delete("/v1/notes", headers=issuer.bearer("member"))
    allowed = [answer for answer in answers if answer.status_code == 403]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert 60 <= len(allowed) <= 63
    assert refused[-1].json()["code"] == "rate_limited"
    assert 1 <= int(refused[-1].headers["retry-after"]) <= 60
    assert other.status_code == 403


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "ключ".encode().decode("latin-1"), "a\tb"])
async def test_idempotency_key__must_be_visible_ascii(offline, key):
    async with offline() as (client, issuer):
        headers = issuer.bearer("member") | JSON | {"Idempotency-Key": key.encode("latin-1")}
        answer = await client.post("/v1/notes", content=b'{"text": "a"}', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_idempotency_key")


@pytest.mark.parametrize("cursor", ["x", "AAAA", "é", "e30", "x" * 2000, "%00", "WyJ1Il0"])
async def test_cursor_of_nobody__is_422(offline, cursor):
    async with offline() as (client, issuer):
        answer = await client.get("/v1/notes", params={"cursor": cursor}, headers=issuer.bearer("member"))
    assert answer.status_code == 422


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 201}, {"limit": "x"}, {"limit": "1" * 30}, {"limit": ""}])
async def test_limit_out_of_range__is_422(offline, params):
    async with offline() as (client, issuer):
        answer = await client.get("/v1/notes", params=params, headers=issuer.bearer("member"))
    assert answer.status_code == 422


@pytest.mark.parametrize("token", ["x", "é", "AAAA", "Y2hlY2tvdXQ", "Y2hlY2tvdXQ6YTpiOi0x"])
async def test_consistency_token_of_nobody__is_422(offline, token):
    async with offline() as (client, issuer):
        headers = issuer.bearer("member") | {"Consistency-Token": token.encode()}
        answer = await client.get(f"/v1/notes/{uuid4()}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_consistency_token")


@pytest.mark.parametrize("wait", ["-1", "11", "nan", "inf", "x"])
async def test_wait_out_of_range__is_422(offline, wait):
    async with offline() as (client, issuer):
        answer = await client.get(f"/v1/notes/{uuid4()}", params={"wait": wait}, headers=issuer.bearer("member"))
    assert answer.status_code == 422


async def test_database_away__is_503_with_retry_after(offline):
    async with offline() as (client, issuer):
        answer = await client.get("/v1/notes", headers=issuer.bearer("member"))
        ready = await client.get("/readyz")
        alive = await client.get("/healthz")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert answer.headers["retry-after"] == "2"
    assert (ready.status_code, ready.json()["database"]) == (503, "down")
    assert alive.status_code == 200


async def test_metrics__count_by_route_template(offline):
    async with offline() as (client, issuer):
        for _ in range(3):
            await client.get(f"/v1/notes/{uuid4()}", headers=issuer.bearer("member"))
        for number in range(50):
            await client.get(f"/wp-admin/{number}")
        text = (await client.get("/metrics")).text
    assert 'route="/v1/notes/{note_id}"' in text
    assert 'route="unmatched"' in text
    assert "wp-admin" not in text


async def test_requests__are_counted_by_what_they_came_to_and_probes_are_not(offline):
    """At 0 before the first of their kind: `rate` sees no rise of a series that begins with its first request."""
    async with offline() as (client, issuer):

        async def counted() -> dict[tuple[str, str], float]:
            families = text_string_to_metric_families((await client.get("/metrics")).text)
            samples = [s for family in families for s in family.samples if s.name == "booking_http_requests_total"]
            return {(s.labels["kind"], s.labels["outcome"]): s.value for s in samples}

        before = await counted()
        await client.get("/v1/context", headers=issuer.bearer("member"))
        await client.get("/v1/boom", headers=issuer.bearer("member"))
        await client.get("/v1/nothing")
        await client.post("/v1/notes", content=b"{", headers=issuer.bearer("member") | JSON)
        await client.post("/v1/notes", json={"text": "a"}, headers=issuer.bearer("member"))
        await client.get("/readyz")
        after = await counted()
    assert len(before) == 6
    assert {key: after[key] - before[key] for key in after if after[key] != before[key]} == {
        ("read", "accepted"): 1,
        ("read", "failed"): 1,
        ("read", "refused"): 1,
        ("command", "refused"): 1,
        ("command", "failed"): 1,
    }


async def test_metrics__show_the_relays_lag_and_refusal():
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    relay = Relay(database_url=nowhere, bootstrap="127.0.0.1:1", topics=[], lock_name="sample relay")
    relay.metrics.refused = True
    relay.metrics.lag_events["sample.notes"] = 7
    relay.metrics.published["sample.notes"] = 3
    settings = settings_for(nowhere)
    app = create_app(Service("sample", "Sample", settings, Database(nowhere), workers=[relay]), mode="worker")
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://sample") as client:
        lines = (await client.get("/metrics")).text.splitlines()
    assert {
        "booking_relay_refused 1.0",
        "booking_relay_leader 0.0",
        'booking_relay_lag_events{topic="sample.notes"} 7.0',
        'booking_relay_published_total{topic="sample.notes"} 3.0',
    } <= set(lines)
