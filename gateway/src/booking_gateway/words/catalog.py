"""The catalogs as translators get them. `python -m booking_gateway.words.catalog` (part of `make generate`)

Takes each text of the code and the templates into `locale/<locale>.po`, keeps what is translated, drops what is gone.
"""

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

_ROOM = Path(__file__).resolve().parent
_PACKAGE = _ROOM.parent
_METHODS = [("**.py", "python"), ("**.html", "jinja2")]
_KEYWORDS = {"_": None, "gettext": None, "text": None}
_WIDTH = 110


def extracted() -> Catalog:
    """Every text there is, in the order of files."""
    found = Catalog()
    for path, _line, message, _comments, _context in sorted(
        extract_from_dir(_PACKAGE, _METHODS, {"**.html": {"trimmed": "true"}}, keywords=_KEYWORDS),
        key=lambda one: one[:2],
    ):
        found.add(message, locations=[(path, 0)])
    return found


def updated(locale: str) -> str:
    """The catalog of a locale with all texts of today."""
    path = _ROOM / "locale" / f"{locale}.po"
    kept = read_po(io.BytesIO(path.read_bytes()), locale=locale) if path.exists() else Catalog(locale)
    made = Catalog(locale, header_comment="# Indonesian, for people who read no JSON.", fuzzy=False)
    for message in extracted():
        if message.id:
            before = kept.get(message.id)
            made.add(message.id, before.string if before is not None else "", locations=message.locations)
    written = io.BytesIO()
    write_po(written, made, width=_WIDTH, omit_header=True, include_lineno=False)
    return written.getvalue().decode()


def main() -> None:
    """Write them."""
    (_ROOM / "locale").mkdir(exist_ok=True)
    (_ROOM / "locale" / "id.po").write_text(updated("id"), "utf-8")


if __name__ == "__main__":
    main()
