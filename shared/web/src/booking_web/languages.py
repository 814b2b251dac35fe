"""In which language words are: one rule for every service (docs/api.md, Locale).

Where the person is known, their own locale counts and no header does. Where nobody is known, `Accept-Language` may
choose (RFC 9110 §12.5.4): a wish that is never an error. Else it is Indonesian.
"""

import re
from typing import Annotated, Literal

from fastapi import Depends, Header, Request
from pydantic import Field

Language = Literal["id", "en"]
DEFAULT: Language = "id"
_LONGEST = 4_096
_RANGE = re.compile(r"([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9]{1,8})*(?:\s*;\s*[qQ]\s*=\s*([01](?:\.[0-9]{0,3})?))?")


def language_of(locale: str | None) -> Language | None:
    """The language of a locale such as `en-GB` or `id_ID`; None for none, or one that we have no words in."""
    first = (locale or "").strip().lower().replace("_", "-").partition("-")[0]
    return "en" if first == "en" else "id" if first in {"id", "in"} else None


def accepted(header: str | None) -> Language | None:
    """What an `Accept-Language` likes best of ours, the first of equals; None where it has no say (`*` has none)."""
    best: tuple[float, Language] | None = None
    for part in (header or "").split(","):
        found = _RANGE.fullmatch(part.strip())
        language = language_of(found[1]) if found else None
        quality = float(found[2] or 1) if found else 0.0
        if language is not None and 0 < quality <= 1 and (best is None or quality > best[0]):
            best = (quality, language)
    return best[1] if best else None


def language_for(locale: str | None, wish: Language | None = None) -> Language:
    """The language of the person's locale where it is one of ours, else what the header wishes, else Indonesian."""
    return language_of(locale) or wish or DEFAULT


_Header = Annotated[
    Annotated[str, Field(json_schema_extra={"maxLength": _LONGEST})] | None,  # told, not held
    Header(
        alias="Accept-Language",
        description="Chooses the words only where the person's locale is not known; never refused.",
    ),
]


async def _wish(request: Request, _accept_language: _Header = None) -> Language | None:
    return accepted(",".join(request.headers.getlist("accept-language")))


AcceptedLanguage = Annotated[Language | None, Depends(_wish)]
"""What the caller's `Accept-Language` wishes, as a parameter of a route."""
