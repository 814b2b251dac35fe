"""What a complete OpenAPI document of ours has: each rule a function that yields what is missing, and where."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.api.contract.documents import Json, operations, references, resolved

PROBLEM = "application/problem+json"
PROVEN_OTHERWISE = {"notify_payment", "verify_whatsapp_webhook", "receive_whatsapp_statuses", "get_calendar_feed"}
"""By a provider's signature, or by a secret in the address."""
WITHOUT_BODY = {"204", "304"}
Rule = Callable[[Json], Iterator[str]]
RULES: dict[str, Rule] = {}
"""For documents that are spelled out: what operations share stands in each place."""
AS_WRITTEN: dict[str, Rule] = {}
"""For documents as they are written."""


def _rule(rule: Rule) -> Rule:
    RULES[rule.__name__] = rule
    return rule


def _as_written(rule: Rule) -> Rule:
    AS_WRITTEN[rule.__name__] = rule
    return rule


@_rule
@_as_written
def is_openapi_3_1(document: Json) -> Iterator[str]:
    """By the meta-schema and the rules that openapi-spec-validator knows."""
    yield from (error.message for error in OpenAPIV31SpecValidator(document).iter_errors())


@_rule
@_as_written
def points_nowhere_in_vain(document: Json) -> Iterator[str]:
    """Every `$ref` leads to something within the document."""
    for reference in references(document):
        try:
            resolved(document, {"$ref": reference})
        except KeyError:
            yield reference


@_as_written
def says_nothing_twice(document: Json) -> Iterator[str]:
    """A parameter or an answer of two operations is shared."""
    seen: set[str] = set()
    for path, method, operation in operations(document):
        answers = operation["responses"].items()
        said = [(one.get("name"), one) for one in operation.get("parameters", [])]
        for name, one in [*said, *answers]:
            text = json.dumps([name, one], sort_keys=True)
            if "$ref" not in one and text in seen:
                yield f"{method} {path}: {name} again"
            seen.add(text)


@_rule
def says_what_an_operation_does(document: Json) -> Iterator[str]:
    """Summary, description, tag and operationId."""
    for path, method, operation in operations(document):
        for wanted in ("summary", "description", "tags", "operationId"):
            if not operation.get(wanted):
                yield f"{method} {path}: no {wanted}"


@_rule
def describes_each_tag(document: Json) -> Iterator[str]:
    """Each one that is used, and no other."""
    used = {tag for _, _, operation in operations(document) for tag in operation.get("tags", [])}
    told = {tag["name"]: tag.get("description") for tag in document.get("tags", [])}
    yield from (f"{name} is not described" for name in sorted(used) if not told.get(name))
    yield from (f"{name} has no operation" for name in sorted(told.keys() - used))


@_rule
def names_each_operation_once(document: Json) -> Iterator[str]:
    """The operationId is what generated clients call."""
    seen: set[str] = set()
    for path, method, operation in operations(document):
        name = operation.get("operationId", "")
        if name in seen:
            yield f"{method} {path}: {name} again"
        seen.add(name)


VERBS = {
    "abandon", "cancel", "create", "delete", "discard", "fail", "get", "list", "notify", "put", "reassign", "rebuild",
    "receive", "refund", "replay", "request", "reschedule", "resend", "revoke", "rotate", "schedule", "settle",
    "start", "stream", "test", "upload", "verify",
}  # fmt: skip
"""What an operation does, as its name's first word; a new one is a decision."""


@_rule
def names_operations_by_verb_and_noun(document: Json) -> Iterator[str]:
    """`cancel_session`: a list is `list_...`, nothing else is."""
    for path, method, operation in operations(document):
        name = operation.get("operationId", "")
        verb, _, noun = name.partition("_")
        if verb not in VERBS or not re.fullmatch(r"[a-z]+(_[a-z]+)*", noun):
            yield f"{method} {path}: {name} is no verb with its noun"
        if (verb == "list") != (_list_of(document, operation) is not None):
            yield f"{method} {path}: {name}, and a list or none"


def _list_of(document: Json, operation: Json) -> Json | None:
    """The schema of an answer that is a page."""
    content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    schema = resolved(document, content.get("schema", {}))
    return schema if "items" in schema.get("properties", {}) else None


@_rule
def pages_every_list_alike(document: Json) -> Iterator[str]:
    """The same query parameters, the same members."""
    for path, method, operation in operations(document):
        if (schema := _list_of(document, operation)) is None:
            continue
        if schema["properties"].keys() != {"items", "next_cursor"}:
            yield f"{method} {path}: a page of {', '.join(schema['properties'])}"
        taken = {one["name"] for one in operation.get("parameters", [])}
        if missing := {"limit", "cursor"} - taken:
            yield f"{method} {path}: no {', '.join(sorted(missing))}"


NOT_OURS = {"hub.mode", "hub.verify_token", "hub.challenge"}
"""Meta's names."""
OTHER_WORDS = {"state": "status", "language": "locale"}
NO_ENDS = {"from", "to", "since", "until", "begin", "date_from", "date_to"}


@_rule
def speaks_one_vocabulary(document: Json) -> Iterator[str]:
    """snake_case, and one word for a thing: in parameters and in every member of a body or an answer."""
    names = {name for schema in _schemas(document) for name in schema.get("properties", {})}
    for _, _, operation in operations(document):
        names |= {one["name"] for one in operation.get("parameters", []) if one["in"] != "header"}
    for name in sorted(names - NOT_OURS):
        if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
            yield f"{name} is not snake_case"
        yield from (f"{name}: we say {OTHER_WORDS[part]}" for part in name.split("_") if part in OTHER_WORDS)
        if name in NO_ENDS:
            yield f"{name}: a range is from `start` to `end`"


def _schemas(node: object) -> Iterator[Json]:
    match node:
        case dict():
            if isinstance(node.get("properties"), dict):
                yield node
            for value in node.values():
                yield from _schemas(value)
        case list():
            for value in node:
                yield from _schemas(value)
        case _:
            pass


@_rule
def secures_each_operation(document: Json) -> Iterator[str]:
    """With a known scheme, and 401 and 403; or it is one of those that are proven otherwise."""
    schemes = document.get("components", {}).get("securitySchemes", {})
    for path, method, operation in operations(document):
        at = f"{method} {path}"
        ways = operation.get("security", [])
        if not ways and operation.get("operationId") not in PROVEN_OTHERWISE:
            yield f"{at}: not secured"
        if any(scheme not in schemes for way in ways for scheme in way) or {} in ways:
            yield f"{at}: secured by nothing known"
        if ways and not {"401", "403"} <= operation["responses"].keys():
            yield f"{at}: secured, without 401 and 403"


@_rule
def describes_and_bounds_parameters(document: Json) -> Iterator[str]:
    """A description, a schema, and a bound: `maxLength`, `pattern`, `format`, `enum`; `maxItems` for lists."""
    for path, method, operation in operations(document):
        for parameter in (resolved(document, one) for one in operation.get("parameters", [])):
            at = f"{method} {path}: {parameter['name']}"
            if not parameter.get("description"):
                yield f"{at}: no description"
            if not parameter.get("schema"):
                yield f"{at}: no schema"
            yield from _unbounded(document, parameter.get("schema", {}), at)


@_rule
def bounds_bodies(document: Json) -> Iterator[str]:
    """As parameters, each field."""
    for path, method, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            yield from _unbounded(document, content.get("schema", {}), f"{method} {path}: body")


def _unbounded(document: Json, schema: Json, at: str) -> Iterator[str]:
    schema = resolved(document, schema)
    bounds = {"maxLength", "pattern", "format", "enum", "const"}
    for branch in schema.get("anyOf", []):
        yield from _unbounded(document, {**{key: schema[key] for key in bounds & schema.keys()}, **branch}, at)
    kind = schema.get("type")
    if kind == "string" and not bounds & schema.keys():
        yield f"{at}: a text without bound"
    if kind == "array":
        if "maxItems" not in schema:
            yield f"{at}: a list without bound"
        yield from _unbounded(document, schema.get("items", {}), f"{at}[]")
    for name, field in schema.get("properties", {}).items():
        yield from _unbounded(document, field, f"{at}.{name}")


@_rule
def shows_an_example_of_each_body(document: Json) -> Iterator[str]:
    """Of each request and each success: there, valid for its schema, and of real values."""
    for at, content in _bodies(document):
        shown = _examples(document, content)
        if not shown:
            yield f"{at}: no example"
        for example in shown:
            yield from _invalid(document, content.get("schema", True), example, at)
            if '"..."' in json.dumps(example):
                yield f"{at}: a blank in its example"


def _bodies(document: Json) -> Iterator[tuple[str, Json]]:
    for path, method, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            yield f"{method} {path}: body", content
        for status, answer in operation["responses"].items():
            for content in answer.get("content", {}).values() if status.startswith("2") else ():
                yield f"{method} {path}: {status}", content


def _examples(document: Json, content: Json) -> list[Any]:
    named = [resolved(document, one)["value"] for one in content.get("examples", {}).values()]
    return [content["example"], *named] if "example" in content else named


def _invalid(document: Json, schema: Any, example: Any, at: str) -> Iterator[str]:
    whole = {"allOf": [schema], "components": document.get("components", {})}
    validator = jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker())
    yield from (f"{at}: {error.json_path} {error.message}" for error in validator.iter_errors(example))


@_rule
def shows_each_problem_by_its_code(document: Json) -> Iterator[str]:
    """Every 4xx and 5xx is a problem, with an example per code that validates and tells the same status and code."""
    for path, method, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status >= "400":
                yield from _problem(document, status, answer, f"{method} {path}: {status}")


def _problem(document: Json, status: str, answer: Json, at: str) -> Iterator[str]:
    content = answer.get("content", {}).get(PROBLEM)
    if content is None or answer["content"].keys() != {PROBLEM}:
        yield f"{at}: not (only) {PROBLEM}"
        return
    if not content.get("examples"):
        yield f"{at}: no code"
    for code, example in content.get("examples", {}).items():
        value = resolved(document, example).get("value", {})
        yield from _invalid(document, content.get("schema", True), value, at)
        told = (value.get("status"), value.get("code"), value.get("type"))
        if told != (int(status), code, f"urn:booking:problem:{code}"):
            yield f"{at}: {code} is shown as {told}"


@_rule
def lists_the_problems_of_every_call(document: Json) -> Iterator[str]:
    """What any call can meet: a bad request, our error, a dependency; the limit for persons; a body's own."""
    for path, method, operation in operations(document):
        wanted = {"400", "422", "500", "503"} | ({"401", "403", "429"} if operation.get("security") else set())
        wanted |= {"408", "413", "415"} if method in ("put", "post", "patch") else set()
        if "{" in path and operation.get("operationId") not in CREATES:
            wanted.add("404")
        if missing := wanted - operation["responses"].keys():
            yield f"{method} {path}: {', '.join(sorted(missing))}"


CREATES = {"put_product", "put_assessment", "put_erasure"}
"""What a PUT's path names need not exist."""


@_rule
def tells_problems_apart_by_code(document: Json) -> Iterator[str]:
    """The choice of an answer's schema is its examples' codes, each with a schema of its own."""
    for path, method, operation in operations(document):
        for status, answer in operation["responses"].items():
            if (content := answer.get("content", {}).get(PROBLEM)) is None:
                continue
            told = content["schema"].get("discriminator", {}).get("mapping", {})
            ways = {one["$ref"] for one in content["schema"].get("oneOf", [])}
            if told.keys() != content["examples"].keys() or set(told.values()) != ways:
                yield f"{method} {path}: {status} lists {', '.join(told)}"
            for code, reference in told.items():
                says = resolved(document, {"$ref": reference})["properties"]
                if (says["code"], says["status"]["const"]) != ({"const": code, "type": "string"}, int(status)):
                    yield f"{method} {path}: {status} {code} is another"


@_rule
def types_headers(document: Json) -> Iterator[str]:
    """Each answer's, by reference to one definition; the id of the request is on all."""
    for path, method, operation in operations(document):
        for status, answer in operation["responses"].items():
            at, headers = f"{method} {path}: {status}", answer.get("headers", {})
            for name in headers:
                if not resolved(document, headers[name]).get("schema", {}).get("type"):
                    yield f"{at}: {name} has no type"
            wanted = {"X-Request-Id", "Trace-Id"}
            wanted |= {"Retry-After"} if status in ("429", "503") else set()
            wanted |= {"Location"} if (method, status) == ("post", "201") else set()
            if missing := wanted - headers.keys():
                yield f"{at}: no {', '.join(sorted(missing))}"


@_rule
def asks_for_what_is_always_needed(document: Json) -> Iterator[str]:
    """Where leaving a condition out always fails (428), it is required."""
    for path, method, operation in operations(document):
        needed = {one["name"] for one in operation.get("parameters", []) if one.get("required")}
        if "428" in operation["responses"] and "If-Match" not in needed:
            yield f"{method} {path}: If-Match"


@_rule
def says_where_and_whether_a_token_is_needed(document: Json) -> Iterator[str]:
    """`servers`, and `security` on every operation, `[]` where none is."""
    if not document.get("servers"):
        yield "no servers"
    yield from (f"{method} {path}" for path, method, one in operations(document) if "security" not in one)


@_rule
def gives_every_answer_a_body_or_none(document: Json) -> Iterator[str]:
    """Each operation has a success, described; 204 and 304 have no body."""
    for path, method, operation in operations(document):
        answers = operation["responses"]
        if not any(status.startswith("2") for status in answers):
            yield f"{method} {path}: no success"
        for status, answer in answers.items():
            if not answer.get("description"):
                yield f"{method} {path}: {status} is not described"
            if status in WITHOUT_BODY and answer.get("content"):
                yield f"{method} {path}: {status} has a body"


@_rule
def names_its_schemas(document: Json) -> Iterator[str]:
    """The domain's nouns, not what frameworks or our classes are called, and no body or answer in line.

    An item of the stream has its event's version in its name after the first.
    """
    for name in document["components"].get("schemas", {}):
        if not re.fullmatch(r"([A-Z][a-z]+)+(V[0-9]+Item)?", name) or re.search(r"(View|Out|In|Body|Dto)$", name):
            yield f"{name} is no noun of the domain"
    for at, content in _bodies(document):
        schema = content.get("schema", {})
        if schema.get("type") == "object" or schema.get("properties"):
            yield f"{at}: an object without a name"
