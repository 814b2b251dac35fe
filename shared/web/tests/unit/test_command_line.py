"""`<service> api|worker|all|migrate|openapi|republish|counts`: what it refuses before it reaches anything, and how."""

import json
import os
import subprocess
import sys

import pytest
from shared.web.tests.sample.app import build

from booking_process.settings import ServiceSettings
from booking_web.application import main


def _run(argv: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(build, ServiceSettings, argv)
    told = capsys.readouterr()
    return ended.value.code, told.out, told.err


USUAL = {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "JWT_ISSUER": "https://issuer.test",
    "JWT_JWKS_URL": "https://127.0.0.1:1/",
}


@pytest.mark.parametrize("argv", [[], ["serve"], ["api", "now"], ["openapi", "--help"]])
def test_misuse__is_2_and_says_how(argv, capsys):
    code, out, err = _run(argv, capsys)
    assert (code, out) == (2, "")
    assert err.startswith("usage: booking_process api|worker|all|migrate|openapi")


def test_openapi__is_printed_without_any_setting(capsys, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    code, out, err = _run(["openapi"], capsys)
    assert (code, err) == (0, "")
    assert json.loads(out)["openapi"].startswith("3.1")


def test_wrong_setting__is_1_and_names_the_variable(capsys, monkeypatch):
    for name, value in USUAL.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HTTP_PORT", "hunter2")
    code, out, err = _run(["api"], capsys)
    assert (code, out) == (1, "")
    assert "HTTP_PORT" in err
    assert "hunter2" not in err


@pytest.mark.parametrize(
    ("owner", "said"),
    [
        (None, "DATABASE_OWNER_URL is not set"),
        ("postgresql://owner:hunter2@127.0.0.1:1/none", "must be named <database>_owner"),
        ("postgresql://none_owner:hunter2@127.0.0.1:1/none", "The database can't be migrated: "),
    ],
)
def test_migration_that_cannot_be__is_1_with_a_sentence(owner, said):
    # As a process: how a command logs is set up once and for all of its process, where others may be logging too.
    named = {} if owner is None else {"DATABASE_OWNER_URL": owner}
    environment = {"PATH": os.environ["PATH"], **USUAL, **named}
    program = [sys.executable, "-m", "shared.web.tests.sample", "migrate"]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "hunter2" not in done.stderr
