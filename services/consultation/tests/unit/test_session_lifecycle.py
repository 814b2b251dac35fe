"""Every cell of status x command x actor (product.md, "Session lifecycle"; I9).

The table below is the product's, written down a second time and by hand: the code's table is checked against it cell by
cell, so that neither can drift alone.
"""

from collections import Counter
from typing import get_args

import pytest
from services.consultation.tests.given import ACTORS, COMMANDS, given

from booking_contracts.sessions import SessionStatus
from consultation.sessions.commands import Refusal
from consultation.sessions.decider import decide
from consultation.sessions.lifecycle import LIFECYCLE, PERSONAL, CommandName, allowed
from consultation.sessions.state import evolve

STATUSES: tuple[SessionStatus | None, ...] = (None, *get_args(SessionStatus))

PRODUCT = """
none                 request              member                pending_negotiation
pending_negotiation  schedule             practitioner          scheduled
scheduled            reschedule           practitioner          scheduled
scheduled            start                practitioner,system   on_progress
scheduled            upload_result        practitioner          completed
on_progress          upload_result        practitioner          completed
completed            replace_result       practitioner          completed
pending_negotiation  change_practitioner  system                pending_negotiation
scheduled            change_practitioner  system                pending_negotiation
pending_negotiation  cancel               member,practitioner   canceled
scheduled            cancel               member,practitioner   canceled
pending_negotiation  fail                 admin,system          failed
scheduled            fail                 admin,system          failed
on_progress          fail                 admin,system          failed
"""
ROWS = [line.split() for line in PRODUCT.strip().splitlines()]
ALLOWED = {
    (None if status == "none" else status, command, actor): to
    for status, command, actors, to in ROWS
    for actor in actors.split(",")
}
MATRIX: list[tuple[SessionStatus | None, CommandName, str]] = [
    (s, c, a) for s in STATUSES for c in COMMANDS for a in ACTORS
]


def name_in(status: SessionStatus | None, command: CommandName) -> CommandName:
    """The lifecycle's word for what a route's command is in that status."""
    if command in {"upload_result", "replace_result"}:
        return "replace_result" if status == "completed" else "upload_result"
    return command


def expected(status: SessionStatus | None, command: CommandName, actor: str) -> str:
    """The status after the command, or the refusal's code."""
    if (status, command, actor) == (None, "request", "other_member"):
        return "not_found"  # R1: it is another's sale
    name = name_in(status, command)
    role = actor.removeprefix("other_")
    if (to := ALLOWED.get((status, name, role))) and not (status and actor.startswith("other_")):
        return to
    if command != "request" and (status is None or actor.startswith("other_")):
        return "not_found"  # E1: what is not theirs does not exist for them
    ever = {r for (_, c, r) in ALLOWED if c == name}
    return "wrong_status" if role in ever else "forbidden"


@pytest.mark.parametrize(("status", "command", "actor"), MATRIX)
def test_cell(status: SessionStatus | None, command: CommandName, actor: str):
    """I9: exactly the product's cells are accepted, and lead where it says; all others are refused with their code."""
    state = given(status, auto_start=True)
    decision = decide(COMMANDS[command](ACTORS[actor]), state)
    if isinstance(decision, Refusal):
        assert decision.code == expected(status, command, actor)
        return
    for event in decision:
        state = evolve(state, event)
    assert state.status == expected(status, command, actor)
    assert decision[-1].status == state.status


def test_matrix__is_whole():
    """I9: seven statuses (one of them: none), nine commands, six actors; all fourteen rows of the product are met."""
    assert set(COMMANDS) == set(get_args(CommandName))
    assert {(s, c, actor): step.to for (s, c), step in LIFECYCLE.items() for actor in step.actors} == ALLOWED
    assert len(MATRIX) == len(STATUSES) * len(COMMANDS) * len(ACTORS) == 378
    outcomes = Counter(expected(*cell) for cell in MATRIX)
    assert sum(outcomes[status] for status in get_args(SessionStatus)) >= len(ALLOWED)


@pytest.mark.parametrize("status", [s for s in STATUSES if s])
@pytest.mark.parametrize("role", ["member", "practitioner", "admin", "system"])
def test_allowed__names_what_this_caller_may_give_now(status: SessionStatus, role: str):
    """S5, api.md: `allowed_commands` of a 409 are those of the product's rows for this status and caller."""
    rows = {c for (s, c, r) in ALLOWED if s == status and r == role and c in PERSONAL}
    assert set(allowed(status, role)) == rows  # pyright: ignore[reportArgumentType]


def test_wrong_status__is_told_with_the_present_one_and_what_is_allowed():
    """I9: a 409 names the current status and what is allowed from it."""
    decision = decide(COMMANDS["schedule"](ACTORS["practitioner"]), given("scheduled"))
    assert isinstance(decision, Refusal)
    assert decision.current_status == "scheduled"
    assert decision.allowed_commands == ("reschedule", "start", "upload_result", "cancel")
