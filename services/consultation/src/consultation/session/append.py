"""The parameters of append.sql: the read row of a state, and the claims it holds."""

from typing import Any

from booking_contracts.topics import SESSIONS
from booking_store import AppendSql
from consultation.session.evolve import meeting_of
from consultation.session.lifecycle import HOLDS_TIME
from consultation.session.state import (
    Canceled,
    Completed,
    Failed,
    OnProgress,
    PendingNegotiation,
    Scheduled,
    Session,
)

STREAM_TYPE = "feedback_session"
ONE_PER_TRANSACTION = "one_per_transaction"
ONE_PER_ASSESSMENT = "one_per_assessment"

APPEND = AppendSql.load(
    "consultation.session",
    topic=SESSIONS.name,
    constraints={
        "feedback_session_one_per_transaction": ONE_PER_TRANSACTION,
        "feedback_session_one_per_assessment": ONE_PER_ASSESSMENT,
    },
)


def parameters(state: Session, *, sale_version: int | None) -> dict[str, Any]:
    """Everything that append.sql writes beside the events; `sale_version` is the guard of a request, else None."""
    holds_time = state.status in HOLDS_TIME
    return {
        **row(state),
        "sale_version": sale_version,
        "holds_time": holds_time,
        "persons": sorted({state.about.practitioner_id, state.about.user_id}) if holds_time else [],
    }


def row(state: Session) -> dict[str, Any]:
    """The columns of `feedback_session` that the events alone give: the fold, as the table and `as_of` show it."""
    about, meeting = state.about, meeting_of(state)
    slot = meeting and meeting.slot
    return {
        "practitioner_id": about.practitioner_id,
        "user_id": about.user_id,
        "transaction_id": about.transaction_id,
        "assessment_id": about.assessment_id,
        "kind": about.kind,
        "auto_start": about.auto_start,
        "respond_by": about.respond_by,
        "schedule_version": about.schedule_version,
        "status": state.status,
        "scheduled_date": slot and slot.scheduled_date,
        "time_start": slot and slot.time_start,
        "time_end": slot and slot.time_end,
        "timezone": slot and slot.timezone,
        "ends_next_day": slot and slot.ends_next_day,
        "fold": slot and slot.fold,
        "fold_end": slot and slot.fold_end,
        "starts_at": slot and slot.starts_at,
        "ends_at": slot and slot.ends_at,
        "meeting_link": meeting and meeting.link,
        **_progress(state),
    }


def _progress(state: Session) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "started_at": None,
        "result_id": None,
        "result_has_link": False,
        "result_has_notes": False,
        "reason_code": None,
        "reason_id": None,
    }
    match state:
        case PendingNegotiation() | Scheduled():
            pass
        case OnProgress():
            fields["started_at"] = state.started_at
        case Completed():
            fields["started_at"] = state.started_at
            fields["result_id"] = state.result.result_id
            fields["result_has_link"] = state.result.has_link
            fields["result_has_notes"] = state.result.has_notes
        case Canceled():
            fields |= {"reason_code": state.ending.reason_code, "reason_id": state.ending.reason_id}
        case Failed():
            fields["started_at"] = state.started_at
            fields |= {"reason_code": state.ending.reason_code, "reason_id": state.ending.reason_id}
    return fields
