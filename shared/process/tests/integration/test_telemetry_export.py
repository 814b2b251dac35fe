"""Traces as they leave: one trace from the call through the stored traceparent to a linked consumer, without secrets.

The SDK's providers are global, so this runs in a process of its own against a small collector.
"""

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

pytestmark = pytest.mark.servers

SCRIPT = """
import asyncio, sys
from contextlib import suppress
from booking_web.application import create_app
from booking_process.telemetry import linked_span
from shared.web.tests.conftest import running, settings_for
from shared.web.tests.sample.app import build

async def main(url, endpoint, case):
    more = {"otel_traces_sampler_arg": 1 if case == "all" else 0, "slow_request_seconds": 1.0}
    app = create_app(build(settings_for(url, otel_exporter_otlp_endpoint=endpoint, **more)))
    async with running(app) as client:
        await (everything if case == "all" else none_but_what_matters)(client)

async def everything(client):
    sent = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    stored = (await client.get("/v1/context", headers=sent)).json()["traceparent"]
    answer = await client.get("/v1/slow", params={"seconds": 0.01}, headers=sent)
    assert answer.headers["trace-id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    await client.get("/calendar/feeds/s3cr3t-feed.ics", headers=sent)
    await client.get("/v1/nothing?after=17&ticket=s3cr3t-ticket", headers=sent)
    await client.get("/healthz")
    await client.get("/v1/boom")
    with linked_span("consume checkout.transactions", traceparent=stored):
        pass
    print("stored", stored)

async def none_but_what_matters(client):
    for name, path, query in (
        ("fast", "/v1/context", {}), ("slow", "/v1/slow", {"seconds": 1.1}), ("failed", "/v1/boom", {})
    ):
        answer = await client.get(path, params=query)
        print(name, answer.headers["trace-id"])
    with suppress(ValueError), linked_span("told", traceparent=None):
        pass
    with suppress(ValueError), linked_span("broke", traceparent=None):
        raise ValueError("canary")

asyncio.run(main(*sys.argv[1:]))
"""


class Collector(http.server.ThreadingHTTPServer):
    """Keeps what is exported to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.traces: list[bytes] = []
        self.metrics: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def spans(self) -> list:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.traces]
        return [span for r in requests for rs in r.resource_spans for ss in rs.scope_spans for span in ss.spans]

    def metric_names(self) -> set[str]:
        requests = [ExportMetricsServiceRequest.FromString(body) for body in self.metrics]
        return {m.name for r in requests for rm in r.resource_metrics for sm in rm.scope_metrics for m in sm.metrics}


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        server = self.server
        assert isinstance(server, Collector)
        (server.traces if self.path == "/v1/traces" else server.metrics).append(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()


def exported(collector: Collector, url: str, case: str) -> list[str]:
    """Runs the script to its end; what it said, line by line."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, url, collector.url, case],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={**os.environ, "OTEL_BSP_SCHEDULE_DELAY": "100"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_export__one_trace_with_links_and_no_secrets(collector, sample_database):
    told = exported(collector, sample_database.app_url, "all")
    spans = collector.spans()
    by_name = {span.name: span for span in spans}
    trace = bytes.fromhex("4bf92f3577b34da6a3ce929d0e0e4736")

    call = by_name["GET /v1/context"]
    assert call.trace_id == trace
    assert call.parent_span_id == bytes.fromhex("00f067aa0ba902b7")
    (stored,) = [line.split()[1] for line in told if line.startswith("stored ")]
    assert stored.split("-")[1:3] == [trace.hex(), call.span_id.hex()]

    consumed = by_name["consume checkout.transactions"]
    assert (consumed.trace_id, consumed.parent_span_id) == (trace, call.span_id)
    assert [(link.trace_id, link.span_id) for link in consumed.links] == [(trace, call.span_id)]

    queries = [span for span in spans if span.parent_span_id == by_name["GET /v1/slow"].span_id]
    assert any("pg_sleep" in str(query.attributes) for query in queries)
    assert by_name["GET /v1/boom"].status.code == 2
    assert not [span for span in spans if "healthz" in str(span)]
    everything = b"".join(collector.traces + collector.metrics)
    for secret in (b"s3cr3t-feed", b"s3cr3t-ticket", b"hunter2", b"canary"):
        assert secret not in everything
    assert "http.server.request.duration" in collector.metric_names()


def test_export__of_the_unsampled_what_failed_or_was_slow(collector, sample_database):
    """Made when it had ended, with the trace that the answer told; statements only within a sampled trace."""
    told = exported(collector, sample_database.app_url, "none")
    traces = dict(line.split() for line in told if line.startswith(("fast ", "slow ", "failed ")))
    spans = collector.spans()
    assert sorted(span.name for span in spans) == ["GET /v1/boom", "GET /v1/slow", "broke"]
    by_name = {span.name: span for span in spans}
    slow, failed = by_name["GET /v1/slow"], by_name["GET /v1/boom"]
    assert (slow.trace_id.hex(), failed.trace_id.hex()) == (traces["slow"], traces["failed"])
    assert slow.end_time_unix_nano - slow.start_time_unix_nano > 1.1e9
    assert (slow.status.code, failed.status.code, by_name["broke"].status.code) == (0, 2, 2)
    assert {pair.key: pair.value.string_value for pair in failed.attributes}["error.type"] == "RuntimeError"
    assert b"canary" not in b"".join(collector.traces)
