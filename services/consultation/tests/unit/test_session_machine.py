"""One session under any sequence of commands, against a model that is a dict (I9, S5, R4, P2)."""

from datetime import datetime, time, timedelta
from typing import Any, get_args
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from services.consultation.tests.given import (
    ADMIN,
    LINK,
    MEMBER,
    NEW_PRACTITIONER,
    NINE,
    NOW,
    PRACTITIONER,
    RESULT,
    SECOND_RESULT,
    TERM,
    request,
    sale,
)

from booking_contracts.decode import from_store
from booking_contracts.sessions import SessionStatus
from consultation.sessions.commands import (
    Actor,
    Cancel,
    ChangePractitioner,
    Command,
    Fail,
    Refusal,
    Reschedule,
    Schedule,
    Start,
    UploadResult,
)
from consultation.sessions.decider import decide
from consultation.sessions.lifecycle import ReasonCode
from consultation.sessions.state import NotRequested, State, evolve, fold
from consultation.sessions.store import claims, parameters, row

OPEN = ("pending_negotiation", "scheduled")
ACTORS = st.sampled_from(
    [
        Actor("member", MEMBER),
        Actor("practitioner", PRACTITIONER),
        Actor("practitioner", NEW_PRACTITIONER),
        Actor("admin", ADMIN),
        Actor("system"),
    ]
)
REASONS = st.sampled_from(
    ["canceled_by_member", "canceled_by_practitioner", "technical", "practitioner_timeout", "payment_reversed", "other"]
)
RIGHT_REASONS = {
    ("cancel", "member"): {"canceled_by_member", "other"},
    ("cancel", "practitioner"): {"canceled_by_practitioner", "other"},
    ("fail", "admin"): {"technical", "other"},
    ("fail", "system"): {"practitioner_timeout", "payment_reversed"},
}


class SessionMachine(RuleBasedStateMachine):
    """Each rule gives a command, says what the model expects, and compares."""

    @initialize(auto_start=st.booleans())
    def begin(self, auto_start: bool) -> None:
        self.state: State = NotRequested()
        self.events: list[Any] = []
        self.claims: dict[UUID, tuple[datetime, datetime]] = {}
        self.now = NOW
        self.model: dict[str, Any] = {
            "status": None, "practitioner": PRACTITIONER, "schedule_version": 0, "starts_at": None,
            "respond_by": NOW + TERM, "results": 0, "auto_start": auto_start,
        }  # fmt: skip
        self._give(request(entitlement=sale(auto_start=auto_start)), {"status": "pending_negotiation"})

    @rule(minutes=st.integers(0, 12 * 24 * 60))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(actor=ACTORS, moved=st.booleans(), day=st.integers(-1, 3), hour=st.integers(0, 22))
    def sets_a_schedule(self, actor: Actor, moved: bool, day: int, hour: int) -> None:
        times = NINE.__class__((self.now + timedelta(days=day)).date(), time(hour), time(hour, 30), "UTC")
        starts_at = datetime.combine(times.scheduled_date, times.time_start, self.now.tzinfo)
        legal = self.model["status"] == ("scheduled" if moved else "pending_negotiation")
        fits = self._is_practitioner(actor) and legal and starts_at >= self.now
        change = {"status": "scheduled", "starts_at": starts_at, "schedule_version": 1 + self.model["schedule_version"]}
        kind = Reschedule if moved else Schedule
        self._give(kind(actor, self.now, times, LINK), change if fits else None)

    @rule(actor=ACTORS)
    def starts(self, actor: Actor) -> None:
        due = self.model["starts_at"] is not None and self.now >= self.model["starts_at"]
        by_timer = actor.role == "system" and self.model["auto_start"] and due
        fits = self.model["status"] == "scheduled" and (self._is_practitioner(actor) or by_timer)
        self._give(Start(actor, self.now), {"status": "on_progress"} if fits else None)

    @rule(actor=ACTORS)
    def uploads(self, actor: Actor) -> None:
        fits = self._is_practitioner(actor) and self.model["status"] in {"scheduled", "on_progress", "completed"}
        result = SECOND_RESULT if self.model["results"] % 2 else RESULT
        command = UploadResult(actor, self.now, result, has_link=True, has_notes=True)
        self._give(command, {"status": "completed", "results": self.model["results"] + 1} if fits else None)

    @rule(actor=ACTORS, reason=REASONS)
    def cancels(self, actor: Actor, reason: ReasonCode) -> None:
        party = actor.role == "member" or self._is_practitioner(actor)
        fits = party and self.model["status"] in OPEN and reason in RIGHT_REASONS["cancel", actor.role]
        self._give(Cancel(actor, self.now, reason, None), self._ended("canceled") if fits else None)

    @rule(actor=ACTORS, reason=REASONS)
    def fails(self, actor: Actor, reason: ReasonCode) -> None:
        fits = self.model["status"] in (*OPEN, "on_progress") and reason in RIGHT_REASONS.get(("fail", actor.role), ())
        if reason == "practitioner_timeout":
            fits &= self.model["status"] == "pending_negotiation" and self.now >= self.model["respond_by"]
        self._give(Fail(actor, self.now, reason, None), self._ended("failed") if fits else None)

    @rule(actor=ACTORS, new=st.sampled_from([PRACTITIONER, NEW_PRACTITIONER]))
    def changes_practitioner(self, actor: Actor, new: UUID) -> None:
        fits = actor.role == "system" and self.model["status"] in OPEN
        change = {"practitioner": new, "status": "pending_negotiation", "starts_at": None,
                  "respond_by": self.now + TERM, "schedule_version": 1 + self.model["schedule_version"]}  # fmt: skip
        if new == self.model["practitioner"]:
            change = {}
        self._give(ChangePractitioner(actor, self.now, new, self.now + TERM), change if fits else None)

    @invariant()
    def shows_the_model(self) -> None:
        """The fold is the model; so is the fold of the stored JSON; claims are those of who holds a time."""
        assert self.state.status == self.model["status"]
        if isinstance(self.state, NotRequested):
            return
        shown = row(self.state)
        assert shown["practitioner_id"] == self.model["practitioner"]
        assert shown["starts_at"] == self.model["starts_at"]
        assert shown["respond_by"] == self.model["respond_by"]
        assert shown["schedule_version"] == self.model["schedule_version"]
        assert shown["status"] in get_args(SessionStatus)
        assert fold(from_store(e.TYPE, e.TYPE_VERSION, e.to_json()) for e in self.events) == self.state
        people = {MEMBER, self.model["practitioner"]} if self.model["status"] in {"scheduled", "on_progress"} else ()
        assert {person: span[0] for person, span in self.claims.items()} == dict.fromkeys(people, shown["starts_at"])
        assert self.claims == claims(self.state)

    def _is_practitioner(self, actor: Actor) -> bool:
        return actor.role == "practitioner" and actor.person_id == self.model["practitioner"]

    def _ended(self, status: str) -> dict[str, Any]:
        return {"status": status, "schedule_version": 1 + self.model["schedule_version"]}

    def _give(self, command: Command, change: dict[str, Any] | None) -> None:
        decision = decide(command, self.state)
        assert isinstance(decision, Refusal) is (change is None), (command, self.model, decision)
        if isinstance(decision, Refusal) or change is None:
            return
        assert bool(decision) is bool(change)
        before = self.state
        for event in decision:
            self.state = evolve(self.state, event)
            self.events.append(event)
        self.model |= change
        self._write_claims(before)

    def _write_claims(self, before: State) -> None:
        """As append.sql does."""
        assert not isinstance(self.state, NotRequested)
        given = parameters(before, self.state, entitlement_version=None)
        for person in given["freed"]:
            del self.claims[person]
        self.claims |= dict.fromkeys(given["claimed"], (given["starts_at"], given["ends_at"]))


TestSessionMachine = SessionMachine.TestCase
TestSessionMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
