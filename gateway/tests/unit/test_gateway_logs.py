"""Lines of the log tell what happened, and no token, code or name."""

import json
import logging

import pytest
import structlog

from booking_gateway import logs


@pytest.fixture
def told(capsys):
    """What is written by an act, line by line; afterwards logging is as it was."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, structlog.get_config())

    def lines(act):
        logs.configure("info")
        act()
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    yield lines
    root.handlers[:], level, config = before
    root.setLevel(level)
    structlog.configure(**config)


def test_lines__hold_no_token_and_no_code(told):
    token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"
    text = "GET /sign-in/callback?code=abc&state=def with Bearer s3cret and %s"
    (line,) = told(lambda: logging.getLogger("x").warning(text, token))
    assert line["service"] == "gateway"
    assert line["event"] == "GET /sign-in/callback?code=***&state=*** with *** and ***"


def test_error__is_told_by_its_kind_and_place_and_not_by_its_words(told):
    def breaks():
        try:
            int("Sari Lestari")
        except ValueError:
            logging.getLogger("x").exception("it broke")

    (line,) = told(breaks)
    assert (line["error"], line["level"]) == ("builtins.ValueError", "error")
    assert line["where"][-1].startswith("unit/test_gateway_logs.py:")
    assert "Sari" not in str(line)
