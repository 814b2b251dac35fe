"""The decider as given / when / then, by the rule that each case proves (product.md)."""

from dataclasses import replace
from datetime import date, time, timedelta
from uuid import UUID

import pytest
from services.consultation.tests.given import (
    ADMIN,
    ASSESSMENT,
    COMMANDS,
    DUE,
    LINK,
    MEMBER,
    NEW_PRACTITIONER,
    NINE,
    NOW,
    PRACTITIONER,
    REASON,
    RESULT,
    SECOND_RESULT,
    SESSION,
    STARTS,
    TERM,
    TRANSACTION,
    accepted,
    admin,
    fold_onto,
    given,
    member,
    other_member,
    practitioner,
    refused,
    request,
    sale,
    session,
    system,
    then,
)

from booking_contracts.sessions import (
    PractitionerChanged,
    ResultReplaced,
    ResultUploaded,
    ScheduleRequested,
    SessionCanceled,
    SessionFailed,
    SessionRescheduled,
    SessionScheduled,
    SessionStatus,
)
from consultation.entitlements.domain import Assessment
from consultation.sessions.commands import (
    Actor,
    Cancel,
    ChangePractitioner,
    Command,
    Fail,
    Reschedule,
    Schedule,
    Start,
    UploadResult,
)
from consultation.sessions.decider import decide
from consultation.sessions.lifecycle import CommandName
from consultation.sessions.state import (
    BrokenStreamError,
    Completed,
    NotRequested,
    PendingNegotiation,
    Scheduled,
    Session,
    evolve,
    fold,
)
from consultation.sessions.store import claims, parameters, row

HOUR, MOMENT = timedelta(hours=1), timedelta(microseconds=1)
EARLY, UPLOADED = STARTS - HOUR, STARTS + 3 * HOUR


def test_none__a_request_on_a_paid_sale_starts_a_session():
    """R1: the session belongs to the sale's pair, and must be answered within the product's term."""
    assert accepted(request(assessment=Assessment(ASSESSMENT, MEMBER)), NotRequested()) == ScheduleRequested(
        session_id=SESSION,
        transaction_id=TRANSACTION,
        user_id=MEMBER,
        practitioner_id=PRACTITIONER,
        status="pending_negotiation",
        assessment_id=ASSESSMENT,
        kind="counseling",
        respond_by=DUE,
        auto_start=False,
    )


@pytest.mark.parametrize("status", ["awaiting_payment", "expired", "canceled", "refund_requested", "refunded"])
def test_none__a_request_on_a_sale_that_is_not_paid_is_refused(status: str):
    """R1, P5: only a paid sale that is not being given back."""
    assert refused(request(entitlement=sale(status=status)), NotRequested()).code == "transaction_not_paid"


def test_none__a_request_on_anothers_sale_or_assessment_finds_nothing():
    """R1, E1: what is not theirs does not exist for them."""
    assert refused(request(other_member), NotRequested()).code == "not_found"
    foreign = request(assessment=Assessment(ASSESSMENT, other_member.person_id or SESSION))
    assert refused(foreign, NotRequested()).code == "not_found"


def test_none__a_request_before_the_pair_is_locked_is_refused():
    """P2: a sale whose practitioner is not known yet starts nothing."""
    assert refused(request(entitlement=sale(practitioner_id=None)), NotRequested()).code == "transaction_not_paid"


def test_pending__a_schedule_carries_local_values_and_instants():
    """S1: both, computed once."""
    event = accepted(Schedule(practitioner, NOW, NINE, LINK), given("pending_negotiation"))
    assert isinstance(event, SessionScheduled)
    assert (event.scheduled_date, event.time_start, event.timezone) == (date(2026, 12, 2), time(9), "Asia/Jakarta")
    assert (event.starts_at, event.ends_at) == (STARTS, STARTS + timedelta(hours=1))
    assert (event.schedule_version, event.meeting_link) == (1, LINK)


def test_pending__a_wrong_time_is_told_with_its_field():
    """S2: 422 with the field that is to blame."""
    past = replace(NINE, scheduled_date=date(2026, 11, 30))
    refusal = refused(Schedule(practitioner, NOW, past, LINK), given("pending_negotiation"))
    assert (refusal.code, refusal.faults[0].field) == ("invalid_time", "time_start")


def test_scheduled__a_move_tells_what_it_gave_up():
    """S5, N4: previous time and link, and the next schedule version."""
    event = accepted(COMMANDS["reschedule"](practitioner), given("scheduled"))
    assert isinstance(event, SessionRescheduled)
    assert event.schedule_version == 2
    assert (event.previous.starts_at, event.previous.meeting_link) == (STARTS, LINK)
    assert event.starts_at == STARTS + timedelta(hours=1)


def test_scheduled__a_wrong_move_is_refused():
    """S2: a move obeys the same limits."""
    long = replace(NINE, time_end=time(18))
    assert refused(Reschedule(practitioner, NOW, long, LINK), given("scheduled")).code == "invalid_time"


def test_scheduled__start_and_result_may_come_before_the_time():
    """S6: apart from S2 no command of a person looks at the clock."""
    assert accepted(Start(practitioner, NOW), given("scheduled")).status == "on_progress"
    assert accepted(COMMANDS["upload_result"](practitioner), given("scheduled")).status == "completed"


def test_scheduled__the_system_starts_it_at_its_time_and_only_if_the_product_says_so():
    """P1, S6: auto_start is copied into the sale; early or unasked the timer starts nothing."""
    assert refused(Start(system, STARTS), given("scheduled")).code == "not_due"
    automatic = given("scheduled", auto_start=True)
    assert refused(Start(system, STARTS - timedelta(seconds=1)), automatic).code == "not_due"
    assert accepted(Start(system, STARTS), automatic).status == "on_progress"
    assert accepted(Start(system, STARTS + timedelta(days=3)), automatic).status == "on_progress"


def test_completed__a_new_result_replaces_and_names_the_old_one():
    """E2: every earlier result stays in the history."""
    state = given("completed")
    event = accepted(COMMANDS["replace_result"](practitioner), state)
    assert isinstance(event, ResultReplaced)
    assert (event.result_id, event.previous_result_id, event.has_link) == (SECOND_RESULT, RESULT, False)
    after = evolve(state, event)
    assert isinstance(after, Completed)
    assert after.result.result_id == SECOND_RESULT


def test_scheduled__the_first_result_is_an_upload():
    """L2: productivity counts the first ResultUploaded alone."""
    upload = UploadResult(practitioner, NOW, RESULT, has_link=True, has_notes=False)
    assert isinstance(accepted(upload, given("scheduled")), ResultUploaded)


@pytest.mark.parametrize(
    ("begun_at", "ended_at", "right"),
    [
        (None, STARTS, False),
        (None, STARTS + MOMENT, True),
        (EARLY, EARLY, False),
        (EARLY, EARLY + MOMENT, True),
        (EARLY, UPLOADED, True),
        (EARLY, UPLOADED + MOMENT, False),
    ],
)
def test_result__the_end_it_tells_is_after_the_start_and_not_in_the_future(begun_at, ended_at, right):
    """S8: the start is the one that was flagged, else the scheduled one; the bound is the clock of the upload."""
    state = given("scheduled") if begun_at is None else then(given("scheduled"), Start(practitioner, begun_at))
    command = UploadResult(practitioner, UPLOADED, RESULT, has_link=True, has_notes=False, ended_at=ended_at)
    if right:
        event = accepted(command, state)
        assert isinstance(event, ResultUploaded)
        assert event.ended_at == ended_at
    else:
        (fault,) = refused(command, state).faults
        assert fault.field == "ended_at"


def test_completed__a_new_result_corrects_the_end_or_leaves_it():
    """S8: what the last event of a result says of the end is all that is known of it."""

    def replaced(state, ended_at):
        command = UploadResult(practitioner, UPLOADED, SECOND_RESULT, has_link=True, has_notes=False, ended_at=ended_at)
        event = accepted(command, state)
        assert isinstance(event, ResultReplaced)
        return event.ended_at, evolve(state, event)

    state = session("completed")
    assert row(state)["ended_at"] is None
    said, state = replaced(state, None)
    assert said is None
    said, state = replaced(state, STARTS + HOUR)
    assert said == STARTS + HOUR
    said, state = replaced(state, None)
    assert (said, row(state)["ended_at"]) == (STARTS + HOUR, STARTS + HOUR)
    said, _ = replaced(state, STARTS + 2 * HOUR)
    assert said == STARTS + 2 * HOUR


@pytest.mark.parametrize(
    ("actor", "code", "right"),
    [
        (member, "canceled_by_member", True),
        (member, "other", True),
        (member, "canceled_by_practitioner", False),
        (member, "technical", False),
        (practitioner, "canceled_by_practitioner", True),
        (practitioner, "other", True),
        (practitioner, "canceled_by_member", False),
        (practitioner, "payment_reversed", False),
    ],
)
def test_cancel__reason_and_actor_must_fit(actor, code, right):
    """S5: a wrong pair is 422."""
    command = Cancel(actor, NOW, code, REASON)
    if right:
        assert accepted(command, given("scheduled")).status == "canceled"
    else:
        assert refused(command, given("scheduled")).code == "invalid_reason"


@pytest.mark.parametrize(
    ("actor", "code", "right"),
    [
        *[(admin, code, True) for code in ("technical", "no_show_member", "no_show_practitioner", "other")],
        *[(admin, code, False) for code in ("practitioner_timeout", "payment_reversed", "canceled_by_member")],
        (system, "payment_reversed", True),
        *[(system, code, False) for code in ("technical", "no_show_member", "no_show_practitioner", "other")],
    ],
)
def test_fail__reason_and_actor_must_fit(actor, code, right):
    """S5: a wrong pair is 422."""
    command = Fail(actor, NOW, code, REASON)
    if right:
        assert accepted(command, given("on_progress")).status == "failed"
    else:
        assert refused(command, given("on_progress")).code == "invalid_reason"


def test_scheduled__ends_tell_the_time_that_no_longer_holds():
    """N4, C1: the end gives up the time it names, under the next schedule version."""
    canceled = accepted(Cancel(member, NOW, "canceled_by_member", REASON), given("scheduled"))
    assert isinstance(canceled, SessionCanceled)
    assert (canceled.starts_at, canceled.schedule_version, canceled.previous_status) == (STARTS, 2, "scheduled")
    failed = accepted(Fail(system, NOW, "payment_reversed"), given("pending_negotiation"))
    assert isinstance(failed, SessionFailed)
    assert (failed.starts_at, failed.schedule_version, failed.reason_id) == (None, 1, None)


def test_pending__the_time_out_fires_when_due_or_late():
    """R4: at respond_by and after it, not before."""
    state = given("pending_negotiation")
    assert refused(Fail(system, DUE - timedelta(microseconds=1), "practitioner_timeout"), state).code == "not_due"
    for late in (timedelta(0), timedelta(days=400)):
        event = accepted(Fail(system, DUE + late, "practitioner_timeout"), state)
        assert isinstance(event, SessionFailed)
        assert event.reason_code == "practitioner_timeout"


def test_scheduled__a_time_out_that_came_too_late_is_refused():
    """R4: the timer's row was older than the stream; an answered request doesn't time out."""
    assert refused(Fail(system, DUE, "practitioner_timeout"), given("scheduled")).code == "wrong_status"


def test_open__a_change_of_practitioner_begins_the_negotiation_anew():
    """P2, C1: back to pending with the new one, no time, a new term; the old time is told once."""
    state = given("scheduled")
    event = accepted(ChangePractitioner(system, NOW, NEW_PRACTITIONER, NOW + TERM), state)
    assert isinstance(event, PractitionerChanged)
    assert (event.previous_practitioner_id, event.practitioner_id) == (PRACTITIONER, NEW_PRACTITIONER)
    assert event.previous is not None
    assert (event.previous.starts_at, event.previous_status, event.schedule_version) == (STARTS, "scheduled", 2)
    after = evolve(state, event)
    assert isinstance(after, PendingNegotiation)
    assert row(after)["starts_at"] is None
    assert after.about.respond_by == NOW + TERM


def test_open__a_change_to_the_same_practitioner_changes_nothing():
    """P2: the reassignment that checkout takes back finds the practitioner who is there."""
    assert decide(ChangePractitioner(system, NOW, PRACTITIONER, DUE), given("scheduled")) == ()


@pytest.mark.parametrize("status", ["on_progress", "completed", "canceled", "failed"])
def test_begun_or_ended__a_change_of_practitioner_is_refused(status):
    """P2: consultation has the last word."""
    assert refused(COMMANDS["change_practitioner"](system), given(status)).code == "wrong_status"


def test_changed__the_old_practitioner_finds_nothing_and_the_new_one_schedules():
    """E1, P2: rights go with the pair."""
    state = then(given("scheduled"), COMMANDS["change_practitioner"](system))
    assert refused(COMMANDS["schedule"](practitioner), state).code == "not_found"
    event = accepted(Schedule(replace(practitioner, person_id=NEW_PRACTITIONER), NOW, NINE, LINK), state)
    assert isinstance(event, SessionScheduled)
    assert event.schedule_version == 3


def written(before: Session, command: Command) -> tuple[list[UUID], list[UUID]]:
    """Whose claims the append of this command writes, and whose it deletes."""
    after = then(before, command)
    assert not isinstance(after, NotRequested)
    given = parameters(before, after, entitlement_version=None)
    return given["claimed"], sorted(given["freed"])


def test_scheduled__both_people_are_claimed():
    """S4: from then on nobody else gets their time."""
    assert written(session("pending_negotiation"), COMMANDS["schedule"](practitioner)) == ([MEMBER, PRACTITIONER], [])


def test_moved__both_claims_are_written_anew():
    """S5: the old time is free, the new one held."""
    assert written(session("scheduled"), COMMANDS["reschedule"](practitioner)) == ([MEMBER, PRACTITIONER], [])


@pytest.mark.parametrize("command", [Start(practitioner, NOW), Reschedule(practitioner, NOW, NINE, LINK + "?a=b")])
def test_same_time__no_claim_is_written(command: Command):
    """S4: what is held stays held; a start or another link is no reason to look for overlaps."""
    assert written(session("scheduled"), command) == ([], [])


@pytest.mark.parametrize(("end", "by"), [("upload_result", practitioner), ("cancel", member), ("fail", admin)])
def test_end__both_claims_are_freed(end: CommandName, by: Actor):
    """S4: a session that is no longer to be held frees its people."""
    assert written(session("scheduled"), COMMANDS[end](by)) == ([], [MEMBER, PRACTITIONER])


def test_changed__both_claims_are_freed():
    """P2, S4: nobody's time is held until the new practitioner has answered, the old one's neither."""
    assert written(session("scheduled"), COMMANDS["change_practitioner"](system)) == ([], [MEMBER, PRACTITIONER])


@pytest.mark.parametrize("status", ["pending_negotiation", "completed", "canceled", "failed"])
def test_not_holding__nobody_is_claimed(status: SessionStatus):
    """S4: a session holds time in two statuses and in no other."""
    assert claims(session(status)) == {}


def test_events__hold_ids_and_never_text():
    """E4: reason, notes and link are elsewhere; the event carries their ids and whether they are there."""
    assert "has_link" in accepted(COMMANDS["upload_result"](practitioner), given("scheduled")).to_json()
    assert str(REASON) in accepted(COMMANDS["cancel"](member), given("scheduled")).to_json()


def test_stream__that_no_decider_wrote_is_refused():
    """I9: a fold never guesses."""
    canceled = accepted(COMMANDS["cancel"](member), given("pending_negotiation"))
    with pytest.raises(BrokenStreamError):
        fold([canceled])
    started = accepted(COMMANDS["start"](practitioner), given("scheduled"))
    with pytest.raises(BrokenStreamError):
        fold_onto(given("pending_negotiation"), (started,))


def test_scheduled__a_move_keeps_everything_else():
    """S7: changing the time changes nothing else of the session."""
    before = session("scheduled")
    after = then(before, COMMANDS["reschedule"](practitioner))
    assert isinstance(after, Scheduled)
    assert replace(after.about, schedule_version=1) == before.about
    assert ADMIN not in (after.about.user_id, after.about.practitioner_id)
