"""Reading providers' JSON: bounded, without surprises, and only text that PostgreSQL can hold."""

import json
from typing import Any

from booking_contracts.money import DECIMALS, Money, from_provider
from checkout.payments.provider import BadBodyError

MOST_TEXT = 200  # characters of an id; events allow no more
_UNKNOWN_DECIMALS = 2
_MOST_AMOUNT = 10**15


def json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body, or raise `BadBodyError`.

    A name that appears twice is refused: which of the two counts depends on the reader, and one of them was not signed.
    """
    try:
        value = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise BadBodyError("the body is no JSON") from None
    if not isinstance(value, dict):
        raise BadBodyError("the body is no JSON object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name appears twice")
    return dict(pairs)


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def text(value: object) -> str:
    """Return a value as storable text: no NUL, no lone surrogate, bounded; empty for what is no text."""
    if not isinstance(value, str):
        return ""
    return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()[:MOST_TEXT]


def money(amount: object, currency: object) -> tuple[Money | None, bool]:
    """Return a provider's `"250000.00"` as Money, and whether it is exact; (None, False) for what is no amount.

    An amount that is finer than a unit is rounded up and not exact, a currency that we don't know has two decimals:
    neither can ever equal a price, both must reach an admin (P4).
    """
    if not isinstance(amount, str) or not isinstance(currency, str):
        return None, False
    try:
        return from_provider(amount, currency), True
    except ValueError:
        return _rounded_up(amount, currency), False


def _rounded_up(amount: str, currency: str) -> Money | None:
    whole, _, fraction = amount.partition(".")
    if not (whole.isascii() and whole.isdigit() and (fraction or "0").isascii() and (fraction or "0").isdigit()):
        return None
    if len(currency) != 3 or not (currency.isascii() and currency.isupper() and currency.isalpha()):
        return None
    digits = DECIMALS.get(currency, _UNKNOWN_DECIMALS)
    units = int(whole + fraction[:digits].ljust(digits, "0")) + bool(fraction[digits:].rstrip("0"))
    return Money(units, currency) if units <= _MOST_AMOUNT else None
