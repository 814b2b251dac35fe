"""What operations say alike stands once, under `components`: parameters, answers and examples, each by reference.

Each operation still lists its own statuses, and each answer the codes that it may have.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeAlias

from booking_web.problems import CODES, CONTENT_TYPE

Json: TypeAlias = dict[str, Any]
Place: TypeAlias = tuple[Any, Any]
"""A dict with its key, or a list with its index."""

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")

_WORDS = {
    "malformed_json": "Body",
    "number_too_large": "Body",
    "invalid_text": "Body",
    "idempotency_key_reused": "Key",
    "invalid_idempotency_key": "Key",
    "invalid_consistency_token": "Token",
    "not_yet_visible": "Token",
    "invalid_cursor": "Cursor",
}
"""What brings these codes into an answer, for its name."""
_OF_EVERY_CALL = {"database_unavailable", "identity_unavailable", "invalid_value"}


def share(document: Json) -> None:
    """Moves every parameter and every answer that stands twice or more; in place, the same for the same document."""
    operations: list[Json] = [item[one] for item in document["paths"].values() for one in METHODS if one in item]
    components: Json = document.setdefault("components", {})
    for kind, places in (("parameters", _parameters(operations)), ("responses", _answers(operations))):
        if moved := _move(kind, list(places)):
            components[kind] = moved


def share_examples(document: Json) -> None:
    """Moves each problem's example, by its code; one that is another than that stays where it is."""
    shared = document["components"].setdefault("examples", {})
    for path in document.get("paths", {}).values():
        for operation in path.values():
            for response in operation["responses"].values():
                examples = response.get("content", {}).get(CONTENT_TYPE, {}).get("examples", {})
                for code, example in examples.items():
                    if shared.setdefault(code, example) == example:
                        examples[code] = {"$ref": f"#/components/examples/{code}"}


def _parameters(operations: list[Json]) -> Iterator[tuple[str, Place]]:
    for operation in operations:
        listed = operation.get("parameters", [])
        yield from ((one["name"], (listed, index)) for index, one in enumerate(listed))


def _answers(operations: list[Json]) -> Iterator[tuple[str, Place]]:
    for operation in operations:
        answers = operation["responses"]
        yield from ((name, (answers, status)) for status, one in answers.items() if (name := _called(status, one)))


def _called(status: str, answer: Json) -> str:
    """By its codes, or by what it shows; nothing where neither says enough."""
    problem = answer.get("content", {}).get(CONTENT_TYPE)
    if problem is not None:
        usual = CODES.get(int(status), "")
        codes = problem["examples"].keys() - _OF_EVERY_CALL
        others = [_WORDS.get(code) or _camel(code) for code in sorted(codes - {usual})]
        return "".join([_camel(usual)] * (usual in codes) + list(dict.fromkeys(others)))
    match status:
        case "200":
            schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
            return schema.get("$ref", "").rpartition("/")[2]
        case "204":
            return "NoContent"
        case "304":
            return "NotModified"
        case _:
            return ""


def _camel(code: str) -> str:
    return "".join(word.capitalize() for word in code.split("_"))


def _move(kind: str, places: list[tuple[str, Place]]) -> Json:
    """What is moved, by name. Of several that one name fits the one that stands most often has it; others a number."""
    texts = [(name, json.dumps(holder[key], sort_keys=True)) for name, (holder, key) in places]
    counts = Counter(texts)
    names: dict[tuple[str, str], str] = {}
    for wanted in sorted({name for name, _ in counts}):
        alike = [one for one, times in counts.items() if one[0] == wanted and times > 1]
        for number, one in enumerate(sorted(alike, key=lambda one: (-counts[one], one[1])), 1):
            names[one] = wanted if number == 1 else f"{wanted}-{number}"
    for text, (_, (holder, key)) in zip(texts, places, strict=True):
        if text in names:
            holder[key] = {"$ref": f"#/components/{kind}/{names[text]}"}
    return {name: json.loads(text) for (_, text), name in names.items()}
