"""Changes of a document, each made on the real ones: what breaks callers, and what only adds.

A change edits the document in place and says whether it found something to change there. It takes the document spelled
out, but for those of SHARED.
"""

from collections.abc import Callable, Iterator
from typing import Any

from tests.api.contract.documents import Json, operations, resolved
from tests.api.contract.schemas import EXTENSIBLE

Change = Callable[[Json], bool]
BREAKING: dict[str, Change] = {}
SHARED: dict[str, Change] = {}
"""Breaks of documents as they are written, in what several operations point to."""
ADDITIVE: dict[str, Change] = {}


def _breaks(change: Change) -> Change:
    BREAKING[change.__name__] = change
    return change


def _breaks_shared(change: Change) -> Change:
    SHARED[change.__name__] = change
    return change


def _adds(change: Change) -> Change:
    ADDITIVE[change.__name__] = change
    return change


def _first(found: Iterator[Any]) -> Any:
    return next(found, None)


def _operations(document: Json) -> Iterator[Json]:
    return (operation for _, _, operation in operations(document))


def _parameters(document: Json, *, required: bool = False) -> Iterator[Json]:
    for operation in _operations(document):
        for one in operation.get("parameters", []):
            if bool(one.get("required")) == required:
                yield one


def _bodies(document: Json) -> Iterator[Json]:
    """The object schemas of request bodies."""
    for operation in _operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            yield from _objects(document, content.get("schema"))


def _answers(document: Json, *, status: str = "2") -> Iterator[Json]:
    """The object schemas of answers."""
    for operation in _operations(document):
        for code, answer in operation["responses"].items():
            if code.startswith(status):
                for content in answer.get("content", {}).values():
                    yield from _objects(document, content.get("schema"))


def _objects(document: Json, schema: Any) -> Iterator[Json]:
    found = resolved(document, schema)
    for branch in (found or {}).get("anyOf", [found]):
        whole = resolved(document, branch) or {}
        if whole.get("properties"):
            yield whole
            for name in whole["properties"]:
                yield from _objects(document, whole["properties"][name])


def _fields(objects: Iterator[Json], keyword: str) -> Iterator[Json]:
    """The first-hand schemas of properties that use a keyword, also as one branch of a nullable one."""
    for one in objects:
        for field in one["properties"].values():
            yield from (branch for branch in field.get("anyOf", [field]) if keyword in branch)


def _enumerations(document: Json) -> Iterator[Json]:
    """Of answers, by name or in line; without those that callers were told to expect more of."""
    for one in _answers(document):
        for field in one["properties"].values():
            for branch in (resolved(document, branch) for branch in field.get("anyOf", [field])):
                if "enum" in branch and not branch.get(EXTENSIBLE):
                    yield branch


def _with(found: Json | None, **changed: Any) -> bool:
    if found is not None:
        found.update(changed)
    return found is not None


def _without(found: Json | None, *keys: str) -> bool:
    if found is None:
        return False
    for key in keys:
        del found[key]
    return True


@_breaks
def path_removed(document: Json) -> bool:
    return bool(document["paths"].popitem())


@_breaks
def operation_removed(document: Json) -> bool:
    item = _first(item for item in document["paths"].values() if len(item) > 1)
    return bool(item and item.popitem())


@_breaks
def operation_renamed(document: Json) -> bool:
    return _with(_first(_operations(document)), operationId="another")


@_breaks
def success_removed(document: Json) -> bool:
    answers = _first(_operations(document))["responses"]
    status = _first(code for code in answers if code.startswith("2"))
    answers["299"] = answers.pop(status)
    return True


@_breaks
def problem_removed(document: Json) -> bool:
    return _without(_first(_operations(document))["responses"], "400")


@_breaks
def media_type_of_an_answer_removed(document: Json) -> bool:
    found = _first(o["responses"]["400"]["content"] for o in _operations(document))
    found["application/json"] = found.pop("application/problem+json")
    return True


@_breaks
def media_type_of_a_body_removed(document: Json) -> bool:
    found = _first(o["requestBody"]["content"] for o in _operations(document) if "requestBody" in o)
    if found:
        found["application/xml"] = found.pop("application/json")
    return bool(found)


@_breaks
def parameter_removed(document: Json) -> bool:
    found = _first(o["parameters"] for o in _operations(document) if o.get("parameters"))
    return bool(found and found.pop())


@_breaks
def parameter_required(document: Json) -> bool:
    return _with(_first(_parameters(document)), required=True)


@_breaks
def parameter_added_as_required(document: Json) -> bool:
    new = {"name": "new", "in": "query", "required": True, "schema": {"type": "string"}}
    _first(_operations(document)).setdefault("parameters", []).append(new)
    return True


@_breaks
def default_of_a_parameter_changed(document: Json) -> bool:
    return _with(_first(p["schema"] for p in _parameters(document) if p["schema"].get("default")), default=1)


@_breaks
def format_of_a_parameter_changed(document: Json) -> bool:
    found = (p["schema"] for p in _parameters(document, required=True) if "format" in p["schema"])
    return _with(_first(found), format="ipv4")


@_breaks
def parameter_serialised_otherwise(document: Json) -> bool:
    return _with(_first(_parameters(document)), explode=False)


@_breaks
def body_required(document: Json) -> bool:
    found = _first(o for o in _operations(document) if not o.get("requestBody", {}).get("required"))
    return _with(found, requestBody={"required": True, "content": {"application/json": {"schema": {}}}})


@_breaks
def body_removed(document: Json) -> bool:
    return _without(_first(o for o in _operations(document) if "requestBody" in o), "requestBody")


@_breaks
def property_of_a_body_required(document: Json) -> bool:
    found = _first(one for one in _bodies(document) if one["properties"].keys() - set(one.get("required", [])))
    return _with(found, required=list(found["properties"]) if found else [])


@_breaks
def property_of_a_body_removed_where_others_are_refused(document: Json) -> bool:
    found = _first(one for one in _bodies(document) if one.get("additionalProperties") is False)
    return bool(found and found["properties"].popitem())


@_breaks
def property_added_to_a_body_as_required(document: Json) -> bool:
    found = _first(_bodies(document))
    if found:
        found["properties"]["new"] = {"type": "string"}
        found.setdefault("required", []).append("new")
    return bool(found)


@_breaks
def limit_of_a_body_lowered(document: Json) -> bool:
    return _with(_first(_fields(_bodies(document), "maxLength")), maxLength=1)


@_breaks
def limit_of_a_body_raised_from_below(document: Json) -> bool:
    return _with(_first(_fields(_bodies(document), "minLength")), minLength=20)


@_breaks
def limit_of_a_number_lowered(document: Json) -> bool:
    return _with(_first(_fields(_bodies(document), "maximum")), maximum=2)


@_breaks
def limit_of_a_list_lowered(document: Json) -> bool:
    return _with(_first(_fields(_bodies(document), "maxItems")), maxItems=0)


@_breaks
def pattern_put_on_a_body(document: Json) -> bool:
    return _with(_first(f for f in _fields(_bodies(document), "type") if f["type"] == "string"), pattern="^a$")


@_breaks
def type_in_a_body_changed(document: Json) -> bool:
    found = _first(f for f in _fields(_bodies(document), "type") if f["type"] == "string")
    return _with(found, type="integer")


@_breaks
def enum_of_a_body_narrowed(document: Json) -> bool:
    found = _first(_fields(_bodies(document), "enum"))
    return bool(found and [found["enum"].pop(0)])


@_breaks
def null_of_a_body_refused(document: Json) -> bool:
    fields = (field for one in _bodies(document) for field in one["properties"].values())
    found = _first(field for field in fields if {"type": "null"} in field.get("anyOf", []))
    return bool(found and not found["anyOf"].remove({"type": "null"}))


@_breaks
def unknown_keyword_put_on_a_body(document: Json) -> bool:
    return _with(_first(_bodies(document)), dependentRequired={"a": ["b"]})


@_breaks
def property_of_an_answer_removed(document: Json) -> bool:
    found = _first(one for one in _answers(document) if len(one["properties"]) > len(one.get("required", [])))
    name = _first(n for n in (found or {}).get("properties", {}) if n not in found.get("required", []))
    return _without(found["properties"] if found else None, *([name] if name else []))


@_breaks
def property_of_an_answer_not_always_there(document: Json) -> bool:
    found = _first(one for one in _answers(document) if one.get("required"))
    return bool(found and found["required"].pop())


@_breaks
def type_in_an_answer_changed(document: Json) -> bool:
    found = _first(f for f in _fields(_answers(document), "type") if f["type"] == "string")
    return _with(found, type="boolean")


@_breaks
def format_in_an_answer_changed(document: Json) -> bool:
    return _with(_first(_fields(_answers(document), "format")), format="ipv4")


@_breaks
def answer_may_be_null(document: Json) -> bool:
    for one in _answers(document):
        for name, field in one["properties"].items():
            if "type" in field:
                one["properties"][name] = {"anyOf": [field, {"type": "null"}]}
                return True
    return False


@_breaks
def enum_of_an_answer_widened(document: Json) -> bool:
    found = _first(_enumerations(document))
    return bool(found and not found["enum"].append("another"))


@_breaks
def enum_of_an_answer_opened(document: Json) -> bool:
    return _without(_first(_enumerations(document)), "enum")


@_breaks
def code_of_a_problem_not_always_there(document: Json) -> bool:
    return not document["components"]["schemas"]["ForbiddenProblem"]["required"].remove("code")


@_breaks
def promised_header_removed(document: Json) -> bool:
    found = _first(a for o in _operations(document) for a in o["responses"].values() if a.get("headers"))
    return bool(found and found["headers"].popitem())


@_breaks
def token_asked_for(document: Json) -> bool:
    return _with(_first(o for o in _operations(document) if not o.get("security")), security=[{"bearer": []}])


@_breaks
def role_taken_away(document: Json) -> bool:
    found = _first(o["security"] for o in _operations(document) if len(o.get("security", [])) > 1)
    return bool(found and found.pop())


@_breaks
def role_asked_for(document: Json) -> bool:
    found = _first(o for o in _operations(document) if {"bearer": []} in o.get("security", []))
    return _with(found, security=[{"bearer": ["admin"]}])


@_breaks
def another_scheme(document: Json) -> bool:
    return _with(document["components"]["securitySchemes"]["bearer"], scheme="basic")


@_breaks_shared
def header_of_a_shared_answer_removed(document: Json) -> bool:
    return _without(document["components"]["responses"]["RateLimited"]["headers"], "Retry-After")


@_breaks_shared
def media_type_of_a_shared_answer_changed(document: Json) -> bool:
    answer = document["components"]["responses"]["RateLimited"]
    return _with(answer, content={"application/json": answer["content"]["application/problem+json"]})


@_breaks_shared
def shared_parameter_required(document: Json) -> bool:
    return _with(document["components"]["parameters"]["Idempotency-Key"], required=True)


@_adds
def nothing(document: Json) -> bool:
    return bool(document)


@_adds
def operation_added(document: Json) -> bool:
    document["paths"]["/v1/new"] = {"get": {"operationId": "new", "responses": {"200": {"description": "New."}}}}
    return True


@_adds
def optional_parameter_added(document: Json) -> bool:
    new = {"name": "new", "in": "query", "required": False, "schema": {"type": "string"}}
    _first(_operations(document)).setdefault("parameters", []).append(new)
    return True


@_adds
def parameter_optional(document: Json) -> bool:
    return _with(_first(p for p in _parameters(document, required=True) if p["in"] == "query"), required=False)


@_adds
def optional_property_added_to_a_body(document: Json) -> bool:
    found = _first(one for one in _bodies(document) if one.get("additionalProperties") is False)
    return _with(found["properties"] if found else None, new={"type": "string"})


@_adds
def property_of_a_body_optional(document: Json) -> bool:
    found = _first(one for one in _bodies(document) if one.get("required"))
    return bool(found and found["required"].pop())


@_adds
def limit_of_a_body_raised(document: Json) -> bool:
    found = _first(_fields(_bodies(document), "maxLength"))
    return _with(found, maxLength=found["maxLength"] + 1 if found else 0)


@_adds
def enum_of_a_body_widened(document: Json) -> bool:
    found = _first(_fields(_bodies(document), "enum"))
    return bool(found and not found["enum"].append("another"))


@_adds
def null_taken_in_a_body(document: Json) -> bool:
    for one in _bodies(document):
        for name, field in one["properties"].items():
            one["properties"][name] = {"anyOf": [field, {"type": "null"}]}
            return True
    return False


@_adds
def parameter_became_a_list(document: Json) -> bool:
    found = _first(p for p in _parameters(document) if p["in"] == "query" and "anyOf" in p["schema"])
    items = {"anyOf": [one for one in found["schema"]["anyOf"] if one.get("type") != "null"]} if found else {}
    return _with(found, schema={"anyOf": [{"type": "array", "items": items}, {"type": "null"}]})


@_adds
def property_added_to_an_answer(document: Json) -> bool:
    found = _first(_answers(document))
    if found:
        found["properties"]["new"] = {"type": "string"}
        found.setdefault("required", []).append("new")
    return bool(found)


@_adds
def property_of_an_answer_always_there(document: Json) -> bool:
    found = _first(one for one in _answers(document) if len(one["properties"]) > len(one.get("required", [])))
    return _with(found, required=list(found["properties"]) if found else [])


@_adds
def enum_of_an_answer_narrowed(document: Json) -> bool:
    found = _first(_enumerations(document))
    return bool(found and [found["enum"].pop()])


@_adds
def problem_added(document: Json) -> bool:
    return _with(_first(_operations(document))["responses"], **{"451": {"description": "Not allowed to show."}})


@_adds
def role_let_in(document: Json) -> bool:
    found = _first(o["security"] for o in _operations(document) if o.get("security"))
    return not found.append({"bearer": ["guest"]})


@_adds
def texts_and_examples_changed(document: Json) -> bool:
    for operation in _operations(document):
        operation.update(summary="Another", description="Another")
    return _with(_first(_answers(document)), title="Another", examples=[{}], description="Another")
