"""Logs as the services write them: one JSON object a line on standard output, without user data or secrets."""

import json
import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from pathlib import PurePath
from typing import Any

import structlog

_SECRET = re.compile(
    r"(?i)bearer\s+[A-Za-z0-9._~+/=-]+|eyJ[A-Za-z0-9_-]{8,}[A-Za-z0-9._-]+|([?&](?:code|state)=)[^&\s]+"
)
_MOST_FRAMES = 20
Event = MutableMapping[str, Any]


def configure(level: str) -> None:
    """Sets up structlog and the standard library's logging alike; call it once, first."""
    shared: list[Any] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _finished,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    rendered = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.JSONRenderer(serializer=json.dumps, default=str),
    ]
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=rendered))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("uvicorn.access", "httpx2", "httpcore2", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def _finished(_logger: Any, _method: str, event: Event) -> Event:
    """The service's name; an error by its kind and place, never its words; no token in any text."""
    event["service"] = "gateway"
    told = event.pop("exc_info", None)
    error = told[1] if isinstance(told, tuple) else told if isinstance(told, BaseException) else None
    if error is None and told:
        error = sys.exc_info()[1]
    if error is not None:
        event["error"] = f"{type(error).__module__}.{type(error).__qualname__}"
        frames = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
        event["where"] = [f"{'/'.join(PurePath(one.filename).parts[-2:])}:{one.lineno} {one.name}" for one in frames]
    for field, value in event.items():
        if isinstance(value, str):
            event[field] = _SECRET.sub(lambda found: f"{found[1] or ''}***", value)
    return event
