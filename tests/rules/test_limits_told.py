"""The limits that pages and problems tell are those of the code."""

from pathlib import Path

import pytest

from booking_process.settings import ServiceSettings
from booking_web.problems import USUAL
from calendar_projector.calendar.http import LONGEST_DAYS

API = (Path(__file__).resolve().parents[2] / "docs/api.md").read_text("utf-8")
BODY, SECONDS = ServiceSettings.documented().max_body_bytes, ServiceSettings.documented().body_timeout_seconds


def test_problems__tell_the_defaults():
    assert f" {SECONDS:g} seconds" in USUAL[408]
    assert f" {BODY} bytes" in USUAL[413]


@pytest.mark.parametrize(
    "told",
    [
        f"`MAX_BODY_BYTES` ({BODY})",
        f"`MAX_BODY_BYTES` | `{BODY}`",
        f"`BODY_TIMEOUT_SECONDS` ({SECONDS:g})",
        f"`BODY_TIMEOUT_SECONDS` | `{SECONDS}`",
        f"at most {LONGEST_DAYS} days",
        "| 408 | `timeout`",
    ],
)
def test_page_of_the_interface__tells_the_limits_of_the_code(told: str):
    assert told in API.replace("\n", " ")
