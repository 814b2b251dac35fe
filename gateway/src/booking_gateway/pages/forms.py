"""A form that was refused is shown again with all that was typed, and what is wrong beside each field."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, StringConstraints

from booking_client import Refused
from booking_gateway.words.sayings import FIELDS, REFUSALS, UNKNOWN

Text = Annotated[str, StringConstraints(max_length=10_000, strip_whitespace=True)]
"""What somebody typed. Whether it is good is the services' business; an empty field is an empty text."""


class Posted(BaseModel):
    """What a form sent; a route's own form is a subclass. `key` as in `Form`."""

    key: Annotated[str, StringConstraints(max_length=255)]

    def typed(self) -> dict[str, str]:
        """Its fields, to show them again."""
        return self.model_dump(exclude={"key", "version"})


@dataclass(frozen=True, slots=True)
class Form:
    """What its fields hold, what is wrong with them by their names, and what with all of it; texts of the catalog.

    `key` is the Idempotency-Key of its command: sent twice, by a double click or the back button, it is done once.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)
    message: str = ""
    key: str = field(default_factory=lambda: str(uuid.uuid4()))

    def value(self, name: str) -> str:
        """What a field holds."""
        return self.values.get(name) or ""


def refused(values: Mapping[str, str], refusal: Refused[Any], names: Mapping[str, str] | None = None) -> Form:
    """The form again, after a refusal. `names` are the fields of it that a body's members are called otherwise by."""
    wrong: dict[str, str] = {}
    for one in refusal.problem.get("errors", []):
        name = str(one["pointer"]).strip("/").partition("/")[0]
        name = (names or {}).get(name, name)
        wrong[name] = FIELDS.get(f"{name}:{one['code']}") or FIELDS.get(one["code"]) or UNKNOWN
    return Form(values, wrong, REFUSALS.get(refusal.code, UNKNOWN))
