"""A line of the log as it leaves the process: JSON, with the trace, without what is secret or a person's (T18, T31)."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import structlog
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext

from booking_process import logs


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What these tests have written since, after `configure` as a process does it; afterwards all is as before.

    Another test's task may still be about its business and log beside them.
    """
    root, before, written = logging.getLogger(), structlog.get_config(), io.StringIO()
    handlers, level = list(root.handlers), root.level
    monkeypatch.setattr("sys.stdout", written)
    logs.configure("info", service="notes-api")
    monkeypatch.undo()
    yield lambda: [
        line for line in map(json.loads, written.getvalue().splitlines()) if line["logger"].startswith("lines.")
    ]
    root.handlers[:], root.level = handlers, level
    structlog.configure(**before)


def test_line__says_which_service_and_which_trace(lines):
    span = NonRecordingSpan(SpanContext(trace_id=0xABC, span_id=0xDEF, is_remote=False))
    with trace.use_span(span):
        structlog.get_logger("lines.traced").info("told", number=1)
    structlog.get_logger("lines.untraced").info("told")
    traced, untraced = lines()
    assert (traced["service"], traced["event"], traced["number"]) == ("notes-api", "told", 1)
    assert (traced["trace_id"], traced["span_id"]) == (f"{0xABC:032x}", f"{0xDEF:016x}")
    assert "trace_id" not in untraced


def test_complaint_that_repeats__is_written_fifty_times(lines):
    """The limit is in the way of what leaves the process, whoever logs."""
    for _ in range(60):
        logging.getLogger("lines.library").error("It failed")
        structlog.get_logger("lines.ours").error("it_failed")
        structlog.get_logger("lines.ours").info("it_goes_on")
    written = [line["event"] for line in lines()]
    assert {event: written.count(event) for event in set(written)} == {
        "It failed": 50,
        "it_failed": 50,
        "it_goes_on": 60,
    }


def _by_structlog(error: Exception) -> None:
    try:
        raise error
    except type(error):
        structlog.get_logger("lines.ours").exception("failed")


def _by_the_library(error: Exception) -> None:
    try:
        raise error
    except type(error):
        logging.getLogger("lines.library").exception("failed")


def _as_a_value(error: Exception) -> None:
    structlog.get_logger("lines.value").error("failed", exc_info=error)


@pytest.mark.parametrize("told", [_by_structlog, _by_the_library, _as_a_value])
@pytest.mark.parametrize(
    ("error", "state"),
    [(ValueError("ayu@example.com"), None), (psycopg.errors.UniqueViolation("ayu@example.com"), "23505")],
)
def test_exception__is_its_kind_and_never_its_message(lines, told, error, state):
    told(error)
    (line,) = lines()
    assert line["error"].endswith(type(error).__name__)
    assert line.get("sqlstate") == state
    assert "ayu" not in json.dumps(line)
    assert "exc_info" not in line


def test_exception_asked_for_where_there_is_none__is_none(lines):
    structlog.get_logger("lines.none").error("failed", exc_info=True)
    (line,) = lines()
    assert "error" not in line


@pytest.mark.parametrize(
    "field", ["password", "access_token", "Authorization", "recipient_email", "phone", "name", "body"]
)
def test_secret_field__is_blanked(lines, field):
    structlog.get_logger("lines.fields").info("told", **{field: "hunter2", "attempt": 3})
    (line,) = lines()
    assert (line[field], line["attempt"]) == ("***", 3)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://booking:hunter2@db/checkout",
        "Bearer hunter2",
        "GET /v1/calendar/feeds/hunter2",
        "GET /v1/stream?after=1&ticket=hunter2&more=1",
        "st_hunter2hunter2hunter2hunter2",
        "eyJhbGciOiJub25lIn0.hunter2",
    ],
)
def test_secret_in_a_text__is_blanked(lines, text):
    structlog.get_logger("lines.texts").info("told", what=text)
    logging.getLogger("lines.texts.library").info("told of %s", text)
    ours, theirs = lines()
    assert "***" in ours["what"]
    assert "hunter2" not in json.dumps([ours, theirs])


def test_line_below_the_level__is_not_written(lines):
    structlog.get_logger("lines.level").debug("told")
    logging.getLogger("lines.level.library").debug("told")
    assert lines() == []
