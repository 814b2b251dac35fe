"""Logs: one JSON object a line on standard output, with trace ids, without user data or secrets (T18, T31)."""

import json
import logging
import re
import sys
import time
import traceback
from collections.abc import MutableMapping
from pathlib import PurePath
from typing import Any, cast
from urllib.parse import unquote

import structlog
from opentelemetry import trace

_SECRET_FIELDS = re.compile(
    r"(?i)password|secret|token|authorization|api_?key|cookie|signature|email|phone|^name$|^body$|^text$"
)
_SECRETS = (
    (re.compile(r"(?i)(postgres(?:ql)?://[^:/@\s]*):[^@\s]*@"), r"\1:***@"),
    (re.compile(r"(?i)bearer\s+[A-Za-z0-9._~+/=-]+"), "Bearer ***"),
    (re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9._-]+"), "***"),
    (re.compile(r"(/calendar/feeds/)[^\s/?\"']+"), r"\1***"),
    (re.compile(r"(?i)\b(ticket=)[^\s&\"']+"), r"\1***"),
    (re.compile(r"\bst_[A-Za-z0-9_-]{20,}=*"), "***"),
)


class Repeats(logging.Filter):
    """Lets one complaint of a library through at most every ten seconds, and says then how many were left out.

    aiokafka asks for a missing topic, or a broker that is away, several times a second and logs each answer: tens of
    thousands of lines in minutes, under which nobody finds the one that says what to do. Of our own warnings and errors
    fifty alike pass in ten seconds: a database that is away makes one of every request. What else we tell all passes.
    """

    SECONDS = 10.0
    OURS = 50
    LIBRARIES = ("aiokafka", "faststream", "psycopg", "sqlalchemy", "asyncio")

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a line whose text, before its values are put in, was let through less than ten seconds ago."""
        ours = record.name.partition(".")[0] not in self.LIBRARIES
        if ours and record.levelno < logging.WARNING:
            return True
        what = (record.name, str(_fields(record).get("event", record.msg)))
        until, times = self._seen.get(what, (0.0, 0))
        now, most = time.monotonic(), self.OURS if ours else 1
        if now < until:
            self._seen[what] = (until, times + 1)
            return times < most
        if len(self._seen) > 1_000:  # texts that hold their values: forget rather than grow
            self._seen.clear()
        self._seen[what] = (now + self.SECONDS, 1)
        if (left_out := times - most) > 0:
            self._tell(record, left_out)
        return True

    @staticmethod
    def _tell(record: logging.LogRecord, left_out: int) -> None:
        """In the first line that passes again."""
        if fields := _fields(record):
            record.msg = {**fields, "left_out": left_out}
        else:
            record.msg, record.args = f"{record.getMessage()} ({left_out} more like this were left out)", ()


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """Of a line of structlog's, on its way to the renderer; of another none."""
    said: object = record.msg
    return cast("dict[str, Any]", said) if isinstance(said, dict) else {}


def configure(level: str = "info", *, service: str = "") -> None:
    """Sets up structlog and the standard library's logging alike; call it once, first."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_service(service),
        _with_trace,
        _errors_described,
        _redacted,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(Repeats())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=json.dumps, default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("uvicorn.access", "httpx2", "httpcore2", "aiokafka", "faststream", "alembic.runtime.plugins"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def redacted_text(text: str) -> str:
    """The text without passwords of addresses, bearer tokens, secret feed addresses and tickets of the stream."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def redacted_query(text: str) -> str:
    """A query without the same, also where they are percent-encoded."""
    shown = redacted_text(text)
    return shown if redacted_text(unquote(shown)) == unquote(shown) else "***"


def _with_service(name: str) -> Any:
    def add(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if name:
            event["service"] = name
        return event

    return add


def _with_trace(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event.setdefault("trace_id", f"{span.trace_id:032x}")
        event["span_id"] = f"{span.span_id:016x}"
    return event


def _errors_described(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    match event.pop("exc_info", None):
        case BaseException() as error:
            event.update(described(error))
        case (_, BaseException() as error, _):
            event.update(described(error))
        case told if told and (error := sys.exc_info()[1]) is not None:
            event.update(described(error))
        case _:
            pass
    return event


def _redacted(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for field, value in event.items():
        if _SECRET_FIELDS.search(field):
            event[field] = "***"
        elif isinstance(value, str):
            event[field] = redacted_text(value)
    return event


_MOST_FRAMES = 20


def described(error: BaseException) -> dict[str, Any]:
    """`error` (its class), `sqlstate` where PostgreSQL refused, `where` (frames, innermost last), `caused_by`.

    A message is left out: psycopg's and pydantic's quote the values that they refuse.
    """
    fields: dict[str, Any] = {"error": f"{type(error).__module__}.{type(error).__qualname__}"}
    if (state := getattr(error, "sqlstate", None)) is not None:
        fields["sqlstate"] = state
    frames = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
    fields["where"] = [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]
    if (cause := error.__cause__ or error.__context__) is not None and cause is not error:
        fields["caused_by"] = f"{type(cause).__module__}.{type(cause).__qualname__}"
    return fields


def _short(filename: str) -> str:
    return "/".join(PurePath(filename).parts[-2:])
