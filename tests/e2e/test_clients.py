"""Each typed client plays the whole product against a running system, the answer to its purchase cut off on the way."""

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from clients.python.tests.play import Given
from clients.python.tests.play import play as python_play
from tests.e2e.system import Cast, System
from tests.rigs.cut import Cut
from tests.rigs.typescript import copied, told

from booking_client.models import SessionSchedule

pytestmark = [pytest.mark.servers, pytest.mark.e2e]


@pytest.fixture
async def cut(system: System) -> AsyncIterator[Cut]:
    async with Cut("POST /v1/transactions").before(system.endpoints["checkout"]) as cut:
        yield cut


@pytest.fixture
def given(system: System, story: Cast, cut: Cut) -> Given:
    at = system.endpoints
    first, second = story.schedule_body(), story.schedule_body(start="13:00", end="14:00")
    return Given(
        {
            "checkout": cut.url,
            "consultation": at["consultation"],
            "notifier": at["notifier"],
            "calendar": at["calendar"],
        },
        story.member.token,
        story.practitioner.token,
        str(story.product),
        str(story.practitioner.sub),
        (SessionSchedule(**first), SessionSchedule(**second)),
    )


async def _typescript_play(given: Given, folder: Path) -> Mapping[str, Any]:
    """As it stands, its types stripped by Node itself."""
    node = await copied(folder / "client")
    environment = {**os.environ, "PLAY": json.dumps(asdict(given))}
    code, said = await told(node, folder / "client" / "tests" / "play.ts", environment=environment)
    assert code == 0, said
    return json.loads(said)


async def _python_play(given: Given, folder: Path) -> Mapping[str, Any]:
    del folder
    return await python_play(given)


@pytest.mark.parametrize("play", [_python_play, _typescript_play], ids=["python", "typescript"])
async def test_client__plays_the_whole_product(
    play: Callable[[Given, Path], Awaitable[Mapping[str, Any]]], given: Given, cut: Cut, tmp_path: Path
):
    report = await play(given, tmp_path)
    assert report == {
        "bought": [True, "true"],
        "paid": "paid",
        "asked": True,
        "calendar": True,
        "read": ["completed", "https://drive.google.com/file/d/1AbCdEfGhIjKlMnOpQrStUvWxYz012345/view"],
        "unchanged": True,
        "history": [
            ["ResultUploaded", "SessionStarted"],
            ["SessionRescheduled", "SessionScheduled"],
            ["ScheduleRequested"],
        ],
        "refused": [
            "transaction_not_paid",
            ["scheduled", ["reschedule", "start", "upload_result", "cancel"]],
            ["stale_version", 3],
        ],
    }
    first, second = cut.keys
    assert first == second, "one purchase, sent twice"
