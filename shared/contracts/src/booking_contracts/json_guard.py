"""What JSON may hold here beyond being JSON: nothing that PostgreSQL or another reader would refuse or round."""

import json
from typing import NoReturn

from booking_contracts.errors import Undecodable
from booking_contracts.event import has_nul

_LARGEST = 2**63 - 1

_DIGITS = bytes(ord("0") if chr(byte).isdigit() and byte < 128 else ord(" ") for byte in range(256))
"""Maps every digit to 0 and all else to a blank: far quicker than a pattern, and each record comes past here."""


def refuse_hostile(value: bytes) -> None:
    """Undecodable for NaN and infinities, integers beyond 64 bits, U+0000 and lone surrogates, wherever they stand.

    Fields that this release does not know are not validated by its models, yet other readers would store them.
    """
    # A look at the raw bytes is cheap and finds every culprit, besides innocent texts: those get the exact look.
    if not (b"\\u" in value or b"NaN" in value or b"Infinity" in value or b"0" * 19 in value.translate(_DIGITS)):
        return
    try:
        parsed = json.loads(value, parse_constant=_no_constant, parse_int=_int64)
        json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Undecodable("a text holds a lone surrogate") from None
    except (ValueError, RecursionError):
        raise Undecodable("the value is not JSON") from None
    if has_nul(parsed):
        raise Undecodable("a text holds U+0000")


def _no_constant(name: str) -> NoReturn:
    raise Undecodable(f"{name} is no JSON number")


def _int64(digits: str) -> int:
    # Length first: int() of a million digits is slow, and refuses over 4,300 by a ValueError.
    if len(digits) > 20 or abs(int(digits)) > _LARGEST:
        raise Undecodable("an integer has more than 64 bits")
    return int(digits)
