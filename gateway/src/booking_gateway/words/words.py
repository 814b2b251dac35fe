"""Texts, times and money for one viewer. `words_of(request)` is the viewer's."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from babel.dates import format_date, format_timedelta
from babel.numbers import format_currency, format_decimal
from fastapi import Request

from booking_contracts.money import DECIMALS
from booking_contracts.zones import Zone, zone, zone_named
from booking_gateway.words.language import DEFAULT, LOCALES, Locale, accepted, locale_of
from booking_gateway.words.translations import translations

_HOME = "Asia/Jakarta"
"""The zone of who has not said one."""
_DAY = "EEEE, d MMMM y"


@dataclass(frozen=True, slots=True)
class Words:
    """How things are said to one viewer."""

    locale: Locale
    zone: Zone

    def text(self, message: str, **values: object) -> str:
        """A text of the catalog, its `%(name)s` filled in."""
        found = translations(self.locale).gettext(message)
        return found % values if values else found

    def day(self, when: datetime | date) -> str:
        """Monday, 7 December 2026."""
        local = when.astimezone(self.zone) if isinstance(when, datetime) else when
        return format_date(local, _DAY, locale=self.locale)

    def month(self, first: date) -> str:
        """December 2026."""
        return format_date(first, "MMMM y", locale=self.locale)

    def weekdays(self) -> list[str]:
        """The days of a week's head, from Monday on."""
        monday = date(2024, 1, 1)
        return [format_date(monday + timedelta(days=n), "EEE", locale=self.locale) for n in range(7)]

    def time(self, when: datetime) -> str:
        """09:00, in both languages. Not by Babel, which takes five times as long: a full month asks for a thousand."""
        return when.astimezone(self.zone).strftime("%H:%M")

    def moment(self, when: datetime) -> str:
        """Monday, 7 December 2026, 09:00, in the viewer's zone, which `zone_told` names."""
        return f"{self.day(when)}, {self.time(when)}"

    def zone_told(self, when: datetime | None = None) -> str:
        """The zone with its offset at that time: WIB (GMT+07:00, Asia/Jakarta)."""
        local = (when or datetime.now(UTC)).astimezone(self.zone)
        short = local.tzname() or ""
        told = f"GMT{self.offset(local)}, {self.zone.key}"
        return f"{short} ({told})" if short.isalpha() else told

    def offset(self, when: datetime | None = None) -> str:
        """The zone's offset at that time: +07:00."""
        offset = (when or datetime.now(UTC)).astimezone(self.zone).strftime("%z")
        return f"{offset[:3]}:{offset[3:5]}"

    def left(self, until: datetime) -> str:
        """How long it is until then: 6 days. Empty once it is past."""
        span = until - datetime.now(UTC)
        return format_timedelta(span, locale=self.locale, threshold=1.5) if span > timedelta(0) else ""

    def number(self, value: float) -> str:
        """1.234,5, of any number; a digit after the point is the last."""
        return format_decimal(round(value, 1), locale=self.locale)

    def money(self, amount: int, currency: str) -> str:
        """Rp 250.000, of an amount as the interface tells it."""
        digits = DECIMALS.get(currency, 2)
        pattern = "¤ #,##0" + ("." + "0" * digits if digits else "")
        return format_currency(amount / 10**digits, currency, pattern, locale=self.locale, currency_digits=False)


def words_of(request: Request) -> Words:
    """The words of who looks: of their session, of this browser, of its `Accept-Language`."""
    state = request.state
    if not hasattr(state, "words"):
        session = getattr(state, "session", None)
        locale = (
            locale_of(session.locale if session else None)
            or locale_of(request.cookies.get("language"))
            or accepted(request.headers.get("accept-language", ""))
            or DEFAULT
        )
        state.words = Words(locale, zone_named((session and session.timezone) or _HOME) or zone(_HOME))
    return state.words


__all__ = ["LOCALES", "Words", "words_of"]
