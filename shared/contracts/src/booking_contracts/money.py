"""Money: an integer in the unit of its currency, parsed from a provider's text without a float in between."""

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, StringConstraints

DECIMALS = {"IDR": 0, "JPY": 0, "KRW": 0, "VND": 0, "USD": 2, "EUR": 2, "GBP": 2, "AUD": 2, "SGD": 2, "MYR": 2}
"""How many decimal digits `amount` has. IDR none: 250000 is Rp250.000 (ISO 4217 says 2, but nobody pays in sen)."""

_AMOUNT = re.compile(r"(\d{1,15})(?:\.(\d{1,6}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one currency; 250000 IDR is Rp250.000, 1999 USD is $19.99."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid")

    amount: Annotated[int, Field(ge=0, le=10**15)]
    currency: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]


def from_provider(text: str, currency: str) -> Money:
    """A provider's `"250000.00"` as Money. ValueError for an unknown currency, or digits finer than its unit."""
    if currency not in DECIMALS:
        raise ValueError(f"unknown currency {currency!r}")
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError(f"not an amount: {text!r}")
    digits = DECIMALS[currency]
    whole, fraction = match[1], (match[2] or "").rstrip("0").ljust(digits, "0")
    if len(fraction) > digits:
        raise ValueError(f"{text} is finer than a unit of {currency}")
    amount = int(whole + fraction)
    if amount > 10**15:
        raise ValueError(f"not an amount: {text!r}")
    return Money(amount, currency)
