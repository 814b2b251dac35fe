"""A browser without a screen: it follows links and sends forms of the gateway's pages, and keeps cookies."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
from tests.e2e.system import Person


@dataclass
class Form:
    """A form as the page has it."""

    action: str
    method: str = "get"
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    """Forms, links and the words of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.words: list[str] = []
        self._link: str | None = None
        self._select: str | None = None
        self._area: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        form = self.forms[-1] if self.forms else None
        match tag:
            case "form":
                self.forms.append(Form(told.get("action", ""), told.get("method", "get")))
            case "input" if form and "name" in told and (told.get("type") != "checkbox" or "checked" in told):
                form.fields.append((told["name"], told.get("value", "")))
            case "textarea" if form:
                self._area = told["name"]
                form.fields.append((told["name"], ""))
            case "select":
                self._select = told["name"]
            case "option" if form and self._select and ("selected" in told or not _has(form, self._select)):
                form.fields = [one for one in form.fields if one[0] != self._select]
                form.fields.append((self._select, told.get("value", "")))
            case "button" if form and "name" in told:
                form.buttons.append((told["name"], told.get("value", "")))
            case "a":
                self._link = told.get("href")
            case _:
                pass

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = None
        if tag == "textarea":
            self._area = None
        if tag == "a":
            self._link = None

    def handle_data(self, data: str) -> None:
        said = " ".join(data.split())
        if self._area is not None:
            name, before = self.forms[-1].fields[-1]
            self.forms[-1].fields[-1] = (name, before + data)
        elif said:
            self.words.append(said)
            if self._link is not None:
                self.links.setdefault(said, self._link)


def _has(form: Form, name: str) -> bool:
    return any(one == name for one, _ in form.fields)


@dataclass
class Page:
    """What was answered, after all redirections."""

    address: str
    status: int
    headers: httpx2.Headers
    text: str
    forms: list[Form]
    links: dict[str, str]
    words: str

    def form(self, action: str, button: str | None = None) -> Form:
        """The form that is sent there, and has a button of that value."""
        found = [one for one in self.forms if re.fullmatch(action, one.action.partition("#")[0])]
        found = [one for one in found if button is None or button in [value for _, value in one.buttons]]
        assert found, f"no form to {action} on {self.address}: {[one.action for one in self.forms]}\n{self.words}"
        return found[0]


class Browser:
    """One person's window."""

    def __init__(self, gateway: str) -> None:
        self.gateway = gateway
        self.http = httpx2.Client(timeout=30, trust_env=False, follow_redirects=False)

    def open(self, address: str) -> Page:
        return self._go("GET", urljoin(self.gateway, address))

    def send(self, page: Page, action: str, button: str | None = None, **typed: str) -> Page:
        """Fill a form in and send it."""
        form = page.form(action, button)
        values = {**dict(form.fields), **typed}
        chosen = [one for one in form.buttons if button is None or one[1] == button]
        values |= dict(chosen[:1])
        return self.post(urljoin(page.address, form.action), values)

    def post(self, address: str, values: dict[str, str]) -> Page:
        parts = urlsplit(address)
        return self._go("POST", address, data=values, headers={"Origin": f"{parts.scheme}://{parts.netloc}"})

    def sign_in(self, person: Person, path: str = "/") -> Page:
        """By the identity provider's own form."""
        page = self.open(f"/sign-in?next={path}")
        assert "There is no password" in page.words, page.text
        said = {"sub": str(person.sub), "role": person.role, "name": person.name, "email": person.email}
        return self.post(
            page.address, {**said, "phone_number": person.phone, "locale": "en", "zoneinfo": "Asia/Makassar"}
        )

    def _go(self, method: str, address: str, **options: Any) -> Page:
        answer = self.http.request(method, address, **options)
        for _ in range(10):
            if not answer.has_redirect_location:
                break
            address = urljoin(address, answer.headers["Location"])
            answer = self.http.request("GET", address)
        reader = _Reader()
        reader.feed(answer.text)
        words = " ".join(reader.words)
        return Page(address, answer.status_code, answer.headers, answer.text, reader.forms, reader.links, words)
