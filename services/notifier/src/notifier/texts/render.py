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


def render(letter: Letter) -> Text:
    """The words of one mail. jinja2.UndefinedError when the event lacks what the template speaks of."""
    values = template_values(letter)
    name = f"{letter.language}/{letter.template}.j2"
    plain, html = _PLAIN.get_template(name), _HTML.get_template(name)
    subject = safe_header(_block(plain, "subject", values))
    return Text(subject, _plain(plain, values, letter.language), _html(html, values, letter.language, subject))


def _plain(template: Template, values: Mapping[str, Any], language: Language) -> str:
    facts = "\n".join(f"{label}: {value}" for label, value in _facts(template, values))
    parts = [*_paragraphs(template, values), facts, PHRASES[language].footer]
    return "\n\n".join(part for part in parts if part) + "\n"


def _html(template: Template, values: Mapping[str, Any], language: Language, subject: str) -> str:
    paragraphs = _escaped(_paragraphs(template, values))
    link_label = _block(template, "link_label", values).strip()
    return _LAYOUT.render(
        language=language,
        subject=subject,
        preview=paragraphs[min(1, len(paragraphs) - 1)],
        paragraphs=paragraphs,
        facts=[_escaped(fact) for fact in _facts(template, values)],
        link=values["meeting_link"] if link_label else None,
        link_label=link_label,
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
