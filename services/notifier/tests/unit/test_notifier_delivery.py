"""What may leave at the moment of sending (N3, N4, N5), by which channels and in which language (N2)."""

from datetime import UTC, datetime, timedelta

import pytest

from notifier.rules.delivery import (
    CurrentState,
    Preferences,
    channels,
    channels_to_write,
    language,
    skip_reason,
    skipped_from_the_start,
)
from notifier.rules.table import Fence

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HERE = CurrentState(schedule_version=2, status="scheduled", recipient_erased=False, channel_wanted=True)
FENCE = Fence(2, "scheduled")


@pytest.mark.parametrize(
    ("fence", "useful_until", "changes", "reason"),
    [
        (FENCE, NOON, {}, None),
        (None, None, {}, None),
        (None, None, {"schedule_version": 9, "status": "canceled"}, None),
        (FENCE, NOON, {"schedule_version": 3}, "superseded"),
        (FENCE, NOON, {"status": "canceled"}, "superseded"),
        (FENCE, NOON, {"status": "on_progress"}, "superseded"),
        (FENCE, NOON, {"schedule_version": None, "status": None}, "superseded"),
        (FENCE, NOON - timedelta(seconds=1), {}, "late"),
        (FENCE, NOON, {"channel_wanted": False}, "channel_off"),
        (None, None, {"recipient_erased": True}, "erased"),
        (None, None, {"overtaken": True}, "superseded"),
        (FENCE, NOON, {"overtaken": True}, None),
    ],
)
def test_due__a_message_leaves_only_while_it_is_relevant(fence, useful_until, changes, reason):
    """N4, E4, N2: late or moved timers, erased people, closed channels, old news; a fact is never too late."""
    from dataclasses import replace

    assert skip_reason(fence, useful_until, replace(HERE, **changes), NOON) == reason


def test_older_than_this_notifier__a_message_is_history():
    """N3: `send_from`."""
    before, after = NOON - timedelta(seconds=1), NOON + timedelta(seconds=1)
    assert skipped_from_the_start(before, before, NOON) == "before_send_from"
    assert skipped_from_the_start(NOON, NOON, NOON) is None
    assert skipped_from_the_start(before, after, NOON) is None, "a timer that an old event set for later"
    assert skipped_from_the_start(after, before, NOON) is None, "a late timer of a new event"


def test_preferences__each_person_chooses_and_admins_get_mail_only():
    """N1, N2."""
    assert channels("p", Preferences()) == ("email", "whatsapp")
    assert channels("p", Preferences(email=False, whatsapp=True)) == ("whatsapp",)
    assert channels("p", Preferences(email=False, whatsapp=False)) == ()
    assert channels("admins", Preferences()) == ("email",)


def test_preferences__who_wants_nothing_has_timers_written_down_by_each_channel():
    """N2: somebody may switch one on before they are due."""
    neither, mail = Preferences(email=False, whatsapp=False), Preferences(whatsapp=False)
    assert channels_to_write("p", neither, is_timer=True) == ("email", "whatsapp")
    assert channels_to_write("p", neither, is_timer=False) == ()
    assert channels_to_write("p", mail, is_timer=True) == ("email",)
    assert channels_to_write("admins", Preferences(), is_timer=True) == ("email",)


@pytest.mark.parametrize(
    ("chosen", "locale", "expected"),
    [
        ("en", "id", "en"),
        ("id", "en", "id"),
        (None, "en-GB", "en"),
        (None, "en_US", "en"),
        (None, "id-ID", "id"),
        (None, None, "id"),
        (None, "de", "id"),
    ],
)
def test_language__the_choice_then_the_profile_then_indonesian(chosen, locale, expected):
    """N2."""
    assert language(Preferences(language=chosen), locale) == expected
