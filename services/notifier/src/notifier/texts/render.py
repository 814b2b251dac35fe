"""Subject, plain text and HTML of one mail, from the template of its language and the compiled layout.

Undefined names are errors: a text without its time or link must fail loudly and never leave half empty.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from booking_web.languages import Language
from notifier.texts import clean
from notifier.texts.material import Letter, material
from notifier.texts.phrases import PHRASES


def _environment(*, autoescape: bool) -> Environment:
    loader = PackageLoader("notifier", "texts")
    # Plain text must not be escaped; HTML has an environment of its own.
    return Environment(
        loader=loader,
        undefined=StrictUndefined,
        autoescape=autoescape,  # noqa: S701
        trim_blocks=True,
        cache_size=-1,
    )


_PLAIN = _environment(autoescape=False)
_HTML = _environment(autoescape=True)
_LAYOUT = _HTML.from_string((resources.files("notifier.mail") / "layout.html").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Text:
    """One mail's words. `subject` is safe as a header."""

    subject: str
    plain: str
    html: str


def render(letter: Letter) -> Text:
    """The words of one mail. jinja2.UndefinedError when the event lacks what the template speaks of."""
    values = material(letter)
    name = f"{letter.language}/{letter.template}.j2"
    plain, html = _PLAIN.get_template(name), _HTML.get_template(name)
    subject = clean.header(_block(plain, "subject", values))
    return Text(subject, _plain(plain, values, letter.language), _html(html, values, letter.language, subject))


def _plain(template: Template, values: Mapping[str, Any], language: Language) -> str:
    facts = "\n".join(f"{label}: {value}" for label, value in _facts(template, values))
    parts = [*_paragraphs(template, values), facts, PHRASES[language].footer]
    return "\n\n".join(part for part in parts if part) + "\n"


def _html(template: Template, values: Mapping[str, Any], language: Language, subject: str) -> str:
    paragraphs = [Markup(paragraph) for paragraph in _paragraphs(template, values)]  # noqa: S704 - autoescaped above
    facts = [(Markup(label), Markup(value)) for label, value in _facts(template, values)]  # noqa: S704 - autoescaped
    link_label = _block(template, "link_label", values).strip()
    return _LAYOUT.render(
        language=language,
        subject=subject,
        preview=paragraphs[min(1, len(paragraphs) - 1)],
        paragraphs=paragraphs,
        facts=facts,
        link=values["meeting_link"] if link_label else None,
        link_label=link_label,
        footer=PHRASES[language].footer,
    )


def _paragraphs(template: Template, values: Mapping[str, Any]) -> list[str]:
    blocks = _block(template, "body", values).split("\n\n")
    return [paragraph for block in blocks if (paragraph := " ".join(block.split("\n")).strip())]


def _facts(template: Template, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Lines `Label: value`. The label is ours and holds no colon; a value may."""
    lines = (line.partition(": ") for line in _block(template, "facts", values).split("\n") if line.strip())
    return [(label, value) for label, _, value in lines]


def _block(template: Template, block: str, values: Mapping[str, Any]) -> str:
    return "".join(template.blocks[block](template.new_context(dict(values))))
