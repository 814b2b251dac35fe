"""Several sales, people and sessions on a real database under any sequence of commands, against a dict model.

The model knows the product (R1, R2, S4, P2, P5) and nothing of the code; after each step the tables are compared with
it and with the fold of the streams (I6 to I9).
"""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from services.consultation.tests.rig import Sold

from booking_contracts.ids import uuid7
from booking_contracts.transactions import PractitionerReassigned, RefundFailed, RefundRequested
from booking_store import Cause, CommandContext, CommandError, FreeText, Outcome, Refused, handle, load
from consultation.entitlements import store as sales
from consultation.sessions.commands import (
    Actor,
    Cancel,
    ChangePractitioner,
    Fail,
    Reschedule,
    Schedule,
    Start,
    UploadResult,
)
from consultation.sessions.state import NotRequested, fold
from consultation.sessions.store import (
    SESSION,
    AlreadyRequested,
    Draft,
    Overlapped,
    Person,
    by_person,
    by_system,
    request,
    row,
)
from consultation.sessions.times import LocalTimes

pytestmark = pytest.mark.servers

LINK = "https://meet.google.com/abc-defg-hij"
OTHER_LINK = "https://meet.google.com/xyz-abcd-efg"
CAUSE = Cause("system", "machine")
ACTIVE = ("pending_negotiation", "scheduled", "on_progress")
HOLDS = ("scheduled", "on_progress")
SALES = 3
T = TypeVar("T")


class World(RuleBasedStateMachine):
    """Two members, three practitioners (one of them a member too), three sales."""

    url: str
    runner: asyncio.Runner

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.get_loop().run_until_complete(coroutine)

    @initialize(pairs=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2)), min_size=SALES, max_size=SALES))
    def begin(self, pairs: list[tuple[int, int]]) -> None:
        self.conn = self.run(psycopg.AsyncConnection.connect(self.url, autocommit=True))
        self.rival = self.run(psycopg.AsyncConnection.connect(self.url, autocommit=True))
        self.members = [uuid4(), uuid4()]
        self.practitioners = [uuid4(), uuid4(), self.members[0]]
        self.now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        self.sold: list[Sold] = []
        self.right: dict[UUID, bool] = {}
        self.sessions: dict[UUID, dict[str, Any]] = {}
        for member, practitioner in pairs:
            chosen = self.practitioners[practitioner]
            if chosen == self.members[member]:
                chosen = self.practitioners[0]  # P1: nobody buys from themselves
            sold = Sold(member=self.members[member], practitioner=chosen)
            self.sold.append(sold)
            for event in (sold.created(), sold.assigned(), sold.paid()):
                self._note(sold, event)
            self.right[sold.id] = True

    def teardown(self) -> None:
        for name in ("conn", "rival"):
            if hasattr(self, name):
                self.run(getattr(self, name).close())

    @rule(which=st.integers(0, SALES - 1))
    def requests(self, which: int) -> None:
        sold = self.sold[which]
        standing = [s for s in self._of(sold) if s["status"] not in {"canceled", "failed"}]
        person = self._person(sold.member)
        outcome = self._outcome(request(self.conn, person, sold.id, None, self._context()))
        if not self.right[sold.id]:
            assert isinstance(outcome, Refused)
            assert outcome.refusal.code == "transaction_not_paid"
        elif standing:
            assert isinstance(outcome, AlreadyRequested)
            known = [(s["id"], s["status"] == "completed") for s in standing]
            assert known == [(outcome.session_id, outcome.used)]
        else:
            assert isinstance(outcome, Outcome)
            id_ = outcome.state.about.session_id
            self.sessions[id_] = {
                "id": id_, "sale": sold, "status": "pending_negotiation", "practitioner": sold.practitioner,
                "member": sold.member, "span": None, "version": 1,
            }  # fmt: skip

    @rule(which=st.integers(0, 9), hour=st.integers(8, 14), halves=st.integers(1, 4))
    def schedules(self, which: int, hour: int, halves: int) -> None:
        if (session := self._pick(which)) is None:
            return
        day = (self.now + timedelta(days=5)).date()
        start = datetime.combine(day, time(hour), UTC)
        span = (start, start + timedelta(minutes=30 * halves))
        times = LocalTimes(day, span[0].time(), span[1].time(), "UTC")
        kind = Reschedule if session["status"] == "scheduled" else Schedule
        people = {session["practitioner"], session["member"]}
        blocked = any(
            other["span"][0] < span[1] and span[0] < other["span"][1]
            for other in self.sessions.values()
            if other is not session and other["status"] in HOLDS and people & {other["practitioner"], other["member"]}
        )
        expected = None
        if session["status"] in {"pending_negotiation", "scheduled"}:
            expected = Overlapped if blocked else Outcome
        self._give(
            session,
            session["practitioner"],
            lambda actor, at: kind(actor, at, times, LINK),
            expected or Refused,
            status="scheduled",
            span=span,
        )

    @rule(which=st.integers(0, 9))
    def starts(self, which: int) -> None:
        if session := self._pick(which):
            expected = Outcome if session["status"] == "scheduled" else Refused
            self._give(session, session["practitioner"], Start, expected, status="on_progress")

    @rule(which=st.integers(0, 9))
    def changes_the_link(self, which: int) -> None:
        """S4: at the same time, so that no claim is written: what is held is held as before."""
        if (session := self._pick(which)) is None or session["status"] != "scheduled":
            return
        start, end = session["span"]
        times = LocalTimes(start.date(), start.time(), end.time(), "UTC")
        self._give(
            session, session["practitioner"], lambda actor, at: Reschedule(actor, at, times, OTHER_LINK), Outcome
        )

    @rule(which=st.integers(0, 9), first=st.booleans())
    def starts_while_moved(self, which: int, first: bool) -> None:
        """S4 on two connections: the start, which writes no claim, was decided on the old time or on the new one."""
        scheduled = [session for session in self.sessions.values() if session["status"] == "scheduled"]
        if not scheduled:
            return
        session = scheduled[which % len(scheduled)]
        start = session["span"][0].replace(hour=20)
        span = (start, start + timedelta(minutes=30))
        people = {session["practitioner"], session["member"]}
        if any(
            other["span"] == span and other["status"] in HOLDS and people & {other["practitioner"], other["member"]}
            for other in self.sessions.values()
        ):
            return
        times = LocalTimes(start.date(), span[0].time(), span[1].time(), "UTC")
        person = self._person(session["practitioner"])
        move = by_person(person, lambda actor, at: Reschedule(actor, at, times, LINK), self.now)
        quick, slow = (self.conn, self.rival) if first else (self.rival, self.conn)
        orders = [
            handle(quick, SESSION, session["id"], by_person(person, Start, self.now), self._context()),
            handle(slow, SESSION, session["id"], move, self._context()),
        ]
        started, moved = self.run(self._at_once(orders, first))
        assert isinstance(started, Outcome)
        session |= {"version": started.version, "status": "on_progress"}
        if isinstance(moved, Outcome):
            session |= {"span": span}
        self.run(self._compare())

    @rule(which=st.integers(0, 9))
    def uploads(self, which: int) -> None:
        if session := self._pick(which):
            text = FreeText(uuid7(), session["practitioner"], "notes")
            expected = Outcome if session["status"] in {*HOLDS, "completed"} else Refused
            self._give(session, session["practitioner"], notes_only(text), expected, text, status="completed")

    @rule(which=st.integers(0, 9), by=st.sampled_from(["practitioner", "member"]))
    def cancels(self, which: int, by: str) -> None:
        if session := self._pick(which):
            text = FreeText(uuid7(), session[by], "reason")
            expected = Outcome if session["status"] in {"pending_negotiation", "scheduled"} else Refused
            self._give(session, session[by], canceled(text), expected, text, status="canceled")

    @rule(which=st.integers(0, SALES - 1), to=st.integers(0, 2))
    def is_reassigned(self, which: int, to: int) -> None:
        sold, new = self.sold[which], self.practitioners[to]
        if new == sold.member:
            return
        event = sold.reassigned(new)
        assert isinstance(event, PractitionerReassigned)
        self._note(sold, event)
        for session in self._of(sold):
            if session["status"] in {"pending_negotiation", "scheduled"} and session["practitioner"] != new:
                due = self.now + timedelta(days=7)
                change = reassigned(new, due)
                self._give(session, None, change, Outcome, status="pending_negotiation", practitioner=new, span=None)

    @rule(which=st.integers(0, 9), to=st.integers(0, 2), first=st.booleans())
    def completes_while_reassigned(self, which: int, to: int, first: bool) -> None:
        """P2 on two connections: the result wins and the reassignment comes too late, or the old one's result is."""
        scheduled = [session for session in self.sessions.values() if session["status"] == "scheduled"]
        if not scheduled:
            return
        session = scheduled[which % len(scheduled)]
        others = [p for p in self.practitioners if p not in {session["member"], session["practitioner"]}]
        new = others[to % len(others)]
        old, due = session["practitioner"], self.now + timedelta(days=7)
        self._note(session["sale"], session["sale"].reassigned(new))
        text = FreeText(uuid7(), old, "notes")
        upload = by_person(self._person(old), notes_only(text), self.now)
        change = by_system(reassigned(new, due), self.now)
        quick, slow = (self.conn, self.rival) if first else (self.rival, self.conn)  # one has its statements prepared
        orders = [
            handle(quick, SESSION, session["id"], upload, self._context(text)),
            handle(slow, SESSION, session["id"], change, self._context()),
        ]
        uploaded, changed = self.run(self._at_once(orders, first))
        assert {type(uploaded), type(changed)} == {Outcome, Refused}, (uploaded, changed)
        session |= {"version": session["version"] + 1}
        if isinstance(uploaded, Outcome):
            session |= {"status": "completed"}
        else:
            session |= {"status": "pending_negotiation", "practitioner": new, "span": None}
        self.run(self._compare())

    async def _at_once(self, two: Sequence[Coroutine[Any, Any, Any]], first: bool) -> list[Any]:
        """Their outcomes in the given order; `first` says which of them is begun first."""
        begun = await asyncio.gather(*(two if first else reversed(two)), return_exceptions=True)
        assert all(isinstance(one, Outcome | CommandError) for one in begun), begun
        return begun if first else begun[::-1]

    @rule(which=st.integers(0, SALES - 1))
    def is_refunded(self, which: int) -> None:
        sold = self.sold[which]
        event = sold.refund_requested()
        assert isinstance(event, RefundRequested)
        self._note(sold, event)
        self.right[sold.id] = False
        for session in self._of(sold):
            if session["status"] in ACTIVE:
                self._give(session, None, reversed_payment, Outcome, status="failed")

    @rule(which=st.integers(0, SALES - 1))
    def refund_fails(self, which: int) -> None:
        sold = self.sold[which]
        if not self.right[sold.id]:
            event = sold.refund_failed()
            assert isinstance(event, RefundFailed)
            self._note(sold, event)
            self.right[sold.id] = True

    def _give(
        self,
        session: dict[str, Any],
        by: UUID | None,
        draft: Draft,
        expected: type,
        text: FreeText | None = None,
        **change: Any,
    ) -> None:
        command = by_system(draft, self.now) if by is None else by_person(self._person(by), draft, self.now)
        outcome = self._outcome(handle(self.conn, SESSION, session["id"], command, self._context(text)))
        assert isinstance(outcome, expected), (session, outcome)
        if isinstance(outcome, Outcome):
            session |= change | {"version": session["version"] + 1}
        self.run(self._compare())

    def _outcome(self, command: Coroutine[Any, Any, Any]) -> Any:
        try:
            return self.run(command)
        except CommandError as error:
            return error

    async def _compare(self) -> None:
        """The rows are the model and the fold of the streams; claims are exactly the spans of who holds a time."""
        for session in self.sessions.values():
            cursor = await self.conn.execute(
                "SELECT status, practitioner_id, starts_at, ends_at, version FROM feedback_session WHERE id = %s",
                [session["id"]],
            )
            found = await cursor.fetchone()
            span = session["span"] or (None, None)
            assert found == (session["status"], session["practitioner"], *span, session["version"])
            state = fold(stored.event for stored in await load(self.conn, session["id"]))
            assert not isinstance(state, NotRequested)
            assert (row(state)["status"], row(state)["starts_at"]) == (session["status"], span[0])
            cursor = await self.conn.execute(
                "SELECT person_id, lower(during), upper(during) FROM time_claim WHERE session_id = %s", [session["id"]]
            )
            people = {session["practitioner"], session["member"]} if session["status"] in HOLDS else set()
            assert set(await cursor.fetchall()) == {(person, *span) for person in people}

    def _note(self, sold: Sold, event: Any) -> None:
        sold.version += 1
        self.run(sales.note(self.conn, event, sold.version))

    def _of(self, sold: Sold) -> list[dict[str, Any]]:
        return [session for session in self.sessions.values() if session["sale"] is sold]

    def _pick(self, which: int) -> dict[str, Any] | None:
        known = list(self.sessions.values())
        return known[which % len(known)] if known else None

    def _person(self, id_: UUID) -> Person:
        return Person(id_, frozenset({"member", "practitioner"}))

    def _context(self, text: FreeText | None = None) -> CommandContext:
        return CommandContext(CAUSE, self.now, text=text)


def notes_only(text: FreeText) -> Draft:
    return lambda actor, at: UploadResult(actor, at, text.id, has_link=False, has_notes=True)


def canceled(text: FreeText) -> Draft:
    return lambda actor, at: Cancel(actor, at, "other", text.id)


def reassigned(new: UUID, due: datetime) -> Draft:
    return lambda actor, at: ChangePractitioner(actor, at, new, due)


def reversed_payment(actor: Actor, at: datetime) -> Fail:
    return Fail(actor, at, "payment_reversed")


def test_any_history__keeps_the_products_rules(fresh_database):
    """R1, R2, S4, P2, P5: 25 histories of 30 steps."""
    with asyncio.Runner() as runner:
        World.url, World.runner = fresh_database("consultation").app_url, runner
        run_state_machine_as_test(
            World,
            settings=settings(
                max_examples=25,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
            ),
        )
