"""gettext's catalogs, read from `locale/<locale>.po` as translators write it: nothing has to be compiled."""

import gettext
import io
from functools import cache
from importlib.resources import files

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from booking_gateway.words.language import Locale

SOURCE: Locale = "en"
"""The language of the texts in the code."""


@cache
def translations(locale: Locale) -> gettext.NullTranslations:
    """The catalog of a locale; the source's own texts need none."""
    if locale == SOURCE:
        return gettext.NullTranslations()
    text = files("booking_gateway.words").joinpath("locale", f"{locale}.po").read_bytes()
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(text), locale=locale))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def mark(text: str) -> str:
    """A text that is translated where it is shown."""
    return text
