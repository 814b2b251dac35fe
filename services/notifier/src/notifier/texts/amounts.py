"""Money as a reader sees it."""

from decimal import Decimal

from babel.numbers import format_currency

from booking_contracts.money import DECIMALS, Money
from booking_web.languages import Language

_LOCALE: dict[Language, str] = {"id": "id_ID", "en": "en_GB"}


def amount(money: Money, language: Language) -> str:
    """`Rp250.000` in Indonesian, `IDR 250,000` in English; the digits that the currency has here, not ISO's."""
    decimals = DECIMALS.get(money.currency, 2)
    value = Decimal(money.amount).scaleb(-decimals)
    digits = "0" if decimals == 0 else f"0.{'0' * decimals}"
    pattern = f"¤#,##{digits}" if (language, money.currency) == ("id", "IDR") else f"¤¤ #,##{digits}"
    text = format_currency(value, money.currency, locale=_LOCALE[language], format=pattern, currency_digits=False)
    return text.replace("\xa0", " ")
