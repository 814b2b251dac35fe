"""JSON as this system takes it: nothing that two readers, or PostgreSQL, would read differently (T6)."""

import json
import math
import re
from typing import Any, NoReturn

from booking_web.problems import Problem

_LARGEST = 2**63 - 1
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def check_json(body: bytes) -> None:
    """Problem 400 for no JSON, not UTF-8, NaN, a repeated name or a number beyond 64 bits; 422 for U+0000 and lone
    surrogates.

    UTF-8 alone, with or without its mark (RFC 8259 §8.1): Python's reader would take UTF-16 and UTF-32 too.

    One pass over the body, before any model sees it: a model would take the last of two equal names, let an infinity
    through, and leave U+0000 to PostgreSQL's refusal.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Problem(400, "malformed_json", "The body is not UTF-8.") from None
    try:
        value = json.loads(
            text, object_pairs_hook=_no_twins, parse_constant=_no_constant, parse_int=_int, parse_float=_float
        )
    except Problem:
        raise
    except (ValueError, RecursionError):
        raise Problem(400, "malformed_json", "The body is no JSON.") from None
    if b"\\u" in body and not _is_text(value):
        raise Problem(422, "invalid_text", "A text holds U+0000 or a lone surrogate.")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Problem(400, "malformed_json", "An object holds a name twice.")
    return found


def _no_constant(_name: str) -> NoReturn:
    raise Problem(400, "malformed_json", "NaN and infinities are no JSON numbers.")


def _int(digits: str) -> int:
    # Length first: int() of very many digits is slow, and refuses over 4,300 with an error of its own.
    if len(digits) > 20 or not -_LARGEST - 1 <= int(digits) <= _LARGEST:
        raise Problem(400, "number_too_large", "A number is too large.")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise Problem(400, "number_too_large", "A number is too large.")
    return value


def _is_text(value: object) -> bool:
    """Whether every text in it is one that PostgreSQL can keep, looked at only where the body escapes characters."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text if _UNSTORABLE.search(text):
                return False
            case dict() as members:  # pyright: ignore[reportUnknownVariableType]
                waiting += [*members.keys(), *members.values()]  # pyright: ignore[reportUnknownArgumentType]
            case list() as items:  # pyright: ignore[reportUnknownVariableType]
                waiting += items  # pyright: ignore[reportUnknownArgumentType]
            case _:
                pass
    return True
