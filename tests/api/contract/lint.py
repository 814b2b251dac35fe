"""What a complete OpenAPI document of ours has: each rule a function that yields what is missing, and where."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.api.contract.documents import Json, operations, references, resolved

PROBLEM = "application/problem+json"
PROVEN_OTHERWISE = {"notify_payment", "verify_webhook", "receive_statuses", "read_calendar_feed"}
"""By a provider's signature, or by a secret in the address."""
WITHOUT_BODY = {"204", "304"}
Rule = Callable[[Json], Iterator[str]]
RULES: dict[str, Rule] = {}


def _rule(rule: Rule) -> Rule:
    RULES[rule.__name__] = rule
    return rule


@_rule
def is_openapi_3_1(document: Json) -> Iterator[str]:
    """By the meta-schema and the rules that openapi-spec-validator knows."""
    yield from (error.message for error in OpenAPIV31SpecValidator(document).iter_errors())


@_rule
def points_nowhere_in_vain(document: Json) -> Iterator[str]:
    """Every `$ref` leads to something within the document."""
    for reference in references(document):
        try:
            resolved(document, {"$ref": reference})
        except KeyError:
            yield reference


@_rule
def says_what_an_operation_does(document: Json) -> Iterator[str]:
    """Summary, description, tag and operationId."""
    for path, method, operation in operations(document):
        for wanted in ("summary", "description", "tags", "operationId"):
            if not operation.get(wanted):
                yield f"{method} {path}: no {wanted}"


@_rule
def names_each_operation_once(document: Json) -> Iterator[str]:
    """The operationId is what generated clients call."""
    seen: set[str] = set()
    for path, method, operation in operations(document):
        name = operation.get("operationId", "")
        if name in seen:
            yield f"{method} {path}: {name} again"
        seen.add(name)


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
    """No `Body_...` of the framework, and no body or answer in line: generated clients need a name."""
    yield from (name for name in document["components"].get("schemas", {}) if name.startswith("Body_"))
    for at, content in _bodies(document):
        schema = content.get("schema", {})
        if schema.get("type") == "object" or schema.get("properties"):
            yield f"{at}: an object without a name"
