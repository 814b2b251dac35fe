"""A wrong setting stops the start with a sentence that names it and never its value."""

from pathlib import Path

import pytest
from gateway.tests.rig import settings_for

from booking_gateway.settings import Settings, SettingsError, load

WHOLE = {name.upper(): str(value) for name, value in settings_for().model_dump(exclude_none=True).items()}
WHOLE["SESSION_SECRET"] = "s" * 40


@pytest.fixture
def set_to(monkeypatch):
    def given(**other):
        for name, value in {**WHOLE, **other}.items():
            monkeypatch.setenv(name, value)

    return given


def test_settings__are_read(set_to):
    set_to()
    assert load().public_url == "http://127.0.0.1:9999"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"SESSION_SECRET": "short-secret"}, "SESSION_SECRET is wrong: set it to 32 or more random characters"),
        ({"CHECKOUT_URL": "ftp://x"}, "CHECKOUT_URL is wrong: set it to checkout's address"),
        ({"METRICS_URLS": "http://worker:8000 worker:8001"}, "METRICS_URLS is wrong"),
        ({"OIDC_CLIENT_ID": ""}, "OIDC_CLIENT_ID is missing"),
        ({"PUBLIC_URL": "http://booking.example"}, "PUBLIC_URL must be https"),
        ({"PUBLIC_URL": "https://booking.example/app"}, "PUBLIC_URL has no path"),
    ],
)
def test_setting__that_is_wrong_is_named(set_to, wrong, sentence):
    set_to(**wrong)
    with pytest.raises(SettingsError, match=sentence) as refused:
        load()
    assert "short-secret" not in str(refused.value)


def test_secret__may_be_a_file(set_to, monkeypatch, tmp_path):
    set_to()
    monkeypatch.delenv("SESSION_SECRET")
    (tmp_path / "session_secret").write_text("f" * 40)
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    assert load().session_secret.get_secret_value() == "f" * 40


def test_settings__are_in_the_readme_with_their_defaults():
    page = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for name, field in Settings.model_fields.items():
        (row,) = [line for line in rows if f"`{name.upper()}`" in line.split("|")[1]]
        if field.is_required():
            assert row.split("|")[2].strip() == "–", row
        elif isinstance(field.default, int | float | str):
            assert f"`{field.default}`" in row.split("|")[2], row
