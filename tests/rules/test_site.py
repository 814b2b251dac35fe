"""The site of the pages: what it refuses. `make docs` builds it whole."""

from pathlib import Path

import pytest
from docs.site.build import broken, left_out


def test_every_page_of_docs__is_in_the_navigation():
    assert list(left_out()) == []


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ('<a href="there.html#heading">', None),
        ('<a href="folder/">', None),
        ('<a href="https://example.com/">', None),
        ('<img src="picture.svg">', None),
        ('<a href="gone.html">', "page.html links to gone.html, which is not there"),
        ('<a href="there.html#gone">', "page.html links to there.html#gone, a page without that anchor"),
        ('<a href="#gone">', "page.html links to #gone, a page without that anchor"),
        ('<img src="gone.svg">', "page.html links to gone.svg, which is not there"),
        ('<script src="https://cdn.example.com/a.js">', "page.html loads https://cdn.example.com/a.js from elsewhere"),
        ('<link href="//cdn.example.com/a.css">', "page.html loads //cdn.example.com/a.css from elsewhere"),
    ],
)
def test_a_link_that_leads_nowhere_or_a_load_from_elsewhere__is_named(tmp_path: Path, link: str, reason: str | None):
    (tmp_path / "page.html").write_text(link)
    (tmp_path / "there.html").write_text('<h2 id="heading">')
    (tmp_path / "picture.svg").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "index.html").touch()
    assert list(broken(tmp_path)) == ([] if reason is None else [reason])
