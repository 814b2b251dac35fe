"""What in a new OpenAPI document breaks a caller who relies on the old one.

Requests: what was accepted is accepted. Answers: what was promised holds. Security: who was let in is let in.
Additions pass: operations, optional parameters and properties, answers, media types, properties of answers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.api.contract.documents import Json, operations, resolved
from tests.api.contract.schemas import Fit

_OPEN: list[Json] = [{}]
"""The requirement of what needs no token: satisfied by nobody in particular."""
_WIRE = ("style", "explode", "allowReserved", "content")


@dataclass(frozen=True, slots=True)
class _Pair:
    """Both documents, and what must fit between them: old requests the new schemas, new answers the old ones."""

    old: Json
    new: Json
    requests: Fit
    answers: Fit


def breaks(old: Json, new: Json) -> list[str]:
    """One sentence per break, each with its place; empty when every caller of `old` can go on with `new`."""
    pair = _Pair(old, new, Fit(old, new, promise=False), Fit(new, old, promise=True))
    return [*_operations(pair), *_schemes(pair)]


def _operations(pair: _Pair) -> Iterator[str]:
    there = {(path, method): operation for path, method, operation in operations(pair.new)}
    for path, method, before in operations(pair.old):
        at = f"{method.upper()} {path}"
        if path not in pair.new.get("paths", {}):
            yield f"{at}: the path was removed"
        elif (path, method) not in there:
            yield f"{at}: the operation was removed"
        else:
            yield from _operation(pair, before, there[path, method], at)


def _operation(pair: _Pair, before: Json, after: Json, at: str) -> Iterator[str]:
    if before.get("operationId") != after.get("operationId"):
        yield f"{at}: the operationId {before.get('operationId')} became {after.get('operationId')}"
    yield from _parameters(pair, before, after, at)
    yield from _body(pair, before, after, at)
    yield from _responses(pair, before, after, at)
    yield from _security(pair, before, after, at)


def _parameters(pair: _Pair, before: Json, after: Json, at: str) -> Iterator[str]:
    taken, takes = _by_name(pair.old, before), _by_name(pair.new, after)
    for key, parameter in taken.items():
        place = f"{at}: the {key[0]} parameter {parameter['name']}"
        if key not in takes:
            yield f"{place} was removed"
            continue
        now = takes[key]
        if now.get("required") and not parameter.get("required"):
            yield f"{place} became required"
        yield from (f"{place}: another {word}" for word in _WIRE if parameter.get(word) != now.get(word))
        was, is_ = parameter.get("schema", True), now.get("schema", True)
        yield from pair.requests.reasons(_as_list(was) if _became_list(parameter, now) else was, is_, place)
        if _default(pair.old, was) != _default(pair.new, is_):
            yield f"{place}: another default"
    for key in sorted(takes.keys() - taken.keys()):
        if takes[key].get("required"):
            yield f"{at}: the new {key[0]} parameter {key[1]} is required"


def _became_list(before: Json, after: Json) -> bool:
    """Whether a query parameter that was sent once may be sent several times now: written once it is a list of one."""
    return after["in"] == "query" and _is_list(after) and not _is_list(before)


def _is_list(parameter: Json) -> bool:
    schema = parameter.get("schema", {})
    return any(one.get("type") == "array" for one in [schema, *schema.get("anyOf", [])])


def _as_list(schema: Json) -> Json:
    # What may be left out may be null by its schema; in a query there is no null.
    branches = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    return {"type": "array", "items": {"anyOf": branches}, "minItems": 1, "maxItems": 1}


def _by_name(document: Json, operation: Json) -> dict[tuple[str, str], Json]:
    found = [resolved(document, one) for one in operation.get("parameters", [])]
    return {(one["in"], one["name"].lower() if one["in"] == "header" else one["name"]): one for one in found}


def _default(document: Json, schema: Any) -> Any:
    found = resolved(document, schema)
    return found.get("default") if isinstance(found, dict) else None


def _body(pair: _Pair, before: Json, after: Json, at: str) -> Iterator[str]:
    was, is_ = resolved(pair.old, before.get("requestBody")), resolved(pair.new, after.get("requestBody"))
    if is_ and is_.get("required") and not (was or {}).get("required"):
        yield f"{at}: a body became required"
    if was is None:
        return
    if is_ is None:
        yield f"{at}: the body was removed"
        return
    for kind, content in was["content"].items():
        if kind not in is_["content"]:
            yield f"{at}: a body of {kind} is not taken any more"
            continue
        wanted = is_["content"][kind].get("schema", True)
        yield from pair.requests.reasons(content.get("schema", True), wanted, f"{at}: the body")


def _responses(pair: _Pair, before: Json, after: Json, at: str) -> Iterator[str]:
    for status, answer in before.get("responses", {}).items():
        if status not in after.get("responses", {}):
            yield f"{at}: the answer {status} was removed"
            continue
        was, is_ = resolved(pair.old, answer), resolved(pair.new, after["responses"][status])
        yield from _contents(pair, was.get("content", {}), is_.get("content", {}), f"{at}: the answer {status}")
        yield from _headers(pair, was.get("headers", {}), is_.get("headers", {}), f"{at}: the answer {status}")


def _contents(pair: _Pair, was: Json, is_: Json, at: str) -> Iterator[str]:
    for kind, content in was.items():
        if kind not in is_:
            yield f"{at} is no {kind} any more"
            continue
        now = is_[kind].get("schema", True)
        yield from pair.answers.reasons(now, content.get("schema", True), at)


def _headers(pair: _Pair, was: Json, is_: Json, at: str) -> Iterator[str]:
    now = {name.lower(): resolved(pair.new, header) for name, header in is_.items()}
    for name, header in was.items():
        promised, given = resolved(pair.old, header), now.get(name.lower())
        if given is None:
            yield f"{at} has no header {name} any more"
            continue
        if promised.get("required") and not given.get("required"):
            yield f"{at} has the header {name} no longer always"
        place = f"{at}, header {name}"
        yield from pair.answers.reasons(given.get("schema", True), promised.get("schema", True), place)


def _security(pair: _Pair, before: Json, after: Json, at: str) -> Iterator[str]:
    """Each way in (a list of schemes with roles) must contain a way in that is asked for now."""
    wanted = after.get("security", pair.new.get("security")) or _OPEN
    for way in before.get("security", pair.old.get("security")) or _OPEN:
        if not any(_lets_in(asked, way) for asked in wanted):
            yield f"{at}: the security is stricter for {way or 'anybody'}"


def _lets_in(asked: Json, brought: Json) -> bool:
    return all(scheme in brought and set(roles) <= set(brought[scheme]) for scheme, roles in asked.items())


def _schemes(pair: _Pair) -> Iterator[str]:
    now = pair.new.get("components", {}).get("securitySchemes", {})
    for name, scheme in pair.old.get("components", {}).get("securitySchemes", {}).items():
        if name not in now:
            yield f"the security scheme {name} was removed"
        elif {**scheme, "description": ""} != {**now[name], "description": ""}:
            yield f"the security scheme {name} is another"
