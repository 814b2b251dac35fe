"""What a status webhook may hold: texts that PostgreSQL cannot keep name no message of ours."""

import json

import pytest

from notifier.whatsapp.webhook import statuses


def _body(wamid: str) -> bytes:
    status = {"status": "delivered", "id": wamid, "timestamp": "1764324000"}
    return json.dumps({"entry": [{"changes": [{"value": {"statuses": [status]}}]}]}).encode()


@pytest.mark.parametrize("wamid", ["a\x00b", "a\ud800", "\udfff", "a\n", "wamid.\u00e9", "x" * 201])
def test_wamid_that_cannot_be_one__is_none(wamid: str):
    assert [update.wamid for update in statuses(_body(wamid))] == [None]


def test_wamid__is_kept_as_it_is():
    assert [update.wamid for update in statuses(_body("wamid.HBgL="))] == ["wamid.HBgL="]
