"""`booking-ops serve` as a process, on a real PostgreSQL and Kafka: audits again and again, and their figures."""

import json
import os
import signal
import subprocess
import sys
import time
from uuid import uuid4

import httpx2
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from booking_contracts.corpus import golden
from booking_local.servers.ports import free_port
from booking_ops.deployment import SERVICES, Settings

pytestmark = pytest.mark.servers
PATIENCE = 120
"""Seconds for what takes one or two, on a machine that is busy."""
ENDED = ("booking_audit_finished_timestamp_seconds",)
SECTION = "booking.checkout.products.v1 = its rows"
PRODUCT = """INSERT INTO product (id, name, kind, tier, amount, currency, duration_minutes, payment_ttl_minutes,
                 request_limit_minutes, auto_start, active, version)
             VALUES (%s, 'Konseling', 'counseling', 'gold', 250000, 'IDR', 60, 60, 10080, false, true, 1)"""
RANKED = "ranking's months = events of sessions"
UPLOADED = """INSERT INTO events (stream_type, stream_id, version, id, type, type_version, data, metadata, occurred_at,
                  recorded_at)
              SELECT 'feedback_session', gen_random_uuid(), 1, gen_random_uuid(), 'ResultUploaded', 1, %s,
                  '{"actor": "system"}', at, at FROM (SELECT '2026-03-01T03:00Z'::timestamptz AS at) t"""
COUNTED = "INSERT INTO practitioner_month VALUES (%s, '2026-02-01', 1, 0)"


class Serving:
    """The process, and what it shows."""

    def __init__(self, environment, folder, *, every):
        self.environment, self.log, self.baseline = environment, folder / "log", folder / "accepted.json"
        self.address = f"http://127.0.0.1:{(port := free_port())}/metrics"
        words = ["serve", "--port", str(port), "--every", str(every), "--baseline", str(self.baseline)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self._command(*words), env=environment, stdout=log, stderr=log)

    def _command(self, *words):
        return [sys.executable, "-m", "booking_ops", *words]

    def run(self, *words):
        """Another command of the same deployment."""
        return subprocess.run(
            self._command(*words), env=self.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def figures(self):
        """Each sample by name and the values of its labels; nothing while nobody listens."""
        try:
            page = httpx2.get(self.address, timeout=PATIENCE).text
        except httpx2.TransportError:
            return {}
        samples = [one for family in text_string_to_metric_families(page) for one in family.samples]
        return {(one.name, *one.labels.values()): one.value for one in samples}

    def until(self, holds):
        """The figures, as soon as they are so."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            found = self.figures()
            if found and holds(found):
                return found
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(f"within {PATIENCE} s it never was so: {self.figures()}\n{self.log.read_text()}")

    def until_audited(self, outcome):
        """Until this came of one more audit."""
        runs = ("booking_audit_runs_total", outcome)
        so_many = self.until(bool)[runs]
        return self.until(lambda found: found[runs] > so_many)

    def stopped(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@pytest.fixture
def databases(fresh_database):
    return {service: fresh_database(service) for service in SERVICES}


@pytest.fixture
def serve(databases, kafka, tmp_path):
    """Starts it on stores and topics of its own, where nothing happened yet, by the role that deployments give."""
    prefix = kafka.prefix()
    kafka.create_topics(prefix)
    environment = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    environment |= {f"{service.upper()}_DATABASE_URL": one.app_url for service, one in databases.items()}
    environment |= {"KAFKA_BOOTSTRAP": kafka.bootstrap, "TOPIC_PREFIX": prefix}
    (tmp_path / "accepted.json").write_text('{"accepted": []}', "utf-8")
    running = []

    def start(every=1, **more):
        running.append(Serving(environment | more, tmp_path, every=every))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait(PATIENCE)


def test_audit__is_repeated_and_says_how_old_it_is_what_differs_and_what_was_accepted(serve, databases):
    here = serve()
    first = here.until(lambda found: found["booking_audit_runs_total", "proven"] >= 1)
    assert 0 <= time.time() - first[ENDED] < 2 * PATIENCE
    assert first["booking_audit_proven",] == 1
    assert first["booking_audit_seconds",] > 0

    with psycopg.connect(databases["checkout"].owner_url) as conn:  # past the relay: no topic will ever have it
        conn.execute(PRODUCT, [uuid4()])
    spoilt = here.until_audited("different")
    assert spoilt["booking_audit_proven",] == 0
    assert spoilt[ENDED] > first[ENDED]
    assert {name[1]: value for name, value in spoilt.items() if name[0] == "booking_audit_differences" and value} == {
        SECTION: 1
    }

    accepted = here.run("audit", "--baseline", here.baseline, "--accept", "--because", "a drill")
    assert accepted.returncode == 0, accepted.stderr
    green = here.until_audited("proven")
    assert green["booking_audit_proven",] == 1
    assert (green["booking_audit_differences", SECTION], green["booking_audit_accepted", SECTION]) == (0, 1)

    with psycopg.connect(databases["checkout"].owner_url) as conn:  # what was accepted covers nothing new
        conn.execute(PRODUCT, [uuid4()])
    again = here.until_audited("different")
    assert (again["booking_audit_differences", SECTION], again["booking_audit_accepted", SECTION]) == (1, 1)

    here.baseline.write_text("{", "utf-8")  # it can't look: what it said stays, and gets older
    first = here.until_audited("impossible")
    later = here.until_audited("impossible")
    assert later[ENDED] == first[ENDED] >= again[ENDED]
    assert f"The baseline {here.baseline} can't be read" in here.log.read_text()
    assert here.stopped() == 0, here.log.read_text()


def test_stop__is_obeyed_however_long_the_pause_is(serve):
    here = serve(every=86_400, BUILD_REVISION="abc123")
    here.until_audited("proven")
    (build,) = [name[1:] for name in here.figures() if name[0] == "booking_build_info"]
    assert {"ops", "serve", "abc123"} <= set(build)
    assert here.stopped() == 0, here.log.read_text()


def test_ranking_s_months__are_those_of_the_deployment_s_zone(serve, databases):
    """The first of March in Jakarta, where the services' default is, is still February in New York."""
    told = json.loads(golden("ResultUploaded.v1").value or b"")
    with psycopg.connect(databases["consultation"].owner_url) as conn:
        conn.execute(UPLOADED, [json.dumps(told)])
    with psycopg.connect(databases["checkout"].owner_url) as conn:
        conn.execute(COUNTED, [told["practitioner_id"]])
    here = serve(every=86_400, PLATFORM_TIMEZONE="America/New_York")
    figures = here.until_audited("different")  # past the relay, and no whole session: other sections say so
    assert figures["booking_audit_differences", RANKED] == 0
    once = json.loads(here.run("audit", "--json").stdout)
    (section,) = [one for one in once["sections"] if one["name"] == RANKED]
    assert (section["counts"], section["differences"]) == ({"compared": 1}, [])
