"""How names, instants and money look in a text, harmless and in the reader's own language and zone.

Text that people chose is cleaned before it meets a header, a page, a calendar or a template (T14 to T19).

An instant is shown with its zone's name and offset at that time (E3). Both are those that the zone's rules give that
instant. CLDR's names are not asked: they know a zone's standard and daylight time, not which of them a government has
chosen for good, and take Dublin's winter for its summer. Zone and language are required arguments everywhere: a default
would one day be the server's.
"""

import re
from datetime import datetime
from decimal import Decimal

from babel.dates import format_datetime
from babel.numbers import format_currency

from booking_contracts.money import DECIMALS, Money
from booking_contracts.zones import Zone, zone_named
from booking_contracts.zones import zone as known_zone
from booking_people import one_line
from booking_web.languages import Language

# Scheme-like, www-like and bare addresses of common domains. Not every dotted word: "Sari, S.Psi., M.Psi." is a name.
_ADDRESS = re.compile(
    r"""(?ix)
    [a-z][a-z0-9+.-]*://\S*
    | (?<![\w.]) (?:javascript|data|mailto|tel):\S+
    | (?<![\w.]) www\.\S+
    | (?<![\w.@-]) (?:[\w-]+\.)+
      (?:com|net|org|info|biz|io|co|id|me|ly|gl|to|app|dev|xyz|link|site|online|shop|top|page|click)
      (?![\w.-]) (?:/\S*)?
    """
)
_ENCODED_WORD = re.compile(r"=(?=\?)|\?(?==)")
_DAY: dict[Language, str] = {"id": "EEEE, d MMMM y", "en": "EEEE, d MMMM y"}
_TIME: dict[Language, str] = {"id": "HH.mm", "en": "HH:mm"}
_LOCALE: dict[Language, str] = {"id": "id_ID", "en": "en_GB"}


def safe_name(text: str | None, fallback: str, limit: int = 80) -> str:
    """A person's name as we show it: one line without any address in it, or the fallback if nothing is left."""
    # Cut first: a cut may turn a harmless word into an address, and removing one may join two halves of another.
    cleaned = one_line(text or "", limit)
    while (without := one_line(_ADDRESS.sub(" ", cleaned))) != cleaned:
        cleaned = without
    return cleaned or fallback


def safe_header(text: str, limit: int = 150) -> str:
    """A mail header's text: one line, and no RFC 2047 encoded word.

    Some versions of Python decode an encoded word while they fold a header, so that `=?UTF-8?Q?=0A?=Bcc:` becomes a
    real line and a real Bcc (CVE-2024-6923, CVE-2026-1299). A space ends every such word before the library sees it.
    """
    return one_line(_ENCODED_WORD.sub(lambda match: f"{match[0]} ", one_line(text, limit)), limit)


def safe_parameter(text: str) -> str:
    """A WhatsApp template's parameter: Meta refuses newlines, tabs and more than four spaces, and an empty one.

    Text is cut at 300 characters, an address never: what is left of one leads nowhere.
    """
    return one_line(text, 2048 if text.startswith("https://") else 300) or "-"


def zone_of(name: str | None, fallback: str) -> Zone:
    """The zone of that IANA name, or of the fallback when this release has none of it. The fallback must exist."""
    return zone_named(name or fallback) or known_zone(fallback)


def moment(instant: datetime, zone: Zone, language: Language) -> str:
    """`Selasa, 1 Desember 2026, 09.00 WIB (GMT+07:00, Asia/Jakarta)`."""
    local = instant.astimezone(zone)
    return f"{_format(local, _DAY, language)}, {_format(local, _TIME, language)} {zone_at(local)}"


def span(starts_at: datetime, ends_at: datetime, zone: Zone, language: Language) -> str:
    """`Selasa, 1 Desember 2026, 09.00–10.00 WIB (GMT+07:00, Asia/Jakarta)`; both dates when it ends on another day.

    Where the zone's offset changes in between, both ends say their zone in full.
    """
    start, end = starts_at.astimezone(zone), ends_at.astimezone(zone)
    if start.utcoffset() != end.utcoffset() or start.date() != end.date():
        return f"{moment(starts_at, zone, language)} – {moment(ends_at, zone, language)}"
    day, first, last = _format(start, _DAY, language), _format(start, _TIME, language), _format(end, _TIME, language)
    return f"{day}, {first}–{last} {zone_at(start)}"


def zone_at(local: datetime) -> str:
    """`WIB (GMT+07:00, Asia/Jakarta)`, without a short name where the rules have none but figures."""
    short, offset = local.tzname() or "", f"{local:%z}"
    named = "" if short.lstrip("+-").isdigit() else f"{short} "
    return f"{named}(GMT{offset[:3]}:{offset[3:5]}, {local.tzinfo})"


def _format(local: datetime, pattern: dict[Language, str], language: Language) -> str:
    return format_datetime(local, pattern[language], tzinfo=local.tzinfo, locale=language)


def amount(money: Money, language: Language) -> str:
    """`Rp250.000` in Indonesian, `IDR 250,000` in English; the digits that the currency has here, not ISO's."""
    decimals = DECIMALS.get(money.currency, 2)
    value = Decimal(money.amount).scaleb(-decimals)
    digits = "0" if decimals == 0 else f"0.{'0' * decimals}"
    pattern = f"¤#,##{digits}" if (language, money.currency) == ("id", "IDR") else f"¤¤ #,##{digits}"
    text = format_currency(value, money.currency, locale=_LOCALE[language], format=pattern, currency_digits=False)
    return text.replace("\xa0", " ")
