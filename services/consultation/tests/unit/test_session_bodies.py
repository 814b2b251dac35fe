"""What the bodies of commands take, before any rule of a session is asked."""

import pytest
from pydantic import ValidationError

from consultation.sessions.models import CancelIn, FailIn, ResultIn, ScheduleIn

SCHEDULE = {
    "scheduled_date": "2027-03-03",
    "time_start": "09:00",
    "time_end": "10:00",
    "meeting_link": "https://meet.google.com/abc-defg-hij",
}
UNSEEN = ["\u200b", "\u200d\u200c", "\ufeff", "\u00ad \u2060", "\u3164", "\u2800\n\u2800", "\u200e"]


@pytest.mark.parametrize("text", UNSEEN)
def test_result__notes_that_nobody_can_see_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        ResultIn.model_validate({"result_notes": text})


@pytest.mark.parametrize("text", UNSEEN)
def test_ending__a_reason_that_nobody_can_see_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        CancelIn.model_validate({"reason_code": "other", "reason": text})
    with pytest.raises(ValidationError):
        FailIn.model_validate({"reason_code": "other", "reason": text})


@pytest.mark.parametrize("text", ["ok", "👍", "?", "…", "می‌خواهم", "a\u200b"])
def test_result__notes_are_kept_as_they_are_written(text: str) -> None:
    assert ResultIn.model_validate({"result_notes": text}).result_notes == text


@pytest.mark.parametrize("field", ["fold", "fold_end"])
@pytest.mark.parametrize("value", [True, False, 1.0, "1", 2, -1, []])
def test_schedule__a_fold_is_the_number_0_or_1(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        ScheduleIn.model_validate(SCHEDULE | {field: value})
    assert ScheduleIn.model_validate(SCHEDULE | {field: 1}).model_dump()[field] == 1


@pytest.mark.parametrize("value", ["true", 1, 0, None, "no"])
def test_schedule__ends_next_day_is_true_or_false(value: object) -> None:
    with pytest.raises(ValidationError):
        ScheduleIn.model_validate(SCHEDULE | {"ends_next_day": value})
