"""The pages of this repository as a site: `make docs` writes `.site/html`, which a browser opens as it lies there.

The pages are laid out as they lie in the repository, so that a link leads where it leads there. What they link to goes
with them: pictures and JSON as they are, sources and folders as pages of their own. Whatever leads to no page, no file
or no anchor is an error, and so is a page of `docs/` that the navigation leaves out. Nothing is loaded from elsewhere:
Zensical comes from PyPI, Mermaid from npm, by the locks beside this file.
"""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from booking_local.packages import UnavailableError, node_with, python_with

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
_SITE = ROOT / ".site"
_PATIENCE = 120.0
"""Seconds for Zensical, which needs three."""
_AS_THEY_ARE = {".json", ".svg", ".png", ".html"}
_LANGUAGE = {
    ".py": "python",
    ".ts": "typescript",
    ".js": "javascript",
    ".mjs": "javascript",
    ".yml": "yaml",
    ".sh": "bash",
}
_CODE = re.compile(r"(```.*?^ *```|`[^`\n]*`)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?<=\]\()([^)\s]+)(?=\))|(?<=\]: )(\S+)$", re.MULTILINE)


class SiteError(Exception):
    """The site can't be built; the message has a line for each reason."""


async def build() -> Path:
    """Writes the site and returns its first page.

    Raises SiteError for what is wrong in the pages, UnavailableError if Zensical or Mermaid can't be had here.
    """
    python = await python_with(HERE / "zensical.txt")
    _, npm = await node_with(HERE, "package.json", "package-lock.json")
    shutil.rmtree(_SITE, ignore_errors=True)
    pages = _SITE / "pages"
    _lay_out(pages)
    for script in ("mermaid/dist/mermaid.min.js", "iframe-worker/shim/index.js"):
        shutil.copy(npm / "node_modules" / script, pages / f"{script.partition('/')[0]}.js")
    shutil.copy(HERE / "zensical.toml", _SITE)
    await _zensical(python)
    wrong = [*left_out(), *broken(_SITE / "html")]
    if wrong:
        raise SiteError("\n".join(wrong))
    return _SITE / "html" / "index.html"


def _lay_out(pages: Path) -> None:
    """Every page of the repository, and all that they link to, from link to link."""
    waiting = [*_pages()]
    done: set[Path] = set()
    while waiting:
        source = waiting.pop()
        if source in done:
            continue
        done.add(source)
        target = pages / _page_of(source).relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix in _AS_THEY_ARE:
            shutil.copy(source, target)
            continue
        text = _as_page(source)
        text, linked = _links_of_site(text, target=_page_of(source), source=source)
        target.write_text(text, "utf-8")
        waiting += linked


def _pages() -> Iterator[Path]:
    for folder, names, here in os.walk(ROOT):
        names[:] = [
            name for name in names if not name.startswith(".") and name not in {"node_modules", "__pycache__", "dist"}
        ]
        yield from (Path(folder, name) for name in here if name.endswith(".md"))


def _page_of(source: Path) -> Path:
    """Where the site has it: a folder's page is its README, a source has a page beside it."""
    if source.is_dir():
        return source / "README.md"
    return source if source.suffix in {".md", *_AS_THEY_ARE} else source.with_name(source.name + ".md")


def _as_page(source: Path) -> str:
    name = source.relative_to(ROOT)
    if source.is_dir():
        inside = sorted(one for one in source.iterdir() if not one.name.startswith((".", "__")))
        return f"# `{name}/`\n\n" + "".join(f"- [{_title(one)}]({one.name})\n" for one in inside)
    text = source.read_text("utf-8")
    if source.suffix == ".md":
        return text
    language = _LANGUAGE.get(source.suffix, source.suffix.removeprefix("."))
    return f"---\nsearch:\n  exclude: true\n---\n# `{name}`\n\n~~~~~~ {language}\n{text}\n~~~~~~\n"


def _title(one: Path) -> str:
    return one.read_text("utf-8").partition("\n")[0].lstrip("# ") if one.suffix == ".md" else one.name


def _links_of_site(text: str, *, target: Path, source: Path) -> tuple[str, list[Path]]:
    """The text with its links as the site has them, and what they lead to."""
    if source.suffix != ".md" and not source.is_dir():
        return text, []
    linked: list[Path] = []

    def there(match: re.Match[str]) -> str:
        link = match.group()
        path, hash_, anchor = link.partition("#")
        if not path or re.match(r"[a-z]+:", link):
            return link
        leads_to = Path(os.path.normpath(target.parent / path))
        if not leads_to.exists() or ROOT not in leads_to.parents:
            return link  # the search for broken links names it
        if leads_to.is_dir() and (leads_to / "README.md").exists():
            leads_to /= "README.md"
        linked.append(leads_to)
        return os.path.relpath(_page_of(leads_to), target.parent) + hash_ + anchor

    parts = _CODE.split(text)
    parts[::2] = [_LINK.sub(there, part) for part in parts[::2]]
    return "".join(parts), linked


async def _zensical(python: Path) -> None:
    words = (python, "-m", "zensical", "build", "--strict", "--clean")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, cwd=_SITE, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    try:
        said, _ = await asyncio.wait_for(process.communicate(), _PATIENCE)
    except TimeoutError:
        process.kill()
        raise SiteError(f"Zensical hasn't ended within {_PATIENCE:g} seconds") from None
    if process.returncode:
        raise SiteError(re.sub(r"\x1b\[[\d;]*m", "", said.decode("utf-8", "replace")).strip())


def left_out() -> Iterator[str]:
    """A sentence for each page of docs/ that the navigation doesn't name; decisions and alarms have tables."""
    named = set(re.findall(r'"([\w./-]+\.md)"', (HERE / "zensical.toml").read_text("utf-8")))
    for page in sorted((ROOT / "docs").rglob("*.md")):
        name = str(page.relative_to(ROOT))
        if name not in named and page.parent.name not in {"adr", "runbooks"}:
            yield f"{name} is not in the navigation of docs/site/zensical.toml"


class _Page(HTMLParser):
    """What a page has and what it asks for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in {"id", "name"}:
                self.anchors.add(value)
            if value and name in {"src", "href"}:
                (self.links if tag == "a" else self.loads).append(value)


def broken(html: Path) -> Iterator[str]:
    """A sentence for each link of these pages that leads to no file or anchor, and for each load from elsewhere."""
    pages = {path: _Page(path.read_text("utf-8")) for path in html.rglob("*.html") if path.name != "404.html"}
    for path, page in sorted(pages.items()):
        name = path.relative_to(html)
        for link in sorted({*page.links, *page.loads}):
            to = urlsplit(link)
            if to.scheme or to.netloc:
                if link in page.loads and to.scheme != "data":
                    yield f"{name} loads {link} from elsewhere"
                continue
            file = Path(os.path.normpath(path.parent / unquote(to.path))) if to.path else path
            file = file / "index.html" if file.is_dir() else file
            if not file.is_file():
                yield f"{name} links to {link}, which is not there"
            elif to.fragment and file in pages and unquote(to.fragment) not in pages[file].anchors:
                yield f"{name} links to {link}, a page without that anchor"


if __name__ == "__main__":
    try:
        sys.stdout.write(f"The site is built: open {asyncio.run(build())} in a browser\n")
    except (SiteError, UnavailableError) as error:
        sys.exit(str(error))
