"""The templates that Meta has approved for a business, and what it answers to a message that does not fit its own."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.responses import Response

from booking_local.standins.whatsapp_errors import error

_BAD_TEXT = re.compile(r"[\n\t]| {5}")


@dataclass(frozen=True, slots=True)
class Approved:
    """By name: the languages, and how many places each has. None: nobody said, so any template is taken."""

    templates: dict[str, tuple[frozenset[str], int]] | None

    @classmethod
    def read(cls, path: str) -> Approved:
        """From a file `{name: {"parameters": [...], "body": {language: text}}}`. Raises OSError or ValueError."""
        if not path:
            return cls(None)
        told: dict[str, Any] = json.loads(Path(path).read_text("utf-8"))
        return cls({name: (frozenset(one["body"]), len(one["parameters"])) for name, one in told.items()})

    def refusal(self, body: dict[str, Any]) -> Response | None:
        """Meta's error for a template message that is not as it was approved; None for any other."""
        if self.templates is None or body.get("type") != "template":
            return None
        template = body["template"]
        languages, places = self.templates.get(template["name"], (frozenset[str](), 0))
        if template["language"]["code"] not in languages:
            return error(132001)
        texts = [
            str(one.get("text", ""))
            for component in template.get("components", [])
            if component.get("type") == "body"
            for one in component.get("parameters", [])
        ]
        if len(texts) != places:
            return error(132000, f"body: number of localizable_params ({len(texts)}) does not match {places}")
        if any(_BAD_TEXT.search(text) or not text for text in texts):
            return error(132018, "Param text cannot have new-line/tab characters or more than 4 consecutive spaces")
        return None
