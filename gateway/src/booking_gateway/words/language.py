"""In which language a page is: the person's own, else what they chose in this browser, else what it asks for."""

import re
from typing import Literal

Locale = Literal["id", "en"]
LOCALES: dict[Locale, str] = {"id": "Bahasa Indonesia", "en": "English"}
DEFAULT: Locale = "id"
_RANGE = re.compile(r"([A-Za-z]{1,8})(?:-[A-Za-z0-9]{1,8})*(?:\s*;\s*[qQ]\s*=\s*([01](?:\.[0-9]{0,3})?))?")


def locale_of(told: str | None) -> Locale | None:
    """Ours for a locale such as `en-GB` or `id_ID`; None for one that we have no words in."""
    first = (told or "").strip().lower().replace("_", "-").partition("-")[0]
    return "en" if first == "en" else "id" if first in {"id", "in"} else None


def accepted(header: str) -> Locale | None:
    """What an `Accept-Language` likes best of ours (RFC 9110 §12.5.4)."""
    best: tuple[float, Locale] | None = None
    for part in header[:4096].split(","):
        found = _RANGE.fullmatch(part.strip())
        locale = locale_of(found[1]) if found else None
        quality = float(found[2] or 1) if found else 0.0
        if locale is not None and quality > (best[0] if best else 0.0):
            best = (quality, locale)
    return best[1] if best else None
