"""Compiles `layout.mjml` to the committed `layout.html`, once, by `python -m notifier.mail.compile_layout`.

The MJML compiler is needed here only: a running notifier fills the compiled page with Jinja2.
"""

from pathlib import Path

from mjml import mjml2html

FOLDER = Path(__file__).parent


def compiled() -> str:
    """The HTML page, still with its Jinja2 placeholders."""
    return mjml2html((FOLDER / "layout.mjml").read_text(encoding="utf-8")) + "\n"


if __name__ == "__main__":
    (FOLDER / "layout.html").write_text(compiled(), encoding="utf-8")
