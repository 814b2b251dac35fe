"""Text that people chose, made harmless before it meets a header, a page, a calendar or a template (T14 to T19)."""

import re

from booking_people import one_line

__all__ = ["header", "name", "one_line", "parameter"]

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


def name(text: str | None, fallback: str, limit: int = 80) -> str:
    """A person's name as we show it: one line without any address in it, or the fallback if nothing is left."""
    # Cut first: a cut may turn a harmless word into an address, and removing one may join two halves of another.
    cleaned = one_line(text or "", limit)
    while (without := one_line(_ADDRESS.sub(" ", cleaned))) != cleaned:
        cleaned = without
    return cleaned or fallback


def header(text: str, limit: int = 150) -> str:
    """A mail header's text: one line, and no RFC 2047 encoded word.

    Some versions of Python decode an encoded word while they fold a header, so that `=?UTF-8?Q?=0A?=Bcc:` becomes a
    real line and a real Bcc (CVE-2024-6923, CVE-2026-1299). A space ends every such word before the library sees it.
    """
    return one_line(_ENCODED_WORD.sub(lambda match: f"{match[0]} ", one_line(text, limit)), limit)


def parameter(text: str) -> str:
    """A WhatsApp template's parameter: Meta refuses newlines, tabs and more than four spaces, and an empty one.

    Text is cut at 300 characters, an address never: what is left of one leads nowhere.
    """
    return one_line(text, 2048 if text.startswith("https://") else 300) or "-"
