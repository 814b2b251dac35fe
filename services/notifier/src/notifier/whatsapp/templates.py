"""Our WhatsApp templates: the words that Meta approves once, and what fills their numbered places (T17).

`templates.json` is what an operator registers with Meta, name for name; `parameters` names the value of each place.
Admins are told by email only, so their templates have no entry.
"""

import json
from importlib import resources
from typing import Any
from uuid import UUID

from notifier.texts.formats import safe_parameter
from notifier.texts.letter import Letter, template_values

CATALOGUE: dict[str, dict[str, Any]] = json.loads(
    (resources.files("notifier.whatsapp") / "templates.json").read_text(encoding="utf-8")
)


def parameters(letter: Letter) -> list[str]:
    """The values of the template's places, in order. KeyError when the event lacks one: none leaves half empty."""
    values = template_values(letter)
    return [_parameter(name, values[name]) for name in CATALOGUE[letter.template]["parameters"]]


def message(letter: Letter, notification_id: UUID, phone: str) -> dict[str, Any]:
    """The body of one send. `phone` is E.164 digits without the plus.

    `biz_opaque_callback_data` comes back in every status webhook: the only way to learn of a message whose answer was
    lost, since sends have no idempotency key (F85).
    """
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": phone,
        "type": "template",
        "template": {
            "name": letter.template,
            "language": {"code": letter.language},
            "components": [
                {"type": "body", "parameters": [{"type": "text", "text": text} for text in parameters(letter)]}
            ],
        },
        "biz_opaque_callback_data": str(notification_id),
    }


def _parameter(name: str, value: Any) -> str:
    if value is None:
        raise KeyError(name)
    return safe_parameter(str(value))
