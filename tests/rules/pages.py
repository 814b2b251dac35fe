"""What the pages of this repository name: files, anchors, ids of the catalogue."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

_PAGE = re.compile(r"(?<![\w/.-])(?:[\w.-]+/|\.\./)*[\w-]+\.md\b")
_LINK = re.compile(r"\[[^\]\[]*\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$", re.MULTILINE)
_REFERENCE = re.compile(r"\[[^\]\[]+\]\[([^\]]+)\]")
_DEFINITION = re.compile(r"^\[([^\]]+)\]: ", re.MULTILINE)
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_ID = r"[FKTI][1-9]\d?[a-e]?"
_WORD = re.compile(rf"(?<![\w:{{]){_ID}(?![\w:}}])")
_SPAN = re.compile(r"(?<![\w:])([FKTI])([1-9]\d?)(?: to |[–-])\1([1-9]\d?)(?!\w)")
_DEFINED = re.compile(rf"^\| ({_ID}) \||\*\*({_ID})\*\*", re.MULTILINE)


@cache
def files(*endings: str) -> tuple[Path, ...]:
    """The repository's own files with these endings; what is fetched or generated beside them starts with a dot."""
    found: list[Path] = []
    for folder, names, here in os.walk(ROOT):
        names[:] = [name for name in names if not name.startswith(".") and name not in {"node_modules", "__pycache__"}]
        found += [Path(folder, name) for name in here if name.endswith(endings)]
    return tuple(sorted(found))


def pages_named(file: Path) -> set[str]:
    """Every `*.md` that a file names."""
    return set(_PAGE.findall(file.read_text("utf-8")))


def is_there(page: str, file: Path) -> bool:
    """Beside the file that names it, from the root, or, by its bare name, in docs/ or docs/adr/."""
    places = [file.parent / page, ROOT / page]
    if "/" not in page:
        places += [DOCS / page, DOCS / "adr" / page]
    return any(place.is_file() for place in places)


def dead_links(file: Path) -> Iterator[str]:
    """Relative links of a page that lead to no file or no heading, and references without a definition."""
    text = _CODE.sub("", file.read_text("utf-8"))
    for inline, defined in _LINK.findall(text):
        link = inline or defined
        if not re.match(r"[a-z]+:", link) and not _resolves(link, file):
            yield link
    yield from set(_REFERENCE.findall(text)) - set(_DEFINITION.findall(text))


def _resolves(link: str, file: Path) -> bool:
    path, _, anchor = link.partition("#")
    target = file.parent / path if path else file
    return target.exists() and (not anchor or anchor in _anchors(target))


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def ids_named(text: str) -> set[str]:
    """The ids of reliability.md that a text names, spans such as F70 to F77 by their ends."""
    ends = {f"{letter}{n}" for letter, low, high in _SPAN.findall(text) for n in (low, high)}
    return set(_WORD.findall(text)) | ends


def ids_defined() -> set[str]:
    """Rows, and what its lists of the uncovered set in bold."""
    return {row or bold for row, bold in _DEFINED.findall((DOCS / "reliability.md").read_text("utf-8"))}
