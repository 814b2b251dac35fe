"""`booking-ops audit` sees whatever is spoiled, and proves what healed a lost table and a lost topic (I3 to I13)."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from tests.e2e.conftest import system_of
from tests.e2e.system import Cast, System, booking, cast, local_stack, until

from booking_contracts.admin import create_topics
from booking_contracts.deadlines import connected
from booking_contracts.topics import SESSIONS
from booking_local.layout import Layout
from booking_local.stack.secrets import load

pytestmark = [pytest.mark.servers, pytest.mark.e2e, pytest.mark.timeout(900)]


class Spoiled(NamedTuple):
    """One thing made wrong in a service's database, and what the audit must say of it."""

    service: str
    sql: str
    section: str
    says: str


SPOILED = (
    Spoiled(
        "checkout",
        "DELETE FROM events WHERE type = 'TransactionPaid' AND stream_id = %(sale)s",
        "booking.checkout.transactions.v1",
        "in the topic but not in the store",
    ),
    Spoiled(
        "checkout",
        "UPDATE practitioner SET bio = 'changed past the relay'",
        "booking.directory.practitioners.v1 = its rows",
        "differs in the topic from its row",
    ),
    Spoiled(
        "checkout",
        "UPDATE person SET version = version + 1 WHERE id = %(member)s",
        "booking.directory.contacts.v1 = its rows",
        "the topic ends at version",
    ),
    Spoiled(
        "notifier",
        """DELETE FROM notification WHERE id = (
               SELECT min(id::text)::uuid FROM notification WHERE template NOT LIKE 'reminder%%')""",
        "booking.notifier.notifications.v1 = its rows",
        "in the topic, and there is no row",
    ),
    Spoiled(
        "checkout",
        "UPDATE product SET amount = amount + 1 WHERE id = (SELECT product_id FROM transaction WHERE id = %(sale)s)",
        "booking.checkout.products.v1 = its rows",
        "differs in the topic from its row",
    ),
    Spoiled(
        "checkout",
        "UPDATE transaction SET product_name = 'x' WHERE id = %(other_sale)s",
        "booking.checkout.transaction-states.v1 = its rows",
        "differs in the topic from its row",
    ),
    Spoiled(
        "consultation",
        "UPDATE feedback_session SET respond_by = respond_by + interval '1 day' WHERE id = %(session)s",
        "booking.consultation.session-states.v1 = its rows",
        "differs in the topic from its row",
    ),
    Spoiled(
        "consultation",
        "UPDATE told_assessment SET version = version + 1 WHERE user_id = %(member)s",
        "booking.assessments.v1 = its rows",
        "the topic ends at version 1, the row has 2",
    ),
    Spoiled(
        "notifier",
        "UPDATE preference SET whatsapp = NOT whatsapp WHERE person_id = %(member)s",
        "booking.notifier.preferences.v1 = its rows",
        "differs in the topic from its row",
    ),
    Spoiled(
        "calendar",
        "UPDATE person_locale SET locale = 'id' WHERE person_id = %(member)s",
        "the calendar's locales = people",
        "locale is 'id', should be 'en'",
    ),
    Spoiled(
        "calendar",
        "UPDATE user_schedule_{slot} SET row_version = row_version - 1 WHERE session_id = %(session)s",
        "booking.calendar.user-schedule.v1 = its rows",
        "in the row",
    ),
    Spoiled(
        "checkout", "UPDATE transaction SET paid_at = NULL WHERE id = %(other_sale)s", "transaction = fold", "paid_at"
    ),
    Spoiled(
        "consultation",
        "UPDATE feedback_session SET result_has_link = true WHERE id = %(session)s",
        "feedback_session = fold",
        "result_has_link is True, should be False",
    ),
    Spoiled(
        "consultation",
        """UPDATE feedback_session s SET starts_at = o.starts_at, ends_at = o.ends_at FROM feedback_session o
           WHERE s.id = %(other)s AND o.id = %(session)s""",
        "overlaps",
        "overlaps an earlier one",
    ),
    Spoiled("consultation", "DELETE FROM time_claim WHERE person_id = %(member)s", "overlaps", "claims of 1 persons"),
    Spoiled(
        "consultation",
        "DELETE FROM inbox WHERE topic = 'booking.directory.contacts.v1'",
        "consultation ← booking.directory.contacts.v1",
        "is not taken, taken up to 0",
    ),
    Spoiled(
        "checkout",
        "UPDATE inbox SET version = version + 5 WHERE key = %(session)s::text",
        "checkout-sessions ← booking.consultation.sessions.v1",
        "and the topic ends at 2",
    ),
    Spoiled(
        "calendar",
        "UPDATE user_schedule_{slot} SET status = 'failed' WHERE session_id = %(session)s",
        "user_schedule =",
        "status is 'failed', should be 'scheduled'",
    ),
    Spoiled(
        "calendar",
        "UPDATE user_schedule_{slot} SET version = 1 WHERE session_id = %(other)s",
        "the calendar's versions",
        "version is 1, should be 2",
    ),
    Spoiled(
        "consultation",
        "UPDATE entitlement SET practitioner_id = uuidv7() WHERE transaction_id = %(sale)s",
        "consultation's sales",
        "practitioner_id is",
    ),
    Spoiled(
        "consultation",
        "UPDATE entitlement SET status = 'expired' WHERE transaction_id = %(other_sale)s",
        "consultation's rights",
        "paid is False, should be True",
    ),
    Spoiled("notifier", "UPDATE sale SET product_name = 'x'", "the notifier's sales", "product_name is 'x'"),
    Spoiled("notifier", "UPDATE session SET status = 'failed'", "the notifier's sessions", "status is 'failed'"),
    Spoiled("checkout", "UPDATE consulted_session SET has_result = true", "checkout's sessions", "has_result is True"),
    Spoiled(
        "checkout",
        "UPDATE practitioner_month SET activity = activity + 1",
        "ranking's months",
        "activity is 3, should be 2",
    ),
    Spoiled("checkout", "UPDATE ranking SET productivity = 7", "the list", "productivity is 7, should be 0"),
    Spoiled("consultation", "UPDATE practitioner SET name = 'X'", "consultation's practitioners", "name is 'X'"),
    Spoiled("notifier", "DELETE FROM practitioner", "notifier's practitioners", "no row for it"),
    Spoiled("consultation", "UPDATE contact SET name = 'X'", "consultation's contacts", "contact is"),
    Spoiled("notifier", "UPDATE contact SET phone = '+1'", "the notifier's contacts", "contact is"),
    Spoiled(
        "notifier",
        "UPDATE notification SET due_at = due_at + interval '1 day' WHERE template LIKE 'reminder%%'",
        "messages asked for",
        "is due at",
    ),
    Spoiled(
        "notifier",
        """UPDATE notification SET not_before = now() - interval '1 hour'
           WHERE state = 'pending' AND template LIKE 'reminder%%'""",
        "messages asked for",
        "neither sent nor given up",
    ),
)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, System]]:
    """A stack of this module's own: what is done to it, no other test should meet."""
    folder = tmp_path_factory.mktemp("audited")
    with local_stack(folder), system_of(folder) as system:
        yield folder, system


@pytest.fixture(scope="module")
def played(own: tuple[Path, System]) -> tuple[Cast, dict[str, str]]:
    """One practitioner and one member with two sessions on the calendar; their ids by name."""
    story = cast(own[1])
    chosen = {"channels": {"email": True, "whatsapp": True}}
    story.system.put(story.member, "checkout", "/v1/me", {"locale": "en"})
    story.system.put(story.member, "notifier", "/v1/preferences", chosen)
    done = {"user_id": str(story.member.sub), "completed_at": "2026-11-20T08:00:00Z"}
    story.system.put(story.admin, "consultation", f"/v1/assessments/{uuid4()}", done)
    sales = [story.paid(), story.paid()]
    sessions: list[dict[str, Any]] = []
    for number, sale in enumerate(sales):
        story.consultation_knows(sale)
        sessions.append(story.request(sale))
        story.schedule(sessions[-1], days=7 + number)
    for session in sessions:
        until("the calendar to show it", lambda s=session: story.calendar(story.member, s["id"]))
    ids = {
        "sale": sales[0]["id"],
        "other_sale": sales[1]["id"],
        "session": sessions[0]["id"],
        "other": sessions[1]["id"],
    }
    return story, {**ids, "member": str(story.member.sub)}


def audited(state: Path) -> tuple[int, dict[str, list[str]]]:
    """The command's exit code, and what it says differs, by section."""
    code, report = reported(state)
    differences = {
        section["name"]: [f"{one['what']} → {one['remedy']}" for one in section["differences"]]
        for section in report["sections"]
    }
    return code, {name: found for name, found in differences.items() if found}


def reported(state: Path) -> tuple[int, dict[str, Any]]:
    """The command's exit code and its report."""
    done = booking("audit", "--json", state=state)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert report["proven"] is (done.returncode == 0)
    return done.returncode, report


def proven(state: Path) -> None:
    until("the audit to prove it", lambda: audited(state) == (0, {}) or None)


def test_lost_table__is_seen_and_the_rebuild_is_proven(own: tuple[Path, System], played: object) -> None:
    """I6: every row of `user_schedule` gone."""
    state, system = own
    proven(state)
    with psycopg.connect(system.endpoints["postgres"]["calendar"], autocommit=True) as owner:
        owner.execute("TRUNCATE user_schedule_a, user_schedule_b")
    code, found = audited(state)
    assert code == 1
    lost = found["user_schedule = sessions that ever had a date"]
    assert len(lost) == 2
    _accepted_and_green_again(state, len(lost))
    assert all(what.endswith("no row for it → booking-ops rebuild calendar") for what in lost)
    rebuilt = booking("rebuild", "calendar", state=state)
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    proven(state)


def _accepted_and_green_again(state: Path, lost: int) -> None:
    """What was accepted is listed, and fails no more; a new loss would. The figures tell both, and when."""
    kept, figures = str(state / "accepted.json"), state / "audit.prom"
    accepted = booking("audit", "--baseline", kept, "--accept", "--because", "a drill", state=state)
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    entries = json.loads(Path(kept).read_text("utf-8"))["accepted"]
    assert {one["because"] for one in entries} == {"a drill"}
    green = booking("audit", "--baseline", kept, "--metrics-file", str(figures), state=state)
    assert green.returncode == 0, green.stdout + green.stderr
    assert green.stdout.splitlines()[-1] == f"Proven: nothing lost, nothing doubled besides {len(entries)} accepted."
    assert green.stderr.count("accepted: ") == len(entries) >= lost
    lines = [line for line in figures.read_text("utf-8").splitlines() if line[0] != "#"]
    told = {line.rpartition(" ")[0]: line.rpartition(" ")[2] for line in lines}
    section = 'section="user_schedule = sessions that ever had a date"'
    assert float(told[f"booking_audit_accepted{{{section}}}"]) == lost
    assert float(told[f"booking_audit_differences{{{section}}}"]) == 0
    assert float(told["booking_audit_proven"]) == 1
    assert time.time() - float(told["booking_audit_finished_timestamp_seconds"]) < 600


def test_lost_topic__is_seen_and_published_again_is_proven(own: tuple[Path, System], played: object) -> None:
    """I4, F51: the topic of sessions deleted and made anew, as operations.md says."""
    state, system = own
    asyncio.run(_made_anew(system.endpoints["kafka"], SESSIONS.name))
    code, found = audited(state)
    assert code == 1
    assert all("→ booking-ops republish" in what for what in found[SESSIONS.name])
    assert len(found[SESSIONS.name]) == 4
    again = booking("republish", "--service", "consultation", state=state)
    assert again.returncode == 0, again.stdout + again.stderr
    proven(state)


def test_zone_with_other_rules_now__is_a_notice_and_no_difference(
    own: tuple[Path, System], played: tuple[Cast, dict[str, str]]
) -> None:
    """S1, F63: as if the zone had changed its offset since: the same local time, now another instant."""
    state, system = own
    session = played[1]["session"]
    with psycopg.connect(system.endpoints["postgres"]["consultation"], autocommit=True) as owner:
        owner.execute("UPDATE feedback_session SET timezone = 'Asia/Makassar' WHERE id = %s", [session])
    _, report = reported(state)
    (zones,) = (section for section in report["sections"] if section["name"].endswith("rules of their zones"))
    assert (zones["counts"]["changed"], zones["differences"]) == (1, [])
    assert session in zones["notices"][0]
    with psycopg.connect(system.endpoints["postgres"]["consultation"], autocommit=True) as owner:
        owner.execute("UPDATE feedback_session SET timezone = 'Asia/Jakarta' WHERE id = %s", [session])


def test_spoiled__each_thing_is_named(own: tuple[Path, System], played: tuple[Cast, dict[str, str]]) -> None:
    state, system = own
    _, ids = played
    proven(state)
    with _stopped(system, "notifier"), psycopg.connect(_admin(state, system, "calendar")) as calendar:
        row = calendar.execute("SELECT active_slot()").fetchone()
        for one in SPOILED:
            with psycopg.connect(_admin(state, system, one.service), autocommit=True) as conn:
                conn.execute("SET session_replication_role = replica")  # past the triggers, as a defect would be
                conn.execute("SET lock_timeout = '5s'")
                done = conn.execute(one.sql.replace("{slot}", row[0] if row else "a").encode(), ids)
                assert done.rowcount > 0, one
        code, found = audited(state)
    assert code == 1
    unseen = [
        one
        for one in SPOILED
        if not any(one.says in what for name, all_ in found.items() if name.startswith(one.section) for what in all_)
    ]
    assert not unseen, (unseen, found)
    assert all(not what.endswith("→ ") for all_ in found.values() for what in all_), "each with what to do"


def _admin(state: Path, system: System, service: str) -> str:
    host = system.endpoints["postgres"][service].rpartition("@")[2]
    return f"postgresql://postgres:{load(Layout(state)).postgres_superuser}@{host}"


@contextmanager
def _stopped(system: System, service: str) -> Iterator[None]:
    """Its processes stand still, so that they neither send nor mend."""
    pids = [one["pid"] for one in system.endpoints["processes"] if one["name"].startswith(service)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def _made_anew(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    async with connected(admin):
        await admin.delete_topics([topic])
        async with asyncio.timeout(30):
            while topic in await admin.list_topics():  # noqa: ASYNC110 - a broker tells nobody
                await asyncio.sleep(0.05)
    await create_topics(bootstrap)
