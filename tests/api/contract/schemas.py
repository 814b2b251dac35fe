"""Whether every value of one schema fits another, told as reasons why not, each with its place.

Of the JSON Schema that our documents use. What it does not know it does not wave through: an unknown keyword that
differs is a reason.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import jsonschema
from tests.api.contract.documents import Json, resolved

ALL_TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
SAME = ("pattern", "format", "multipleOf", "uniqueItems", "contentEncoding", "contentMediaType", "propertyNames")
NOTES = frozenset({"discriminator", "title", "description", "default", "example", "examples", "deprecated", "$comment"})
JUDGED = {"type", "enum", "const", "properties", "required", "additionalProperties", "items", "anyOf", "oneOf", "allOf"}
UNIONS = ("anyOf", "oneOf")
EXTENSIBLE = "x-extensible-enum"
"""Beside a published `enum` of answers: callers were told to expect more values."""


@dataclass(frozen=True, slots=True)
class Fit:
    """`inner` values against `outer` schemas, each with references into its own document.

    `promise` is the side of answers: a property that was shown must go on being shown.
    """

    inner: Json
    outer: Json
    promise: bool
    fitting: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Pairs of named schemas that fit: most operations share them."""

    def reasons(self, inner: Any, outer: Any, at: str, seen: frozenset[tuple[int, int]] = frozenset()) -> Iterator[str]:
        """Why some value of `inner` is none of `outer`; nothing when all are."""
        names = (_name(inner), _name(outer))
        if names in self.fitting:
            return
        found = list(self._of_schemas(inner, outer, at, seen))
        if not found and all(names):
            self.fitting.add(names)
        yield from found

    def _of_schemas(self, inner: Any, outer: Any, at: str, seen: frozenset[tuple[int, int]]) -> Iterator[str]:
        inner, outer = _schema(self.inner, inner), _schema(self.outer, outer)
        pair = (id(inner), id(outer))
        if pair in seen or inner is False or outer is True:
            return
        seen |= {pair}
        if outer is False:
            yield f"{at}: not taken any more"
            return
        inner = {} if inner is True else inner
        yield from self._union_of_inner(inner, outer, at, seen)

    def _union_of_inner(self, inner: Json, outer: Json, at: str, seen: Any) -> Iterator[str]:
        branches = inner.get("anyOf") or inner.get("oneOf")
        values = _values(inner) or []
        if len(values) > 1:
            for value in values:
                yield from self.reasons({"const": value}, outer, at, seen)
        elif branches:
            rest = {key: value for key, value in inner.items() if key not in UNIONS}
            for branch in branches:
                yield from self.reasons(_both(rest, _schema(self.inner, branch)), outer, at, seen)
        else:
            yield from self._union_of_outer(inner, outer, at, seen)

    def _union_of_outer(self, inner: Json, outer: Json, at: str, seen: Any) -> Iterator[str]:
        if self.promise and _is_new_kind(inner, outer):
            return
        for key in UNIONS:
            if branches := outer.get(key):
                found = [list(self.reasons(inner, branch, at, seen)) for branch in branches]
                if all(found):
                    yield min(found, key=len)[0]
        for part in outer.get("allOf", []):
            yield from self.reasons(inner, part, at, seen)
        rest = {key: value for key, value in outer.items() if key not in {*UNIONS, "allOf"}}
        yield from self._plain(self._merged(inner), rest, at, seen)

    def _merged(self, inner: Json) -> Json:
        """An `allOf` of the inner side as one schema, as far as its parts do not overlap."""
        for part in inner.get("allOf", []):
            inner = _both({key: value for key, value in inner.items() if key != "allOf"}, _schema(self.inner, part))
        return inner

    def _plain(self, inner: Json, outer: Json, at: str, seen: Any) -> Iterator[str]:
        if (values := _values(inner)) is not None:
            yield from self._values_fit(values, outer, at)
            return
        if _values(outer) is not None:
            yield f"{at}: any value, where only some were or are allowed"
            return
        missing = _types(inner) - _wider(_types(outer))
        if missing:
            yield f"{at}: type {', '.join(sorted(missing))}"
            return
        yield from _bounds(inner, outer, at)
        yield from _unknown(inner, outer, at)
        if "object" in _types(inner):
            yield from self._objects(inner, outer, at, seen)
        if "array" in _types(inner) and ("items" in outer or "items" in inner):
            yield from self.reasons(inner.get("items", True), outer.get("items", True), f"{at}[]", seen)

    def _values_fit(self, values: list[Any], outer: Json, at: str) -> Iterator[str]:
        allowed = _values(outer)
        if self.promise and allowed is not None and outer.get(EXTENSIBLE) is True:
            return
        validator = jsonschema.Draft202012Validator({**outer, "components": self.outer.get("components", {})})
        for value in values:
            if not validator.is_valid(value):
                yield f"{at}: the value {value!r}"

    def _objects(self, inner: Json, outer: Json, at: str, seen: Any) -> Iterator[str]:
        for name in sorted(set(outer.get("required", [])) - set(inner.get("required", []))):
            yield f"{at}.{name}: " + ("not always there" if self.promise else "required")
        ours, theirs = inner.get("properties", {}), outer.get("properties", {})
        for name, schema in ours.items():
            target = theirs.get(name, outer.get("additionalProperties", True))
            yield from self.reasons(schema, target, f"{at}.{name}", seen)
        rest = inner.get("additionalProperties", True)
        for name in sorted(theirs.keys() - ours.keys()):
            if self.promise:
                yield f"{at}.{name}: removed"
            else:
                yield from self.reasons(rest, theirs[name], f"{at}.{name}", seen)
        if "additionalProperties" in outer:
            yield from self.reasons(rest, outer["additionalProperties"], f"{at}.*", seen)


def _is_new_kind(inner: Json, outer: Json) -> bool:
    """Of a choice that callers were told may grow: one by another word than any that was published."""
    told = outer.get("discriminator", {})
    word = inner.get("properties", {}).get(told.get("propertyName"), {}).get("const")
    return outer.get(EXTENSIBLE) is True and word is not None and word not in told.get("mapping", {})


def _name(node: Any) -> str:
    return node["$ref"] if isinstance(node, dict) and node.keys() == {"$ref"} else ""


def _schema(document: Json, node: Any) -> Any:
    """Without its reference; what stands beside a `$ref` is kept (JSON Schema 2020-12)."""
    if isinstance(node, dict) and "$ref" in node:
        beside = {key: value for key, value in node.items() if key != "$ref" and key not in NOTES}
        target = resolved(document, {"$ref": node["$ref"]})
        return {"allOf": [target], **beside} if beside else target
    return node


def _both(one: Json, other: Any) -> Any:
    """What fits both, where they do not say different things of one keyword; else marked as not judged."""
    if not isinstance(other, dict):
        return one if other is True else other
    clash = {key for key in one.keys() & other.keys() if key not in NOTES and one[key] != other[key]}
    return {**one, **other, **{f"both {key}": one[key] for key in clash}}


def _values(schema: Json) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _types(schema: Json) -> frozenset[str]:
    said = schema.get("type")
    return ALL_TYPES if said is None else frozenset([said] if isinstance(said, str) else said)


def _wider(types: frozenset[str]) -> frozenset[str]:
    return types | {"integer"} if "number" in types else types


def _bounds(inner: Json, outer: Json, at: str) -> Iterator[str]:
    for key in UPPER + LOWER:
        if key not in outer:
            continue
        loose = key not in inner or (inner[key] > outer[key] if key in UPPER else inner[key] < outer[key])
        if loose:
            yield f"{at}: {key} {outer[key]} against {inner.get(key, 'none')}"
    for key in SAME:
        if key in outer and inner.get(key) != outer[key]:
            yield f"{at}: {key} {outer[key]} against {inner.get(key, 'none')}"


def _unknown(inner: Json, outer: Json, at: str) -> Iterator[str]:
    known = JUDGED | NOTES | {*UPPER, *LOWER, *SAME}
    for key in sorted({*inner, *outer} - known):
        if not key.startswith("x-") and inner.get(key) != outer.get(key):
            yield f"{at}: {key} differs, and is not judged here"
