"""The committed interface is what the code serves; settings that cannot work stop the start with a sentence."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from consultation.settings import Settings

COMMITTED = Path(__file__).parents[2] / "openapi.json"
REQUIRED = {
    "database_url": "postgresql://consultation_app@127.0.0.1/consultation",
    "kafka_bootstrap": "127.0.0.1:9092",
    "jwt_issuer": "https://identity.example",
    "jwt_jwks_url": "https://identity.example/jwks.json",
}


def test_openapi__is_the_committed_one():
    """T27: `python -m consultation openapi > openapi.json` was not forgotten."""
    printed = subprocess.run(
        [sys.executable, "-m", "consultation", "openapi"], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(printed.stdout) == json.loads(COMMITTED.read_text("utf-8"))


def test_openapi__has_the_routes_of_the_interface():
    """api.md: fixed paths and methods."""
    paths = json.loads(COMMITTED.read_text("utf-8"))["paths"]
    ours = {(method.upper(), path) for path, item in paths.items() for method in item if "held-records" not in path}
    session = "/v1/sessions/{session_id}"
    assert ours == {
        ("GET", "/v1/sessions"),
        ("POST", "/v1/sessions"),
        ("GET", "/v1/sessions/summary"),
        ("GET", session),
        ("GET", f"{session}/history"),
        ("POST", f"{session}/schedule"),
        ("PUT", f"{session}/schedule"),
        ("POST", f"{session}/start"),
        ("POST", f"{session}/result"),
        ("POST", f"{session}/cancel"),
        ("POST", f"{session}/fail"),
        ("GET", "/v1/assessments"),
        ("GET", "/v1/assessments/{assessment_id}"),
        ("PUT", "/v1/assessments/{assessment_id}"),
    }


@pytest.mark.parametrize("wrong", [{"meeting_hosts": ["evil.example"]}, {"meeting_hosts": []}, {"result_hosts": []}])
def test_settings__that_open_a_door_stop_the_start(wrong: dict):
    """S3: a meeting host without a known shape would be one."""
    with pytest.raises(ValidationError):
        Settings(**(REQUIRED | wrong))  # pyright: ignore[reportArgumentType]


def test_settings__have_the_hosts_of_the_rule():
    """S3: the defaults."""
    made = Settings(**REQUIRED)  # pyright: ignore[reportArgumentType]
    assert made.meeting_hosts == ("meet.google.com", "zoom.us", "teams.microsoft.com", "meet.jit.si")
    assert {"drive.google.com", "docs.google.com", "*.sharepoint.com", "www.dropbox.com"} <= set(made.result_hosts)
