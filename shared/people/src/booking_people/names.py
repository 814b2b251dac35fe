"""Names and longer text that people write.

Kept: every letter of every script, emoji, and the two joiners (U+200C, U+200D) where they shape what is around them.
Persian, Kurdish and Jawi spell with the first, Sinhala, Malayalam and emoji with the second (UAX #31, section 2.3).
Taken away: invisible marks that only copying brings along (direction marks, byte order mark, soft hyphen).
Refused: control characters, overrides of the reading direction, halves of characters, what nobody assigned a meaning.
"""

import unicodedata

MOST_NAME, MOST_PARAGRAPH = 200, 4_000

_JOINERS = "\u200c\u200d"
_OVERRIDES = "\u202d\u202e"
_LINES = "\n\t\r"
# Direction marks, embeddings and isolates; zero-width spaces; soft hyphen, byte order mark; invisible operators,
# deprecated format characters, annotations and tags. None of them has a shape of its own.
_STRAY = frozenset(
    map(
        chr,
        [
            0x00AD, 0x034F, 0x061C, 0x180E, 0x200B, 0x200E, 0x200F, 0x202A, 0x202B, 0x202C, 0xFEFF,
            *range(0x2060, 0x2070), *range(0xFFF9, 0xFFFC), 0xE0001, *range(0xE0020, 0xE0080),
        ],
    )
)  # fmt: skip
# Letters and signs by their category, and blank to every reader.
_BLANK = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_VIRAMA = 9


class Unusable(ValueError):
    """What was given can be no name, number or address; the text says what is expected, never what was given."""


def name(text: str) -> str:
    """A name on one line, in NFC, with single spaces; Unusable for nothing visible, too much, or control characters."""
    spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in text).strip()
    kept = " ".join(part for part in _spelled(spaced).split(" ") if part)
    if not 0 < len(kept) <= MOST_NAME or not is_visible(kept) or any(_is_refused(c) for c in kept):
        raise Unusable(f"a name is 1 to {MOST_NAME} characters on one line, without control characters")
    return kept


def paragraph(text: str) -> str:
    """Longer text, line breaks allowed, in NFC; Unusable for too much or control characters. It may be empty."""
    kept = _spelled(text.strip()).strip()
    if len(kept) > MOST_PARAGRAPH or any(_is_refused(c) for c in kept if c not in _LINES):
        raise Unusable(f"a text is up to {MOST_PARAGRAPH} characters, without control characters")
    return kept


def one_line(text: str, limit: int = 200) -> str:
    """Any text made harmless for one line of a header, a page or a calendar; never refuses.

    Control characters and line breaks become spaces, what `name` would refuse or take away goes, joiners stay as there.
    At most `limit` characters.
    """
    plain = "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in text)
    plain = _spelled("".join(c for c in plain if not _is_refused(c)))
    # A cut may leave a joiner at the end.
    return _spelled(" ".join(plain.split())[:limit]).strip()


def without_strays(text: str) -> str:
    """The text without the invisible marks that copying brings along."""
    return "".join(c for c in text if c not in _STRAY)


def _spelled(text: str) -> str:
    """Without stray marks, joiners only where they shape something, in NFC."""
    plain = without_strays(text)
    kept: list[str] = []
    for position, c in enumerate(plain):
        if c in _JOINERS:
            before, after = kept[-1] if kept else " ", plain[position + 1 : position + 2] or " "
            # After a virama a joiner shapes the letter before it, also at the end of a word (Malayalam's chillu).
            if not (unicodedata.combining(before) == _VIRAMA or (_is_shaped(before) and _is_shaped(after))):
                continue
        kept.append(c)
    return unicodedata.normalize("NFC", "".join(kept))


def _is_shaped(c: str) -> bool:
    """A letter, a mark on one, or a symbol such as an emoji: what a joiner can join or part."""
    return unicodedata.category(c)[0] in "LMS" or unicodedata.category(c) == "Cn"


def is_visible(text: str) -> bool:
    """Whether a reader sees anything of it: a letter, a digit or a sign that is not blank in itself."""
    return any(
        (unicodedata.category(c)[0] in "LNPS" or unicodedata.category(c) == "Cn") and c not in _BLANK for c in text
    )


def _is_refused(c: str) -> bool:
    """A control, format (but joiners) or separator character, half a character, private use, or no character at all.

    Not yet assigned ones stay: Python's tables are older than the newest emoji.
    """
    if c in _JOINERS:
        return False
    kind = unicodedata.category(c)
    return kind in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} or c in _OVERRIDES or (kind == "Cn" and _is_noncharacter(c))


def _is_noncharacter(c: str) -> bool:
    return (ord(c) & 0xFFFE) == 0xFFFE or 0xFDD0 <= ord(c) <= 0xFDEF
