"""Subject, plain text and HTML of one mail, from the template of its language and the compiled layout.

Undefined names are errors: a text without its time or link must fail loudly and never leave half empty.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape
from markupsafe import Markup

from booking_web.languages import Language
from notifier.texts.formats import safe_header
from notifier.texts.letter import PHRASES, Letter, template_values
from notifier.texts.links import Link, page_of


def _environment(*, escape: bool) -> Environment:
    return Environment(
        loader=PackageLoader("notifier", "texts"),
        undefined=StrictUndefined,
        autoescape=select_autoescape(default=escape, default_for_string=escape),
        trim_blocks=True,
        cache_size=-1,
    )


_PLAIN = _environment(escape=False)  # plain text must not be escaped
_HTML = _environment(escape=True)
_LAYOUT = _HTML.from_string((resources.files("notifier.mail") / "layout.html").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Text:
    """One mail's words. `subject` is safe as a header."""

    subject: str
    plain: str
    html: str


def render(letter: Letter, gateway: str | None = None) -> Text:
    """The words of one mail. jinja2.UndefinedError when the event lacks what the template speaks of.

    `gateway` is the address whose pages it leads to, without a slash at its end; None for no such links.
    """
    values, page = template_values(letter), page_of(letter, gateway)
    name = f"{letter.language}/{letter.template}.j2"
    plain, html = _PLAIN.get_template(name), _HTML.get_template(name)
    subject = safe_header(_block(plain, "subject", values))
    words = _plain(plain, values, letter.language, page)
    return Text(subject, words, _html(html, values, letter.language, subject, page))


def _plain(template: Template, values: Mapping[str, Any], language: Language, page: Link | None) -> str:
    facts = "\n".join(f"{label}: {value}" for label, value in _facts(template, values))
    opened = f"{page.label}: {page.address}" if page else ""
    parts = [*_paragraphs(template, values), facts, opened, PHRASES[language].footer]
    return "\n\n".join(part for part in parts if part) + "\n"


def _html(template: Template, values: Mapping[str, Any], language: Language, subject: str, page: Link | None) -> str:
    paragraphs = _escaped(_paragraphs(template, values))
    meeting = _block(template, "link_label", values).strip()
    links = [Link(meeting, values["meeting_link"])] if meeting else []
    return _LAYOUT.render(
        language=language,
        subject=subject,
        preview=paragraphs[min(1, len(paragraphs) - 1)],
        paragraphs=paragraphs,
        facts=[_escaped(fact) for fact in _facts(template, values)],
        links=[*links, page] if page else links,
        footer=PHRASES[language].footer,
    )


def _escaped(texts: Iterable[str]) -> list[Markup]:
    """Texts that the template's environment has escaped already."""
    return [Markup(text) for text in texts]  # noqa: S704


def _paragraphs(template: Template, values: Mapping[str, Any]) -> list[str]:
    blocks = _block(template, "body", values).split("\n\n")
    return [paragraph for block in blocks if (paragraph := " ".join(block.split("\n")).strip())]


def _facts(template: Template, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Lines `Label: value`. The label is ours and holds no colon; a value may."""
    lines = (line.partition(": ") for line in _block(template, "facts", values).split("\n") if line.strip())
    return [(label, value) for label, _, value in lines]


def _block(template: Template, block: str, values: Mapping[str, Any]) -> str:
    return "".join(template.blocks[block](template.new_context(dict(values))))
