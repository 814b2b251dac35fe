"""`page(request, "services.html", ...)`: a template as an answer, in the viewer's words."""

from datetime import date, datetime
from typing import Any

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from booking_gateway.assets.served import Assets
from booking_gateway.pages.menu import menu_for
from booking_gateway.words.language import LOCALES, Locale
from booking_gateway.words.sayings import HELD, SAID
from booking_gateway.words.translations import translations
from booking_gateway.words.words import words_of


class Templates:
    """The templates in every language. A name that a page was not given is an error, not a blank."""

    def __init__(self, assets: Assets) -> None:
        self._environments = {locale: self._environment(locale, assets) for locale in LOCALES}

    @staticmethod
    def _environment(locale: Locale, assets: Assets) -> Environment:
        made = Environment(
            loader=PackageLoader("booking_gateway"),
            autoescape=True,
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        made.install_gettext_translations(translations(locale), newstyle=True)  # type: ignore[attr-defined]
        text = translations(locale).gettext
        made.filters["said"] = lambda value: text(SAID.get(str(getattr(value, "value", value)), str(value)))
        made.filters["held"] = lambda value: text(HELD.get(str(value), str(value)))
        made.filters["instant"] = datetime.fromisoformat
        made.filters["day"] = date.fromisoformat
        made.globals.update(asset=assets.address, locales=LOCALES, unstyled=bool(assets.missing))
        return made

    def render(self, locale: Locale, name: str, /, **context: Any) -> str:
        """The page's text."""
        return self._environments[locale].get_template(name).render(context)


def page(request: Request, name: str, /, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A template with its context; every template knows `viewer`, `words` and `path`."""
    words = words_of(request)
    viewer = request.state.session
    shown = {"viewer": viewer, "words": words, "path": request.url.path, "menu": menu_for(viewer, words)}
    shown |= {"here": here(request), "since": request.state.asked_at}
    shown |= {"live": request.app.state.settings.kafka_bootstrap is not None}
    shown |= {"behind": getattr(request.state, "behind", False), **context}
    text = request.app.state.templates.render(words.locale, name, **shown)
    return HTMLResponse(text, status, headers={"Booking-Behind": "1"} if shown["behind"] else None)


def here(request: Request) -> str:
    """The address that was asked for, from this origin on."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
