"""The checker must catch what it is there for: a small good history holds, and each way of spoiling it is named."""

import copy
import dataclasses
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from tests.chaos.checker.verdict import CHECKS, judge
from tests.chaos.evidence import (
    Delivery,
    Evidence,
    HeldRow,
    Notice,
    Position,
    Published,
    Reception,
    Remembered,
    Stored,
    Version,
    load,
)
from tests.chaos.faults import SERVERS, SERVICES, STAND_INS, plan
from tests.chaos.history import Attempt, Operation, Recorder, read_history
from tests.chaos.network import KINDS, SOAK_SECONDS, network_plan

SALE, SESSION, MEMBER, BUDI = "sale-1", "session-1", "member-1", "budi-1"
TRANSACTIONS, SESSIONS = "booking.checkout.transactions.v1", "booking.consultation.sessions.v1"
STARTS_AT = 1796090400.0
PRICE = {"amount": 250000, "currency": "IDR"}
PAID, REQUESTED = "com.booking.checkout.TransactionPaid.v2", "com.booking.consultation.ScheduleRequested.v1"


def event(stream: str, version: int, kind: str, by: str, cause: str | None = None, **data: Any) -> Stored:
    is_sale = stream.startswith("sale")
    service, stream_type = ("checkout", "transaction") if is_sale else ("consultation", "feedback_session")
    parties = {"user_id": MEMBER, "practitioner_id": BUDI}
    return Stored(
        service, version, stream_type, stream, version, f"{stream}/{version}", kind, {**parties, **data}, by, cause, 0.0
    )


def operation(kind: str, *attempts: Attempt, key: str = "", service: str = "consultation", **more: Any) -> Operation:
    return Operation(f"op-{kind}", kind, MEMBER, service, key or f"key-{kind}", attempts=list(attempts), **more)


def ok(request_id: str, object_id: str, version: int, status: int = 200) -> Attempt:
    return Attempt(request_id, 0.0, "ok", 1.0, status, None, object_id, version)


def session_row(session: str, sale: str, member: str, starts_at: float) -> dict[str, Any]:
    parties = {"practitioner_id": BUDI, "user_id": member, "assessment_id": None}
    times = {"starts_at": starts_at, "ends_at": starts_at + 3600}
    return {"id": session, "transaction_id": sale, "status": "scheduled", "version": 2, **parties, **times}


def claim(session: str, person: str) -> dict[str, Any]:
    return {"session_id": session, "person_id": person, "starts_at": STARTS_AT, "ends_at": STARTS_AT + 3600}


def paid_with(payment_id: str, stream: str, version: int) -> Stored:
    details = {"provider": "manual", "provider_payment_id": payment_id, "amount": dict(PRICE)}
    return event(stream, version, "TransactionPaid", "service:manual", "n", **details)


def payment(payment_id: str, request_id: str) -> Operation:
    taken = [Attempt(request_id, 0.0, "ok", 1.0, 200)]
    return Operation(f"op-{payment_id}", "pay", "provider", "checkout", None, SALE, 250000, payment_id, taken)


def good() -> Evidence:
    """A purchase, its payment, a request, a schedule with a lost answer in between, and a refused second request."""
    held_time = {"starts_at": "2026-12-01T02:00:00Z", "ends_at": "2026-12-01T03:00:00Z", "schedule_version": 1}
    events = [
        event(SALE, 1, "TransactionCreated", "member:m", "buy-0", price=PRICE),
        event(SALE, 2, "PractitionerAssigned", "member:m", "buy-0"),
        paid_with("p1", SALE, 3),
        event(SESSION, 1, "ScheduleRequested", "member:m", "req-0", status="pending_negotiation", transaction_id=SALE),
        event(SESSION, 2, "SessionScheduled", "practitioner:b", "sch-0", status="scheduled", **held_time),
    ]
    topic = {"checkout": TRANSACTIONS, "consultation": SESSIONS}
    records = [Published(topic[e.service], 0, e.version - 1, e.stream_id, e.id, e.version) for e in events]
    records.append(Published(SESSIONS, 0, 2, SESSION, f"{SESSION}/1", 1, "duplicate"))
    records.append(Published(SESSIONS, 0, 3, None, None, None, "poison"))
    lost = Attempt("sch-0", 0.0)
    return Evidence(
        operations=[
            operation("buy", ok("buy-0", SALE, 2, 201), service="checkout"),
            payment("p1", "n"),
            operation("request", ok("req-0", SESSION, 1, 201)),
            operation("schedule", lost, ok("sch-1", SESSION, 2)),
            Operation(
                "op-r2",
                "request",
                MEMBER,
                "consultation",
                "k2",
                attempts=[Attempt("r2-0", 0.0, "refused", 1.0, 409, "active_session_exists")],
            ),
        ],
        events=events,
        records=records,
        outbox={"checkout": 0, "consultation": 0},
        versions=[
            Version("notifier", "notifier", SESSIONS, SESSION, 2),
            Version("notifier", "notifier", TRANSACTIONS, SALE, 3),
        ],
        held=[HeldRow("notifier", "notifier", SESSIONS, 0, 3, None, None, "undecodable", None)],
        positions=[
            Position("notifier", "notifier", SESSIONS, 0, 4, 4),
            Position("notifier", "notifier", TRANSACTIONS, 0, 3, 3),
            Position("calendar", "projection", SESSIONS, 0, 4, 4),
            Position("calendar-stream", "calendar-stream", SESSIONS, 0, 4, 4),
            Position("calendar-stream", "calendar-stream", TRANSACTIONS, 0, 3, 3),
        ],
        told=[e.id for e in events],
        remembered=[
            Remembered("checkout", MEMBER, "POST", "key-buy", 201, SALE, 2),
            Remembered("consultation", MEMBER, "POST", "key-request", 201, SESSION, 1),
            Remembered("consultation", MEMBER, "POST", "key-schedule", 200, SESSION, 2),
        ],
        sessions=[session_row(SESSION, SALE, MEMBER, STARTS_AT)],
        claims=[claim(SESSION, person) for person in (MEMBER, BUDI)],
        transactions=[{"id": SALE, "status": "paid", "version": 3}],
        schedule=[
            {
                "session_id": SESSION,
                "status": "scheduled",
                "schedule_version": 1,
                "starts_at": STARTS_AT,
                "ends_at": STARTS_AT + 3600,
            }
        ],
        notices=[
            Notice("n1", f"{SALE}/3", MEMBER, "email", "paid", "sent", 1, -5.0),
            Notice("n2", f"{SESSION}/1", BUDI, "email", "requested", "sent", 1, -5.0),
            Notice("n3", f"{SESSION}/2", MEMBER, "email", "scheduled", "sent", 1, -5.0),
            Notice("n4", f"{SESSION}/2", MEMBER, "email", "reminder_24h", "pending", 0, 9000.0),
        ],
        deliveries={"n1": 1, "n2": 1, "n3": 1},
        endpoints=[
            {"id": "w1", "url": "http://one", "event_types": [PAID, REQUESTED], "status": "enabled"},
            {"id": "w2", "url": "http://two", "event_types": [PAID], "status": "disabled"},
        ],
        webhooks=[
            Delivery("w1", f"{SALE}/3", "delivered"),
            Delivery("w1", f"{SESSION}/1", "failed"),
            Delivery("w2", f"{SALE}/3", "pending"),
        ],
        receptions=[
            Reception("w1", f"{SALE}/3", True, 500),
            Reception("w1", f"{SALE}/3", True, 204),
            Reception("w1", f"{SALE}/3", True, 204),
            Reception("w2", f"{SALE}/3", True, 410),
        ],
        recovery_seconds=7.0,
    )


def broken(evidence: Evidence) -> set[str]:
    return {violation.invariant for violation in judge(evidence).violations}


def test_a_good_history__holds():
    assert [str(violation) for violation in judge(good()).violations] == []
    figures = judge(good()).figures
    assert (figures["acknowledged"], figures["refused"], figures["attempts"]) == (4, 1, 6)


Spoil = Callable[[Evidence], Any]


def drop(name: str, where: Callable[[Any], bool]) -> Spoil:
    return lambda e: setattr(e, name, [one for one in getattr(e, name) if not where(one)])


def add(name: str, *what: Any) -> Spoil:
    return lambda e: getattr(e, name).extend(what)


def change(name: str, index: int, **values: Any) -> Spoil:
    from dataclasses import replace

    def spoil(e: Evidence) -> None:
        rows = getattr(e, name)
        rows[index] = {**rows[index], **values} if isinstance(rows[index], dict) else replace(rows[index], **values)

    return spoil


def several(*spoils: Spoil) -> Spoil:
    def spoil(e: Evidence) -> None:
        for one in spoils:
            one(e)

    return spoil


def put(name: str, value: Any) -> Spoil:
    return lambda e: setattr(e, name, value)


OVERLAP = session_row("session-2", "sale-2", "member-2", STARTS_AT + 1800)


def held_for_a_while(since: float, until: float) -> list[Stored]:
    """Another session of Budi, half an hour into the first one's time, that was held and then canceled."""
    times = {"starts_at": "2026-12-01T02:30:00Z", "ends_at": "2026-12-01T03:30:00Z"}
    steps = [("ScheduleRequested", "pending_negotiation", since), ("SessionScheduled", "scheduled", since)]
    steps.append(("SessionCanceled", "canceled", until))
    events = [
        event(
            "session-2", number, kind, "system", None, status=status, user_id="member-2", transaction_id=SALE, **times
        )
        for number, (kind, status, _) in enumerate(steps, start=1)
    ]
    return [dataclasses.replace(one, recorded_at=at) for one, (_, _, at) in zip(events, steps, strict=True)]


REFUSED_YET_DONE = operation("cancel", Attempt("can-0", 0.0, "refused", 1.0, 409, "wrong_status"))
TWICE = operation("start", ok("st-0", SESSION, 3), ok("st-1", SESSION, 4))

SPOILT: dict[str, tuple[set[str], Spoil]] = {
    "an acknowledged event is gone": ({"I1"}, drop("events", lambda e: e.type == "SessionScheduled")),
    "an acknowledged version is not the stored one": (
        {"I1", "I14"},
        lambda e: e.operations[3].attempts.append(ok("sch-2", SESSION, 9)),
    ),
    "a refused command left its event": (
        {"I2"},
        several(
            add("operations", REFUSED_YET_DONE),
            add("events", event(SESSION, 3, "SessionCanceled", "member:m", "can-0", status="canceled")),
        ),
    ),
    "an event that nobody asked for": (
        {"I2"},
        add("events", event(SESSION, 3, "SessionStarted", "practitioner:b", "x-9", status="on_progress")),
    ),
    "a hole in a stream": ({"I3"}, change("events", 4, version=3)),
    "an event id twice": ({"I3"}, change("events", 4, id=f"{SESSION}/1")),
    "a relay that reads position > last lost a record": ({"I4"}, drop("records", lambda r: r.id == f"{SALE}/2")),
    "a record without a stored event": ({"I4"}, add("records", Published(SESSIONS, 1, 0, "s-9", "s-9/1", 1))),
    "version 2 before version 1": (
        {"I5"},
        several(change("records", 3, offset=1), change("records", 4, offset=0)),
    ),
    "a read row behind its stream": ({"I6"}, change("sessions", 0, version=1)),
    "a lost transaction row": ({"I6"}, put("transactions", [])),
    "a stale calendar row": ({"I6"}, change("schedule", 0, starts_at=1.0)),
    "a session that is missing in the calendar": ({"I6"}, put("schedule", [])),
    "a calendar row from nowhere": ({"I6"}, add("schedule", {"session_id": "s-9"})),
    "two active sessions of one sale": ({"I7"}, add("sessions", {**OVERLAP, "transaction_id": SALE})),
    "an overlap check without the constraint": ({"I8"}, add("sessions", OVERLAP)),
    "an overlap that was over before the end": ({"I8"}, add("events", *held_for_a_while(100.0, 200.0))),
    "a missing claim": ({"I8"}, put("claims", [])),
    "a claim left over": ({"I8"}, add("claims", claim("s-9", BUDI))),
    "a claim of another time": ({"I8"}, change("claims", 0, ends_at=STARTS_AT + 7200)),
    "a step that the lifecycle forbids": ({"I9"}, change("events", 4, type="ResultReplaced")),
    "a payment that confirms twice": ({"I10"}, add("events", paid_with("p1", "sale-2", 1))),
    "a wrong amount that confirms": ({"I10"}, lambda e: e.events[2].data.update(amount={**PRICE, "amount": 1})),
    "a session on an unpaid sale": ({"I10"}, drop("events", lambda e: e.type == "TransactionPaid")),
    "money that vanished": ({"I10"}, add("operations", payment("p2", "p2-0"))),
    "a message that was never planned": ({"I11"}, drop("notices", lambda n: n.id == "n2")),
    "a send before the ledger row, lost": ({"I11"}, lambda e: e.deliveries.pop("n2")),
    "a message delivered twice without a crash": ({"I11"}, lambda e: e.deliveries.update(n2=2)),
    "a delivery that the ledger does not know": ({"I11"}, lambda e: e.deliveries.update(n9=1)),
    "a message planned twice": (
        {"I11"},
        add("notices", Notice("n5", f"{SESSION}/1", BUDI, "email", "requested", "skipped", 0, 0.0)),
    ),
    "a message that is stuck": ({"I11"}, change("notices", 1, state="pending", due_in=-300.0)),
    "an outbox that does not empty": ({"I12"}, put("outbox", {"checkout": 3})),
    "a consumer that is behind": ({"I12"}, change("positions", 1, next=2)),
    "a recovery that took too long": ({"I12"}, put("recovery_seconds", 61.0)),
    "no recovery": ({"I12"}, put("recovery_seconds", None)),
    "swallowed poison": ({"I13"}, put("held", [])),
    "a consumer that acknowledged before its commit": ({"I13"}, change("versions", 0, version=1)),
    "a key that a consumer never saw": ({"I13"}, lambda e: e.versions.pop(1)),
    "an event that no stream was told": ({"I13"}, lambda e: e.told.pop(3)),
    "an event that streams were told twice": ({"I13"}, add("told", f"{SESSION}/2")),
    "an event that streams were told before the one before it": ({"I13"}, lambda e: e.told.reverse()),
    "an event of nobody's that streams were told": ({"I13"}, add("told", "another")),
    "one key with two effects": (
        {"I14"},
        several(
            add("operations", TWICE),
            add("remembered", Remembered("consultation", MEMBER, "POST", "key-start", 200, SESSION, 3)),
            add("events", event(SESSION, 3, "SessionStarted", "practitioner:b", "st-0", status="on_progress")),
            add("events", event(SESSION, 4, "SessionStarted", "practitioner:b", "st-1", status="on_progress")),
        ),
    ),
    "a key that was forgotten": ({"I14"}, drop("remembered", lambda r: r.key == "key-request")),
    "a webhook that was never planned": ({"I15"}, drop("webhooks", lambda w: w.endpoint == "w2")),
    "a webhook planned twice": ({"I15"}, add("webhooks", Delivery("w1", f"{SALE}/3", "failed"))),
    "a webhook that is told as delivered and never was": (
        {"I15"},
        drop("receptions", lambda r: r.endpoint == "w1" and r.status == 204),
    ),
    "a webhook that waits though all is well": ({"I15"}, change("webhooks", 1, status="pending")),
    "a webhook that nobody signed": ({"I15"}, change("receptions", 1, verified=False)),
    "a webhook by another id": ({"I15"}, change("receptions", 1, webhook_id="another")),
    "a refusal that was remembered": (
        {"I14"},
        add("remembered", Remembered("consultation", MEMBER, "POST", "k2", 409, None, None)),
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_spoilt__is_caught_by_its_invariant(name: str):
    expected, spoil = SPOILT[name]
    evidence = copy.deepcopy(good())
    spoil(evidence)
    assert expected <= broken(evidence), judge(evidence).violations


def test_every_invariant_is_proven_to_catch_something():
    assert set().union(*(expected for expected, _ in SPOILT.values())) == set(CHECKS)


def test_a_time_that_is_handed_on__is_no_overlap():
    evidence = good()
    evidence.events.extend(held_for_a_while(100.0, 110.0))  # its statement waited for the deadline, no longer
    assert "I8" not in broken(evidence)


def test_an_unknown_answer__may_go_either_way():
    happened, not_happened = copy.deepcopy(good()), copy.deepcopy(good())
    happened.operations[3].attempts.pop()
    not_happened.operations.append(operation("fail", Attempt("f-0", 0.0)))
    assert broken(happened) == set()
    assert broken(not_happened) == set()


def test_a_copy_after_a_crash_of_the_notifier__is_allowed():
    evidence = good()
    evidence.deliveries["n2"] = 2
    evidence.crashes["notifier-all"] = 1
    evidence.notices[1] = dataclasses.replace(evidence.notices[1], ambiguities=1)
    assert broken(evidence) == set()


def test_a_copy_that_the_ledger_does_not_mark__is_caught():
    evidence = good()
    evidence.deliveries["n2"] = 2
    evidence.crashes["notifier-all"] = 1
    assert broken(evidence) == {"I11"}


def test_a_gap_that_waits__is_held_not_skipped():
    evidence = good()
    evidence.versions[0] = Version("notifier", "notifier", SESSIONS, SESSION, 1)
    evidence.held.append(HeldRow("notifier", "notifier", SESSIONS, 0, 1, SESSION, 2, "gap", None))
    assert broken(evidence) == set()


def test_evidence__saved_and_loaded_gives_the_same_verdict(tmp_path):
    evidence = good()
    evidence.outbox = {"checkout": 2}
    evidence.save(tmp_path / "evidence.json")
    assert judge(load(tmp_path / "evidence.json")) == judge(evidence)


def test_history__is_read_back_as_it_was_recorded_also_when_cut(tmp_path):
    recorder = Recorder(tmp_path / "history.jsonl")
    done, lost = operation("buy"), operation("fail")
    for one, outcome in ((done, "ok"), (lost, None)):
        attempt = Attempt(f"{one.id}-0", 1.0)
        recorder.begin(one, attempt)
        if outcome:
            attempt.outcome = "ok"
            recorder.end(one, attempt)
    recorder.close()
    path = tmp_path / "history.jsonl"
    path.write_text(path.read_text() + '{"at": 1, "oper')
    assert read_history(path) == [done, lost]
    assert [one.outcome for one in read_history(path)] == ["ok", "unknown"]


def test_plan__is_the_seeds_alone_and_spares_nobody_in_a_long_run():
    assert plan(7, 60) == plan(7, 60)
    assert plan(7, 60) != plan(8, 60)
    long = plan(7, 3600)
    assert {fault.target for fault in long if fault.target} == {*SERVICES, *SERVERS, *STAND_INS}
    assert {fault.kind for fault in long} == {
        "kill",
        "pause",
        "restart",
        "cut",
        "duplicate",
        "reorder",
        "poison",
        "mail_down",
        "slow_writer",
        "mid_commit",
    }
    assert all(before.at < after.at for before, after in pairwise(long))


def test_network_plan__is_the_seeds_alone_one_at_a_time_and_silent_for_long_only_in_a_soak():
    assert network_plan(7, 60) == network_plan(7, 60)
    assert network_plan(7, 60) != network_plan(8, 60)
    short, soak = network_plan(7, SOAK_SECONDS - 1), network_plan(7, 3600)
    assert {fault.kind for fault in short} == {*KINDS}
    assert max(fault.seconds for fault in short) <= 8
    assert {fault.kind for fault in soak if fault.seconds > 40} == {"silent_broker"}
    assert all(before.at + before.seconds < after.at for before, after in pairwise(soak))


def test_plan_of_a_soak__lets_every_process_grow_old():
    killed = [fault.at for fault in plan(7, 3600) if fault.kind in {"kill", "restart", "mid_commit"}]
    assert max(after - before for before, after in pairwise(killed)) > 600
    assert min(killed) < 60
    assert max(killed) > 2400
