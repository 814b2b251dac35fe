"""E4: `booking erase`, and a canary person looked for everywhere afterwards."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from deploy.standins.tests.receiver import receiver
from psycopg import sql
from tests.e2e.conftest import system_of
from tests.e2e.kafka_log import append, configure, everything
from tests.e2e.system import Cast, Person, System, booking, cast, local_stack, until

from booking_local.layout import Layout

pytestmark = [pytest.mark.servers, pytest.mark.e2e, pytest.mark.timeout(900)]

CONTACTS = "booking.directory.contacts.v1"
PRACTITIONERS = "booking.directory.practitioners.v1"
SEGMENT_MS = 1_000
RESEND_SECONDS = 4  # longer than a segment, as in earnest
COMPACTION = 120.0  # seconds
TABLES = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
QUICK = {"segment.ms": str(SEGMENT_MS), "max.compaction.lag.ms": "1000", "min.cleanable.dirty.ratio": "0.01"}


Exported = list[tuple[str, dict[str, str], bytes]]


@pytest.fixture(scope="module")
def exported() -> Iterator[tuple[str, Exported]]:
    """An OTLP collector, and what the services export to it: path, headers, body."""
    with receiver() as (url, received):
        yield url, received


@pytest.fixture(scope="module")
def quick_state(tmp_path_factory: pytest.TempPathFactory, exported: tuple[str, Exported]) -> Iterator[Path]:
    """A stack whose tombstones are sent again after seconds, not after an hour, and whose traces are collected."""
    folder = tmp_path_factory.mktemp("erasing")
    own = Layout(folder).kafka_properties
    own.parent.mkdir()
    own.write_text("log.cleaner.backoff.ms=500\n")  # Kafka's cleaner would look every 15 seconds
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ERASURE_RESEND_SECONDS", str(RESEND_SECONDS))
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", exported[0])
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        patch.setenv("OTEL_TRACES_SAMPLER", "always_on")
        with local_stack(folder):
            yield folder


@pytest.fixture
def story(quick_state: Path) -> Iterator[Cast]:
    with system_of(quick_state) as system:
        yield cast(system)


def test_erased__the_canary_occurs_nowhere(quick_state: Path, story: Cast, exported: tuple[str, Exported]) -> None:
    """E4: not in any table, any topic once it is compacted, any log, any trace; the events stay readable."""
    system = story.system
    for topic in (CONTACTS, PRACTITIONERS):
        configure(system.endpoints["kafka"], topic, QUICK)
    canary = a_canary(system)
    lived = live(story, canary)
    traces = [canary.name, canary.email, canary.phone, canary.phone.lstrip("+")]
    assert tables_with(system, traces), "the search finds what is there"
    assert topics_with(system, traces) >= {CONTACTS}

    erased = booking("erase", str(canary.sub), "--yes", state=quick_state)
    assert erased.returncode == 0, erased.stdout + erased.stderr

    until("no table of any service to name the canary", lambda: not tables_with(system, traces))
    until("Kafka to compact what was", lambda: not topics_with(system, traces), within=COMPACTION)
    assert logs_with(quick_state, traces) == []
    until("every service to have exported spans", lambda: exporters(exported[1]) == set(system.endpoints["postgres"]))
    assert spans_with(exported[1], ["/v1/sessions/{session_id}/cancel"]), "the search finds what is there"
    assert spans_with(exported[1], traces) == []

    session = system.get(story.practitioner, "consultation", f"/v1/sessions/{lived['id']}")
    assert session["status"] == "completed"
    assert (session["member_name"], session["result_notes"]) == (None, None)
    assert set(session["erased"]) >= {"member_name", "result_notes"}
    assert system.call(canary, "checkout", "GET", "/v1/me").json()["code"] == "person_erased"
    audited = booking("audit", state=quick_state)
    assert audited.returncode == 0, audited.stdout + audited.stderr


def a_canary(system: System) -> Person:
    """Somebody whose every detail is unlike anybody else's."""
    mark = uuid4().hex[:10]
    number = f"+62877{uuid4().int % 10**8:08d}"
    return system.person("member", name=f"Kenari {mark}", email=f"kenari.{mark}@canary.example", phone=number)


def live(story: Cast, canary: Person) -> dict[str, Any]:
    """Leave traces wherever a member can: contacts, free text of both sides, payments, messages, a held record."""
    system = story.system
    story.member = canary
    system.get(canary, "checkout", "/v1/me")
    first = story.request(story.paid())
    story.schedule(first)
    reason = {"reason_code": "canceled_by_member", "reason": f"Saya {canary.name}, telepon {canary.phone}"}
    system.post(canary, "consultation", f"/v1/sessions/{first['id']}/cancel", reason)
    second = story.request(story.paid())
    story.schedule(second, days=8)
    notes = {"result_notes": f"{canary.name} <{canary.email}> hadir tepat waktu"}
    done = system.post(story.practitioner, "consultation", f"/v1/sessions/{second['id']}/result", notes)
    system.put(canary, "notifier", "/v1/preferences", {"channels": {"email": True, "whatsapp": True}})
    system.post(canary, "calendar", "/v1/calendar/feeds")
    append(system.endpoints["kafka"], CONTACTS, [(str(canary.sub), f"{{{canary.name} {canary.email}".encode())])
    until(
        "the broken contact to be held", lambda: "held" in {t.split(".")[1] for t in tables_with(system, [canary.name])}
    )
    until("N1: payments, schedules and the result told", lambda: len(system.mails_to(canary.email)) >= 6)
    return done


def tables_with(system: System, traces: list[str]) -> set[str]:
    """`service.table` of every table that has one of these in any row, as text or as bytes."""
    found: set[str] = set()
    for service, address in system.endpoints["postgres"].items():
        with psycopg.connect(address, autocommit=True) as conn:
            for schema, table in conn.execute(TABLES).fetchall():
                rows = sql.SQL("SELECT 1 FROM {} AS one WHERE one::text ~ %s LIMIT 1").format(
                    sql.Identifier(schema, table)
                )
                if conn.execute(rows, ["|".join(_spellings(traces))]).fetchone():
                    found.add(f"{service}.{table}")
    return found


def exporters(exported: Exported) -> set[str]:
    """The services that have exported spans so far."""
    bodies = [body for path, _, body in exported if path.endswith("/traces")]
    names = ("checkout", "consultation", "notifier", "calendar")
    # The resource's attribute in OTLP's own bytes: the key, then a string with its two lengths before it.
    named = re.compile(rb"service\.name\x12.\x0a.([a-z]+)", re.DOTALL)
    return {name for name in names if any(name.encode() in named.findall(body) for body in bodies)}


def spans_with(exported: Exported, traces: list[str]) -> list[str]:
    """Each of these that is in any exported span, metric or resource."""
    return [trace for trace in traces if any(trace.encode() in body for _, _, body in exported)]


def topics_with(system: System, traces: list[str]) -> set[str]:
    """Every topic that has one of these in any record."""
    wanted = [trace.encode() for trace in traces]
    return {raw.topic for raw in everything(system.endpoints["kafka"]) if any(raw.holds(one) for one in wanted)}


def logs_with(state: Path, traces: list[str]) -> list[str]:
    """Every log of the stack's processes that has one of these."""
    logs = [Path(folder) / name for folder, _, names in os.walk(state / "logs") for name in names]
    assert logs
    return [log.name for log in logs if any(one.encode() in log.read_bytes() for one in traces)]


def _spellings(traces: list[str]) -> list[str]:
    """As regular expressions: the text itself, and the hexadecimal that PostgreSQL shows of bytes."""
    return [part for one in traces for part in (one.replace("+", r"\+").replace(".", r"\."), one.encode().hex())]
