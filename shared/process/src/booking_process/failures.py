"""Errors as log fields that hold no user's data: kinds and places, never messages (T18)."""

import traceback
from pathlib import PurePath
from typing import Any

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
